"""Files that belong together: which set a file is of, and what says that the set is complete.

A marker says that everything that lies in its set is there. A manifest names the files, and may say their
size, sha256 and number of rows.
"""

import json
import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

MARKER = "_SUCCESS"
TOP = "."  # the set of files that lie in no folder
MAX_MANIFEST_BYTES = 16 * 1024**2
_KEYS = "name, size_bytes, sha256, rows"


class SetSpec(BaseModel):
    """How the files of a dataset form sets (`sets` in its defs.yaml); each set is published in one commit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: str | None = Field(
        default=None,
        description="Regular expression on the path below the dataset, whose group `set` names the set; "
        "default the first folder.",
    )
    marker: str | None = Field(
        default=None, description=f"Glob; a set is complete once this file is there. Default {MARKER}."
    )
    manifest: str | None = Field(
        default=None, description="Glob; a set is complete once every file that this JSON file names is there."
    )
    overdue_after_hours: float = Field(
        default=24.0, gt=0, description="A set that is incomplete for longer fails the check `sets_complete`."
    )

    @field_validator("by")
    @classmethod
    def _names_the_set(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = list(re.compile(value).groupindex)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if groups != ["set"]:
            raise ValueError(f"expected one named group, (?P<set>...); got {groups}")
        return value

    @model_validator(mode="after")
    def _is_completed_one_way(self) -> "SetSpec":
        if self.marker is not None and self.manifest is not None:
            raise ValueError("a set is completed by a marker or by a manifest: give one of the two")
        return self

    @property
    def control(self) -> str:
        """The pattern of the file that completes a set."""
        return self.manifest or self.marker or MARKER

    @property
    def completed_by(self) -> str:
        return f"the {'manifest' if self.manifest else 'marker'} {self.control}"

    def set_of(self, path: str) -> str | None:
        """The set of the file at `path` below landing/<dataset>/; None where `by` finds no name in it."""
        if self.by is None:
            return path.split("/", 1)[0] if "/" in path else TOP
        found = re.search(self.by, path)
        return (found["set"] or None) if found else None

    def is_control(self, path: str) -> bool:
        """Whether the file is a marker or manifest; then it holds no rows, whatever the dataset's patterns say."""
        return fnmatchcase(path if "/" in self.control else path.rsplit("/", 1)[-1], self.control)


class ManifestProblem(ValueError):  # noqa: N818  # an outcome of reading, not an error of the platform
    """A manifest that cannot be used, and why."""


class ManifestEntry(BaseModel):
    """What a manifest says of one file; what it does not say is not looked at."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1, validation_alias=AliasChoices("name", "file", "path"))]
    size_bytes: Annotated[int | None, Field(ge=0, validation_alias=AliasChoices("size_bytes", "size", "bytes"))] = None
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-fA-F]{64}$")] = None
    rows: Annotated[int | None, Field(ge=0, validation_alias=AliasChoices("rows", "row_count", "records"))] = None

    def has_other_size(self, size_bytes: int) -> str | None:
        if self.size_bytes is None or self.size_bytes == size_bytes:
            return None
        return f"it has {size_bytes} bytes, the manifest says {self.size_bytes}"

    def has_other_content(self, sha256: str | None, rows: int) -> str | None:
        """What the manifest says otherwise; `rows` are all records of the file, rejected ones too."""
        if self.sha256 is not None and self.sha256.lower() != sha256:
            return f"its sha256 is {sha256}, the manifest says {self.sha256.lower()}"
        if self.rows is not None and self.rows != rows:
            return f"it has {rows} rows, the manifest says {self.rows}"
        return None


@dataclass(frozen=True)
class Manifest:
    """The files of a set, by their path below landing/<dataset>/."""

    entries: tuple[tuple[str, ManifestEntry], ...]

    @cached_property
    def paths(self) -> frozenset[str]:
        return frozenset(path for path, _ in self.entries)


def read_manifest(content: bytes, path: str) -> Manifest:
    """The manifest that lies at `path`; the names in it are relative to the folder it lies in.

    Raises:
        ManifestProblem: it cannot be used; the message says what is wrong.
    """
    try:
        read = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ManifestProblem(f"not JSON: {error}") from error
    files = read.get("files") if isinstance(read, dict) else read
    if not isinstance(files, list) or not files:
        raise ManifestProblem('expected a list of files, or an object with the list "files", with at least one file')
    entries = tuple(_entry(position, item, path) for position, item in enumerate(files))
    seen: set[str] = set()
    for position, (named, _) in enumerate(entries):
        if named in seen:
            raise ManifestProblem(f"files[{position}]: {named!r} is named twice")
        seen.add(named)
    return Manifest(entries)


def _entry(position: int, item: Any, path: str) -> tuple[str, ManifestEntry]:
    try:
        entry = ManifestEntry.model_validate({"name": item} if isinstance(item, str) else item)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([f"files[{position}]", *(str(step) for step in first["loc"])])
        raise ManifestProblem(f"{where}: {first['msg']}, got {first['input']!r}; known: {_KEYS}") from error
    named = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.name))
    if named.startswith(("/", "..")):
        raise ManifestProblem(f"files[{position}].name: {entry.name!r} lies outside the dataset's folder")
    return named, entry
