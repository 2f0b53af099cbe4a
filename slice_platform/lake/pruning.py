"""Which rows of a table a query can use at most, read from its WHERE: the filter that Iceberg prunes files by.

Only what is beyond doubt is understood: a bare column compared with a literal that is a value of the
column's type. Everything else prunes nothing; DuckDB still evaluates the whole WHERE on what is left.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from typing import TypeAlias

from pyiceberg import types as ice
from pyiceberg.expressions import (
    AlwaysFalse,
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    LessThan,
    LessThanOrEqual,
    Or,
)
from pyiceberg.schema import Schema

from slice_platform.lake.lake import CURATED
from slice_platform.lake.sql_intervals import without_shift
from slice_platform.lake.sql_tree import Node

Value: TypeAlias = str | int | Decimal
FieldOf: TypeAlias = Callable[[Node], ice.NestedField | None]

# In other joins (ASOF, POSITIONAL, SEMI, ANTI) a row that WHERE drops still decides about other rows.
_JOINS = ("INNER", "LEFT", "RIGHT", "FULL")
_JOIN_FORMS = ("REGULAR", "NATURAL", "CROSS")
_COMPARISONS: dict[str, tuple[type, type]] = {  # column first, literal first
    "COMPARE_EQUAL": (EqualTo, EqualTo),
    "COMPARE_LESSTHAN": (LessThan, GreaterThan),
    "COMPARE_LESSTHANOREQUALTO": (LessThanOrEqual, GreaterThanOrEqual),
    "COMPARE_GREATERTHAN": (GreaterThan, LessThan),
    "COMPARE_GREATERTHANOREQUALTO": (GreaterThanOrEqual, LessThanOrEqual),
}
_LOCAL_CASTS = ("timestamp", "datetime", "timestamp without time zone")
_ZONED_CASTS = ("timestamptz", "timestamp with time zone")
_MOMENT = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?P<time>[ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<zone>Z|[+-]\d\d(:?\d\d)?)?)?"
)
_MOST_EXACT_DIGITS = 18  # wider decimals may be compared as DOUBLE


@dataclass(frozen=True)
class _Source:
    """A table in the FROM of one SELECT. The schema is None where it is not a curated table."""

    table: Node
    schema: Schema | None

    @property
    def alias(self) -> str:
        return (self.table.text("alias") or self.table.text("table_name")).lower()

    def field(self, name: str) -> ice.NestedField | None:
        fields = self.schema.fields if self.schema else ()
        return next((field for field in fields if field.name.lower() == name.lower()), None)


def row_filters(tree: Node, schemas: Mapping[tuple[str, str], Schema]) -> dict[tuple[str, str], BooleanExpression]:
    """For each referenced table of `schemas` a filter that accepts every row the query can use.

    A table that is referenced several times gets the union of what each reference needs.
    """
    of_reference: dict[int, BooleanExpression] = {}
    for select in tree.walk():
        if select.type == "SELECT_NODE":
            of_reference |= _filters_of(select, schemas)
    needed: dict[tuple[str, str], BooleanExpression] = {}
    for reference in tree.walk():
        if (name := table_name(reference)) in schemas:
            found = of_reference.get(id(reference.fields), AlwaysTrue())
            needed[name] = Or(needed[name], found) if name in needed else found
    return needed


def table_name(node: Node) -> tuple[str, str]:
    """Tier and name, in lower case as DuckDB compares them, of a reference to a table; else two empty texts.

    A name alone means curated. It may also be that of a WITH, which then only widens the table's filter.
    """
    if node.type != "BASE_TABLE":
        return "", ""
    return (node.text("schema_name") or CURATED).lower(), node.text("table_name").lower()


def _filters_of(select: Node, schemas: Mapping[tuple[str, str], Schema]) -> dict[int, BooleanExpression]:
    tables = _joined(select.node("from_table"))
    if tables is None or select.says("sample"):
        return {}
    sources = [_Source(table, schemas.get(table_name(table))) for table in tables]
    where = select.node("where_clause")
    return {
        id(source.table.fields): _understood(where, _resolver(source, sources))
        for source in sources
        if source.schema is not None and not _is_renamed_or_sampled(source.table)
    }


def _joined(table: Node) -> list[Node] | None:
    """The tables of a FROM, or None where a row may matter although WHERE drops it."""
    if table.type != "JOIN":
        return [table]
    if table.text("join_type") not in _JOINS or table.text("ref_type") not in _JOIN_FORMS:
        return None
    left, right = _joined(table.node("left")), _joined(table.node("right"))
    return None if left is None or right is None else left + right


def _is_renamed_or_sampled(table: Node) -> bool:
    return any(table.says(name) for name in ("column_name_alias", "sample", "at_clause"))


def _resolver(source: _Source, sources: list[_Source]) -> FieldOf:
    """How a column reference in WHERE is tied to `source`: by its alias, or as the only table with that column."""
    is_named = sum(other.alias == source.alias for other in sources) == 1
    all_known = all(other.schema is not None for other in sources)

    def field_of(node: Node) -> ice.NestedField | None:
        names = node.texts("column_names")
        if len(names) == 2 and is_named and names[0].lower() == source.alias:
            return source.field(names[1])
        if len(names) == 1 and all_known and sum(other.field(names[0]) is not None for other in sources) == 1:
            return source.field(names[0])
        return None

    return field_of


def _understood(node: Node, field_of: FieldOf) -> BooleanExpression:
    """A filter that every row for which the condition is true passes."""
    match node.type:
        case "CONJUNCTION_AND":
            every: BooleanExpression = AlwaysTrue()
            return reduce(And, (_understood(part, field_of) for part in node.nodes("children")), every)
        case "CONJUNCTION_OR":
            no_one: BooleanExpression = AlwaysFalse()
            return reduce(Or, (_understood(part, field_of) for part in node.nodes("children")), no_one)
        case "COMPARE_BETWEEN":
            low = _comparison(GreaterThanOrEqual, node.node("input"), [node.node("lower")], field_of)
            return And(low, _comparison(LessThanOrEqual, node.node("input"), [node.node("upper")], field_of))
        case "COMPARE_IN":
            column, *values = node.nodes("children")
            return _comparison(In, column, values, field_of)
        case kind if kind in _COMPARISONS:
            as_written, turned_round = _COMPARISONS[kind]
            left, right = node.node("left"), node.node("right")
            if left.type == "COLUMN_REF":
                return _comparison(as_written, left, [right], field_of)
            return _comparison(turned_round, right, [left], field_of)
        case _:
            return AlwaysTrue()


def _comparison(predicate: type, column: Node, literals: list[Node], field_of: FieldOf) -> BooleanExpression:
    field = field_of(column) if column.type == "COLUMN_REF" else None
    if field is None or "." in field.name:  # a dot is a path to Iceberg
        return AlwaysTrue()
    values = [value for node in literals if (value := _value(node, field.field_type)) is not None]
    if not values or len(values) < len(literals):
        return AlwaysTrue()
    found: BooleanExpression = predicate(field.name, values if predicate is In else values[0])
    return found


def _value(node: Node, kind: ice.IcebergType) -> Value | None:
    """The literal as a value of the column's type, or None where the two do not meet without doubt.

    DOUBLE is left out: NaN is the greatest number to DuckDB, but outside of Iceberg's bounds.
    """
    literal = node.node("literal")
    says, text = literal.text("kind"), literal.text("text")
    match kind:
        case ice.StringType():
            return text if says == "STRING" else None
        case ice.LongType():
            return int(text) if says == "INTEGER" and abs(int(text)) < 2**63 else None
        case ice.DecimalType():
            return _decimal(text, kind) if says in ("INTEGER", "NUMERIC") else None
        case ice.DateType() | ice.TimestampType() | ice.TimestamptzType():
            return _temporal(node, kind)
        case _:
            return None


def _decimal(text: str, kind: ice.DecimalType) -> Decimal | None:
    if kind.precision > _MOST_EXACT_DIGITS or not re.fullmatch(r"-?\d+(\.\d+)?", text):
        return None
    value = Decimal(text)
    scaled = value.quantize(Decimal(1).scaleb(-kind.scale))
    return scaled if scaled == value and abs(value) < 10 ** (kind.precision - kind.scale) else None


def _temporal(node: Node, kind: ice.IcebergType) -> str | None:
    node, shift = without_shift(node)
    cast = node.node("type_expr").text("type_name").lower() if node.type == "OPERATOR_CAST" else ""
    text = (node.node("child") if cast else node).node("literal")
    written = _MOMENT.fullmatch(text.text("text")) if text.text("kind") == "STRING" else None
    if written is None or cast not in ("", "date", *_LOCAL_CASTS, *_ZONED_CASTS):
        return None
    if (written["zone"] and cast in _LOCAL_CASTS) or (written["time"] and cast == "date"):
        return None
    if shift and not cast:
        return None  # of a text without a type DuckDB may read the operator otherwise
    try:
        read = datetime.fromisoformat(written[0]) + shift
    except (ValueError, OverflowError):
        return None
    moment = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    is_instant = cast in _ZONED_CASTS  # the session's zone is UTC, and by it a column without one is compared
    match kind:
        case ice.TimestamptzType():
            return moment.isoformat()
        case ice.TimestampType():
            return None if written["zone"] and not is_instant else moment.replace(tzinfo=None).isoformat()
        case _:
            is_plain = is_instant or (not written["zone"] and bool(cast or not written["time"]))
            return moment.date().isoformat() if is_plain and moment.time() == datetime.min.time() else None
