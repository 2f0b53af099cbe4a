"""What the columns of a SELECT are in a business table: the contract's types, or the cast that a person must choose."""

from collections.abc import Iterator
from typing import TypeAlias, cast

from duckdb.sqltypes import DuckDBPyType

from slice_platform.lake.types import Field, Kind, LogicalType

Children: TypeAlias = list[tuple[str, DuckDBPyType]]

_PLAIN: dict[str, Kind] = {
    "tinyint": "integer", "smallint": "integer", "integer": "integer", "bigint": "integer",
    "utinyint": "integer", "usmallint": "integer", "uinteger": "integer",
    "float": "number", "double": "number", "boolean": "boolean", "varchar": "string", "enum": "string",
    "uuid": "string", "date": "date", "time": "time", "timestamp": "timestamp", "timestamp_s": "timestamp",
    "timestamp_ms": "timestamp", "timestamp_ns": "timestamp",
}  # fmt: skip
_WAYS_OUT = {
    "hugeint": "it may not fit 64 bits (a sum of integers is one); write `::bigint`, or `::decimal(38, 0)`",
    "uhugeint": "it may not fit 64 bits; write `::bigint`, or `::decimal(38, 0)`",
    "ubigint": "it may not fit 64 bits with a sign; write `::bigint`, or `::decimal(20, 0)`",
    "bignum": "it may not fit 64 bits; write `::bigint`, or `::varchar`",
    "null": "it is NULL without a type; write the type you mean, e.g. `null::varchar`",
    "interval": "no table can hold it; write e.g. `epoch(...)::bigint` for seconds, or `::varchar`",
    "blob": "no table of the lake holds bytes; write `base64(...)` or `hex(...)`",
    "bit": "no table can hold it; write `::varchar`, or `bit_count(...)::bigint`",
    "map": "no table of the lake holds maps; write `map_entries(...)`, or `to_json(...)::varchar`",
    "union": "its values have several types; write the one you mean, e.g. `union_extract(..., 'tag')`, or `::varchar`",
    "variant": "its values have several types; write the one you mean, e.g. `::varchar`",
    "time with time zone": "no table can hold it; write `::time`, or `::varchar`",
    "time_ns": "no table can hold it; write `::time`",
    "geometry": "no table can hold it; write `::varchar`",
    "tuple": "its fields have no names; write `{'name': value, ...}` instead of `row(...)`",
}


def logical_type_of(kind: DuckDBPyType) -> LogicalType | None:
    """The type of the column, or None where `why_not` says what to do instead."""
    match kind.id:
        case "decimal":
            sizes = dict(kind.children)
            return LogicalType("number", precision=int(str(sizes["precision"])), scale=int(str(sizes["scale"])))
        case "timestamp with time zone":
            return LogicalType("timestamp", has_zone=True)
        case "struct":
            return _object(kind)
        case "list" | "array":
            items = logical_type_of(_children(kind)[0][1])
            return LogicalType("array", items=items) if items else None
        case plain:
            return LogicalType(_PLAIN[plain]) if plain in _PLAIN else None


def why_not(kind: DuckDBPyType) -> str:
    """What is in the way of a type that no business table has, and the cast to write."""
    culprit = next(_culprits(kind), kind)
    way_out = _WAYS_OUT.get(culprit.id, "no table of the lake can hold it; write `::varchar`")
    inside = "" if culprit is kind else f" holds {culprit}:"
    return f"is of type {kind}:{inside} {way_out}"


def _object(kind: DuckDBPyType) -> LogicalType | None:
    fields = [(name, logical_type_of(inner)) for name, inner in _children(kind)]
    if any(found is None for _, found in fields):
        return None
    return LogicalType("object", fields=tuple(Field(name, found) for name, found in fields if found is not None))


def _culprits(kind: DuckDBPyType) -> Iterator[DuckDBPyType]:
    if kind.id in ("struct", "list", "array"):
        for _, inner in _children(kind):
            yield from _culprits(inner)
    elif logical_type_of(kind) is None:
        yield kind


def _children(kind: DuckDBPyType) -> Children:
    """The types inside; an array has its length beside them."""
    return cast(Children, [(name, inner) for name, inner in kind.children if isinstance(inner, DuckDBPyType)])
