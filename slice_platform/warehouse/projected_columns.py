"""A table of the lake as a database would have it: a type for each kind of column, unless somebody chose another."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from slice_platform.warehouse.column_type import MOST_DIGITS, MOST_VARCHAR, ColumnType, Kind, column_type
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.identifiers import identifier
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.table_spec import Column, TableSpec

LakeKind: TypeAlias = Literal[
    "string", "integer", "number", "boolean", "date", "timestamp", "time", "object", "array"
]  # fmt: skip
BYTES_OF_CHARACTER = 4  # at most, in UTF-8
MOST_IN_A_KEY = 256  # bytes of a text that rows are told, sorted or found by
_TIME = ColumnType(Kind.VARCHAR, length=15)  # 12:34:56.123456
_PLAIN = {
    "integer": Kind.BIGINT, "boolean": Kind.BOOLEAN, "date": Kind.DATE, "object": Kind.SUPER, "array": Kind.SUPER,
}  # fmt: skip


@dataclass(frozen=True)
class LakeColumn:
    """A column of the lake. `max_length` are characters; `is_key` where it is part of the table's primary key."""

    name: str
    kind: LakeKind
    precision: int | None = None
    scale: int | None = None
    max_length: int | None = None
    is_key: bool = False
    has_zone: bool = True  # of a timestamp


@dataclass(frozen=True)
class PhysicalKeys:
    """How the rows lie in the database, where somebody said it."""

    dist_key: str | None = None
    sort_key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()

    @property
    def names(self) -> frozenset[str]:
        dist = () if self.dist_key is None else (self.dist_key,)
        return frozenset({*dist, *self.sort_key, *(name for index in self.indexes for name in index)})


_NO_KEYS = PhysicalKeys()


def lake_table_spec(
    columns: Sequence[LakeColumn],
    destination: DestinationName,
    *,
    keys: PhysicalKeys = _NO_KEYS,
    types: Mapping[str, str] | None = None,
) -> TableSpec:
    """The table. A type in `types`, as text by the name of its column, wins over that of the column's kind.

    Text has the bytes that its characters may take, or the most there are where nobody says how long it is; in a key
    or an index 256. What does not fit is refused when rows come, with its length.

    Raises:
        FileRefused: a name is none for a database, a type is none, or `types` or `keys` name what is no column.
    """
    chosen, made, found = types or {}, list[Column](), list[Finding]()
    names = [column.name for column in columns]
    found += [_unknown(what, name, names) for what, name in _named(keys, chosen) if name not in names]
    for column in columns:
        try:
            made.append(_column(column, chosen.get(column.name), keys.names))
        except FileRefused as refused:
            found += refused.findings
    if found:
        raise FileRefused(*found)
    is_redshift = destination == "redshift"
    return TableSpec(
        tuple(made),
        primary_key=tuple(column.name for column in columns if column.is_key),
        dist_key=keys.dist_key if is_redshift else None,
        sort_key=keys.sort_key if is_redshift else (),
    )


def _column(column: LakeColumn, chosen: str | None, in_keys: frozenset[str]) -> Column:
    name = identifier(column.name, "column")
    if chosen is not None:
        return Column(name, column_type(chosen, name))
    return Column(name, _type_of(column, is_indexed=column.is_key or name in in_keys))


def _type_of(column: LakeColumn, *, is_indexed: bool) -> ColumnType:
    match column.kind:
        case "string":
            bytes_most = MOST_VARCHAR if column.max_length is None else column.max_length * BYTES_OF_CHARACTER
            most = MOST_IN_A_KEY if is_indexed else MOST_VARCHAR
            return ColumnType(Kind.VARCHAR, length=max(min(bytes_most, most), 1))
        case "number":
            return _number(column)
        case "timestamp":
            return ColumnType(Kind.TIMESTAMPTZ if column.has_zone else Kind.TIMESTAMP)
        case "time":
            return _TIME
        case kind:
            return ColumnType(_PLAIN[kind])


def _number(column: LakeColumn) -> ColumnType:
    if column.precision is None:
        return ColumnType(Kind.DOUBLE)
    if not 1 <= column.precision <= MOST_DIGITS:
        reason = f"has {column.precision} digits; a database takes 1 to {MOST_DIGITS}. Choose a type in `types:`"
        raise refuse(reason, column=column.name)
    return ColumnType(Kind.DECIMAL, precision=column.precision, scale=column.scale or 0)


def _named(keys: PhysicalKeys, chosen: Collection[str]) -> list[tuple[str, str]]:
    dist = [("dist_key", keys.dist_key)] if keys.dist_key is not None else []
    indexed = [("indexes", name) for index in keys.indexes for name in index]
    return [*(("types", name) for name in chosen), *dist, *(("sort_key", name) for name in keys.sort_key), *indexed]


def _unknown(what: str, name: str, names: Sequence[str]) -> Finding:
    return Finding(f"{what} names {name[:100]!r}, which is no column; there are {', '.join(names[:20])}")
