"""What a file in schema/create says: the columns of a table and its keys, checked against each other."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from slice_platform.warehouse.column_type import ColumnType, Kind, column_type
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.identifiers import identifier
from slice_platform.warehouse.mysql_index import BYTES_OF_CHARACTER, MOST_INDEX_BYTES, index_bytes
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse

MOST_BYTES = 1024**2  # of a schema file
MOST_COLUMNS, MOST_SORT_KEYS = 1_600, 400  # of Postgres and Redshift; of Redshift


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True)
class ForeignKey:
    """Informational on Redshift, enforced elsewhere."""

    columns: tuple[str, ...]
    table: str
    references: tuple[str, ...]


@dataclass(frozen=True)
class TableSpec:
    """A table as its file describes it. `ignored` names what the destination has no use for."""

    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    dist_key: str | None = None
    sort_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    tolerated_bad_rows: float = 0.0  # share of a file's rows that may be set aside; more fail the file
    ignored: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def keys(self) -> frozenset[str]:
        """Columns that something rests on."""
        foreign = {name for key in self.foreign_keys for name in key.columns}
        return frozenset({*self.primary_key, *self.sort_key, *foreign, *([self.dist_key] if self.dist_key else [])})


class _ForeignKey(BaseModel):
    model_config = ConfigDict(extra="forbid")
    columns: list[str] = Field(min_length=1)
    table: str
    references: list[str] = Field(min_length=1)


class _BadRows(BaseModel):
    model_config = ConfigDict(extra="forbid")
    set_aside_up_to: float = Field(gt=0, le=1)


class _Create(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    column_specification: dict[str, str] = Field(min_length=1, max_length=MOST_COLUMNS)
    primary_key: list[str] = []
    dist_key: str | None = None
    sort_key: list[str] = []
    foreign_key: list[_ForeignKey] = []
    on_bad_rows: Literal["fail"] | _BadRows = "fail"


_CREATE = TypeAdapter(_Create)
_Document = TypeVar("_Document")


def read_document(expected: TypeAdapter[_Document], content: bytes) -> _Document:
    """A schema file as what is expected of it.

    Raises:
        FileRefused: it is something else; the message says where.
    """
    try:
        return expected.validate_python(_json(content))
    except ValidationError as error:
        raise _told(error) from error


def _json(content: bytes) -> Any:
    """A schema file's document; a name given twice in an object is refused, as one of the two would be lost.

    Raises:
        FileRefused: it is no JSON, too large, or nested beyond reason.
    """
    if len(content) > MOST_BYTES:
        raise refuse(f"The file has {len(content):,} bytes; a schema has at most {MOST_BYTES:,}.")
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_each_once, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise refuse(f"The file is not UTF-8: {error}.") from error
    except RecursionError as error:
        raise refuse("The JSON is nested too deeply to be a schema.") from error
    except json.JSONDecodeError as error:
        raise FileRefused(Finding(f"The file is no JSON: {error.msg}.", line=error.lineno)) from error


def read_table_spec(content: bytes, destination: DestinationName) -> TableSpec:
    """The table of a file in schema/create.

    Raises:
        FileRefused: with everything that is wrong with it.
    """
    written = read_document(_CREATE, content)
    columns = columns_of(written.column_specification)
    spec = TableSpec(
        columns,
        primary_key=tuple(written.primary_key),
        dist_key=written.dist_key,
        sort_key=tuple(written.sort_key),
        foreign_keys=tuple(_foreign_key(key) for key in written.foreign_key),
        tolerated_bad_rows=0.0 if written.on_bad_rows == "fail" else written.on_bad_rows.set_aside_up_to,
    )
    if findings := [*_wrong_keys(spec, destination)]:
        raise FileRefused(*findings)
    return spec if destination == "redshift" else _without_redshift_keys(spec, destination)


def spec_document(spec: TableSpec) -> str:
    """The table as a file in schema/create would describe it; `read_table_spec` reads it back."""
    share = spec.tolerated_bad_rows
    written = {
        "column_specification": {column.name: str(column.type) for column in spec.columns},
        "primary_key": list(spec.primary_key),
        "dist_key": spec.dist_key,
        "sort_key": list(spec.sort_key),
        "foreign_key": [asdict(key) for key in spec.foreign_keys],
        "on_bad_rows": {"set_aside_up_to": share} if share else "fail",
    }
    return json.dumps(written, separators=(",", ":"))


def columns_of(specification: dict[str, str]) -> tuple[Column, ...]:
    """Names and types, all of them or a refusal that lists what is wrong with each."""
    columns, findings = [], list[Finding]()
    for name, text in specification.items():
        try:
            columns.append(Column(identifier(name, "column"), column_type(text, name)))
        except FileRefused as refused:
            findings += refused.findings
    if findings:
        raise FileRefused(*findings)
    return tuple(columns)


def _told(error: ValidationError) -> FileRefused:
    """Where the document is not as expected, in the words of its own fields."""
    found = []
    for one in error.errors():
        place = ".".join(str(step) for step in one["loc"]) or "the document"
        shown = one["input"] if isinstance(one["input"], str | int | float) else None
        found.append(Finding(f"{place}: {one['msg']}", value=None if shown is None else str(shown)[:100]))
    return FileRefused(*found[:20], total=len(found))


def _foreign_key(written: _ForeignKey) -> ForeignKey:
    if len(written.columns) != len(written.references):
        raise refuse("foreign_key: columns and references are not equally many")
    references = tuple(identifier(name, "column") for name in written.references)
    return ForeignKey(tuple(written.columns), identifier(written.table, "table"), references)


def _wrong_keys(spec: TableSpec, destination: DestinationName) -> list[Finding]:
    found: list[Finding] = []
    dist = (spec.dist_key,) if spec.dist_key is not None else ()
    if destination == "redshift":
        missing = [name for name, value in (("dist_key", dist), ("sort_key", spec.sort_key)) if not value]
        found += [Finding(f"{name} is required: no Redshift table without it. Name a column.") for name in missing]
    if len(spec.sort_key) > MOST_SORT_KEYS:
        found.append(Finding(f"sort_key has {len(spec.sort_key)} columns; Redshift takes {MOST_SORT_KEYS}."))
    for what, names in (("primary_key", spec.primary_key), ("dist_key", dist), ("sort_key", spec.sort_key)):
        found += _wrong_key(spec, what, names)
    for key in spec.foreign_keys:
        found += _wrong_key(spec, "foreign_key", key.columns)
    return found or (_long_keys(spec) if destination == "mysql" else [])


def _wrong_key(spec: TableSpec, what: str, names: Sequence[str]) -> list[Finding]:
    types = {column.name: column.type for column in spec.columns}
    found = [Finding(f"{what} names it twice", column=name) for name, times in Counter(names).items() if times > 1]
    for name in names:
        if name not in types:
            found.append(Finding(f"{what} names {name[:100]!r}, which column_specification does not have."))
        elif types[name].kind is Kind.SUPER:
            found.append(Finding(f"{what} cannot have a column of type SUPER", column=name))
    return found


def _long_keys(spec: TableSpec) -> list[Finding]:
    """Keys that MySQL has no index for; each names its longest column."""
    types = {column.name: column.type for column in spec.columns}
    keys = [("primary_key", spec.primary_key), *(("foreign_key", key.columns) for key in spec.foreign_keys)]
    found = []
    for what, names in keys:
        takes = sum(index_bytes(types[name]) for name in names)
        if takes > MOST_INDEX_BYTES:
            longest = max(names, key=lambda name: index_bytes(types[name]))
            reason = (
                f"is {types[longest]} in {what}, which takes up to {takes:,} bytes at {BYTES_OF_CHARACTER} per "
                f"character; an index of MySQL takes {MOST_INDEX_BYTES:,}"
            )
            found.append(Finding(reason, column=longest))
    return found


def _without_redshift_keys(spec: TableSpec, destination: DestinationName) -> TableSpec:
    ignored = [name for name, value in (("dist_key", spec.dist_key), ("sort_key", spec.sort_key)) if value]
    notes = tuple(f"{name} is ignored: {destination} has none" for name in ignored)
    return replace(spec, dist_key=None, sort_key=(), ignored=notes)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if twice := [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]:
        raise refuse(f"The JSON gives {twice[0][:100]!r} twice in one object; only one of the two can be meant.")
    return dict(pairs)


def _no_constant(text: str) -> Any:
    raise refuse(f"The JSON says {text}, which is no JSON.")
