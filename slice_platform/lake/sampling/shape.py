"""What the columns of a sample are, before a single value is looked at: names, nesting, and what the format says."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from slice_platform.engine import run
from slice_platform.lake.contract import RESERVED
from slice_platform.lake.sampling.odcs_type import (
    BOOLEAN,
    DATE,
    INSTANT,
    INTEGER,
    NUMBER,
    STRING,
    TIME,
    TIMESTAMP,
    OdcsType,
    decimal,
)
from slice_platform.sql_text import literal

# text: a CSV field, which may spell anything; words: a JSON or Parquet string; digits: a JSON number;
# known: the format says the type; opaque: nothing but text fits.
Hint = Literal["text", "words", "digits", "known", "opaque", "object", "array"]
MOST_DEPTH = 12
_MAP_FIELDS = 20
_ODD_NAMES = "field names that are empty, cannot be seen or differ only in case"
_ID_LIKE = re.compile(r"[0-9]+|[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}|\d{4}-\d{2}(-\d{2})?")
_FIXED = {
    "boolean": BOOLEAN, "date": DATE, "time": TIME, "float": NUMBER, "double": NUMBER,
    "timestamp": TIMESTAMP, "timestamp_s": TIMESTAMP, "timestamp_ms": TIMESTAMP, "timestamp_ns": TIMESTAMP,
    "timestamp with time zone": INSTANT, "ubigint": decimal(20, 0), "hugeint": decimal(38, 0),
    "tinyint": INTEGER, "smallint": INTEGER, "integer": INTEGER, "bigint": INTEGER, "utinyint": INTEGER,
    "usmallint": INTEGER, "uinteger": INTEGER,
}  # fmt: skip
_TEXTS = ("varchar", "uuid", "enum")


@dataclass(frozen=True)
class Shape:
    """One value: a leaf, or what holds others. `why` is told where nothing but text fits."""

    hint: Hint
    known: OdcsType | None = None
    fields: "tuple[tuple[str, Shape], ...]" = ()
    items: "Shape | None" = None
    why: str | None = None

    @property
    def as_text(self) -> OdcsType:
        """The type with the same nesting in which every leaf is text."""
        if self.hint == "object":
            return OdcsType("object", fields=tuple((name, inner.as_text) for name, inner in self.fields))
        if self.items is not None:
            return OdcsType("array", items=self.items.as_text)
        return STRING


TEXT, WORDS, DIGITS = Shape("text"), Shape("words"), Shape("digits")


def opaque(why: str) -> Shape:
    return Shape("opaque", why=why)


def of_json(structure: Any, depth: int = 0) -> Shape:
    """From what DuckDB's json_group_structure says of all values together."""
    if depth > MOST_DEPTH:
        return opaque(f"nested more than {MOST_DEPTH} deep: kept as JSON text")
    match structure:
        case dict():
            return _json_object(structure, depth)
        case [inner]:
            return _json_array(of_json(inner, depth + 1))
        case "VARCHAR":
            return WORDS
        case "BOOLEAN":
            return Shape("known", known=BOOLEAN)
        case "NULL":
            return opaque("no value in the sample")
        case "JSON":
            return opaque("values of several kinds, or only {}: kept as JSON text")
        case _:
            return DIGITS


def _json_object(structure: dict[str, Any], depth: int) -> Shape:
    if _are_odd(list(structure)):
        return opaque(f"{_ODD_NAMES}: kept as JSON text")
    if len(structure) > 2 and all(_ID_LIKE.fullmatch(name) for name in structure):
        return opaque("its keys are data, not names of fields: kept as JSON text")
    return Shape("object", fields=tuple((name, of_json(inner, depth + 1)) for name, inner in structure.items()))


def _are_odd(names: list[str]) -> bool:
    return len({name.lower() for name in names}) < len(names) or not all(n and n.isprintable() for n in names)


def _json_array(items: Shape) -> Shape:
    if items.hint == "opaque":
        return opaque(f"lists with {items.why}" if "no value" not in str(items.why) else "lists without a single value")
    return Shape("array", items=items)


def of_parquet(kind: Any) -> Shape:
    """From a column's type in DuckDB."""
    match kind.id:
        case "struct":
            inner = tuple((str(name), of_parquet(child)) for name, child in kind.children)
            if not inner or _are_odd([name for name, _ in inner]):
                return opaque(f"{_ODD_NAMES if inner else 'a struct without fields'}: kept as text")
            return Shape("object", fields=inner)
        case "list" | "array":
            items = of_parquet(kind.children[0][1])
            return items if items.hint == "opaque" else Shape("array", items=items)
        case "decimal":
            (_, precision), (_, scale) = kind.children
            return Shape("known", known=decimal(precision, scale))
        case name if name in _TEXTS:
            return WORDS
        case name if name in _FIXED:
            return Shape("known", known=_FIXED[name])
    return opaque(f"Parquet type {kind}: kept as text")


def is_map(connection: duckdb.DuckDBPyConnection, shape: Shape, documents: str) -> bool:
    """Whether an object has so many keys, so few at once, that they are data. `documents` yields JSON as `v`."""
    if shape.hint != "object" or len(shape.fields) < _MAP_FIELDS:
        return False
    (keys,) = run(connection, f"select avg(len(json_keys(v))) from ({documents}) where json_type(v) = 'OBJECT'")[0]
    return keys is not None and keys < len(shape.fields) / 5


def without_maps(connection: duckdb.DuckDBPyConnection, shape: Shape, documents: str) -> Shape:
    """The shape with every object whose keys are data kept as text."""
    if shape.hint == "object":
        if is_map(connection, shape, documents):
            return opaque(f"{len(shape.fields)} keys, few at once, so they are data: kept as JSON text")
        inner = ((n, without_maps(connection, s, f"select {_at(n)} as v from ({documents})")) for n, s in shape.fields)
        return Shape("object", fields=tuple(inner))
    if shape.items is not None:
        items = without_maps(connection, shape.items, f"select unnest(v->'$[*]') as v from ({documents})")
        return items if items.hint == "opaque" else Shape("array", items=items)
    return shape


def _at(name: str) -> str:
    return "v->" + literal("$." + json.dumps(name, ensure_ascii=False))


def left_out(names: list[str]) -> dict[str, str]:
    """The columns that a contract cannot have, each with the reason."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for name in names:
        if not name:
            found[name] = "a column without a name (an index that pandas wrote?)"
        elif name.startswith("_") or name in RESERVED:
            found[name] = "the name is kept for the platform"
        elif not name.isprintable():
            found[name] = "the name has characters that cannot be seen"
        elif name.lower() in seen:
            found[name] = "another column differs from it only in case"
        seen.add(name.lower())
    return found
