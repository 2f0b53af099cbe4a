"""What is published: a manifest that names every file of monitors with its hash, written after all of them.

<pulse_uri>/manifest.json
<pulse_uri>/monitors/<name>.yml
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from slice_platform.errors import PulseManifestBroken
from slice_platform.ops.pulse.monitor_file import FILE_NAME
from slice_platform.store import Store

MANIFEST, MONITORS = "manifest.json", "monitors"


class PublishedFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    size_bytes: Annotated[int, Field(ge=0)]


class Manifest(BaseModel):
    """Every published file by name. A name is never a path: it becomes one in Heartbeat's directory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1, le=1)] = 1
    files: Mapping[Annotated[str, StringConstraints(pattern=f"^{FILE_NAME.pattern}$")], PublishedFile]

    def text(self) -> str:
        """The same for the same files, so that equal manifests have equal hashes."""
        return f"{json.dumps(self.model_dump(), indent=2, sort_keys=True)}\n"

    def hashes(self) -> dict[str, str]:
        return {name: one.sha256 for name, one in self.files.items()}


def manifest_of(contents: Mapping[str, bytes]) -> Manifest:
    return Manifest(
        files={
            name: PublishedFile(sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
            for name, content in sorted(contents.items())
        }
    )


def read_manifest(store: Store) -> Manifest | None:
    """What is published; None where nothing ever was.

    Raises:
        PulseManifestBroken: the manifest was not read whole, or is none.
        StoreUnavailable: the store did not answer.
    """
    try:
        with store.open(MANIFEST) as stored:
            text = stored.read()
    except FileNotFoundError:
        return None
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"]) or "the document"
        raise PulseManifestBroken(
            f"Reading {store.path(MANIFEST)!r}: {where}: {first['msg']}. Nothing is changed by it. Publish again: "
            "slice pulse publish --apply"
        ) from error


def monitors_key(name: str) -> str:
    return f"{MONITORS}/{name}"
