"""What text is a value of a type, as SQL for DuckDB: every cast behind a regular expression.

A value that passes means the same to Postgres, MySQL and Redshift. What one of them would round, cut or read otherwise
does not pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.column_type import ColumnType, Kind

MOST_JSON_BYTES = 1_000_000
_INTEGER = "[+-]?[0-9]{1,40}"
_REAL = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_MOMENT = rf"{_DATE}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}})?)?"
_ZONE = "(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_TRUE, _FALSE = "true|t|yes|y|1", "false|f|no|n|0"
_IN_A_KEY = literal("is empty, and the column is part of the primary key")
_FIRST, _LAST = "timestamptz '0001-01-01 00:00:00+00'", "timestamptz '9999-12-31 23:59:59.999999+00'"
_DUCKDB = {
    Kind.SMALLINT: "SMALLINT", Kind.INTEGER: "INTEGER", Kind.BIGINT: "BIGINT", Kind.REAL: "FLOAT",
    Kind.DOUBLE: "DOUBLE", Kind.BOOLEAN: "BOOLEAN", Kind.DATE: "DATE", Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMPTZ", Kind.CHAR: "VARCHAR", Kind.VARCHAR: "VARCHAR", Kind.SUPER: "VARCHAR",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """`condition` is true of text that is no value; `reason` is what to say of it. Both are SQL."""

    condition: str
    reason: str


def duckdb_type(kind: ColumnType) -> str:
    """Of the values that `typed` gives."""
    return f"DECIMAL({kind.precision},{kind.scale})" if kind.kind is Kind.DECIMAL else _DUCKDB[kind.kind]


def typed(text: str, kind: ColumnType) -> str:
    """SQL of the value that the SQL expression `text` spells, where nothing is wrong with it."""
    match kind.kind:
        case Kind.BOOLEAN:
            # No cast: DuckDB pushes one into the reader of CSV, where it fails.
            return f"case when {_is(f'lower({text})', _TRUE)} then true when {text} is not null then false end"
        case Kind.CHAR | Kind.VARCHAR | Kind.SUPER:
            return text
        case Kind.TIMESTAMPTZ:
            return f"try_cast({_with_zone(text)} as TIMESTAMPTZ)"
        case _:
            return f"try_cast({text} as {duckdb_type(kind)})"


def text_cell(name: str, kind: ColumnType, *, is_key: bool) -> "Cell":
    """Of a column of text."""
    text = quoted(name)
    found = [Fault(f"{text} is null", _IN_A_KEY)] if is_key else []
    reason = _reason([*found, *_faults(text, kind)])
    if (usual := _usual(text, kind)) is not None:
        reason = f"case when {usual} then null else {reason} end"
    return Cell(name, f"left({text}, 100)", typed(text, kind), reason)


def typed_cell(name: str, kind: ColumnType, *, is_key: bool) -> "Cell":
    """Of a column whose type is one that always fits, but for numbers that are none."""
    value = quoted(name)
    found = [Fault(f"{value} is null", _IN_A_KEY)] if is_key else []
    if kind.kind in (Kind.REAL, Kind.DOUBLE):
        found.append(Fault(f"not isfinite({value})", literal(f"is not {kind}")))
    return Cell(name, f"{value}::varchar", f"cast({value} as {duckdb_type(kind)})", _reason(found))


@dataclass(frozen=True)
class Cell:
    """A column of a relation, in SQL: what it shows, what it means, and what is wrong with it (NULL: nothing)."""

    name: str
    shown: str
    value: str
    reason: str


def _reason(found: list[Fault]) -> str:
    """The first fault counts."""
    cases = " ".join(f"when {one.condition} then {one.reason}" for one in found)
    return f"case {cases} end" if cases else "null::varchar"


def _usual(text: str, kind: ColumnType) -> str | None:
    """SQL that is true of text which is just how DuckDB writes the value: no fault, told at a third of the cost.

    The patterns leave out what it writes and no other database reads: infinity, years before 1 and beyond 9999.
    """
    written = f"try_cast({text} as {duckdb_type(kind)})::varchar = {text}"
    match kind.kind:
        case Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT | Kind.DECIMAL:
            return written
        case Kind.DATE:
            return f"{text} like '____-__-__' and {written}"
        case Kind.TIMESTAMP:
            return f"{text} like '____-__-__ __:__:__%' and {written}"
        case Kind.BOOLEAN:
            return f"{text} in ('true', 'false')"
    return None


def _faults(text: str, kind: ColumnType) -> Iterator[Fault]:
    value, no_such = typed(text, kind), literal(f"is not {kind}")
    beyond = literal(f"is beyond what {kind} holds")
    match kind.kind:
        case Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT:
            yield Fault(f"not {_is(text, _INTEGER)}", no_such)
            yield Fault(f"{text} is not null and {value} is null", beyond)
        case Kind.DECIMAL:
            scale = kind.scale or 0
            plain = rf"[+-]?([0-9]{{1,60}}(\.[0-9]{{0,{scale}}}0{{0,60}})?|\.[0-9]{{1,{max(scale, 1)}}}0{{0,60}})"
            yield Fault(f"not {_is(text, plain)}", no_such)
            yield Fault(f"{text} is not null and {value} is null", beyond)
        case Kind.REAL | Kind.DOUBLE:
            yield Fault(f"not {_is(text, _REAL)}", no_such)
            yield Fault(f"{text} is not null and ({value} is null or not isfinite({value}))", beyond)
            # Too small to be told from 0, which Postgres refuses.
            yield Fault(f"{value} = 0 and regexp_matches({text}, '^[^eE]*[1-9]')", beyond)
        case Kind.BOOLEAN:
            yield Fault(f"not {_is(f'lower({text})', f'{_TRUE}|{_FALSE}')}", no_such)
        case Kind.DATE:
            yield Fault(f"not {_is(text, _DATE)} or left({text}, 4) = '0000'", no_such)
            yield Fault(f"{text} is not null and {value} is null", no_such)
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            pattern = _MOMENT if kind.kind is Kind.TIMESTAMP else f"{_MOMENT}{_ZONE}?"
            yield Fault(f"not {_is(text, pattern)} or left({text}, 4) = '0000'", no_such)
            yield Fault(f"{text} is not null and {value} is null", no_such)
            if kind.kind is Kind.TIMESTAMPTZ:
                yield Fault(f"{value} not between {_FIRST} and {_LAST}", beyond)
        case Kind.SUPER:
            yield Fault(f"strlen({text}) > {MOST_JSON_BYTES}", literal(f"has more than {MOST_JSON_BYTES:,} bytes"))
            yield Fault(f"not json_valid({text})", literal("is no JSON"))
            yield Fault(rf"contains({text}, '\u0000')", literal("holds a NUL character, which no database takes"))
        case Kind.CHAR | Kind.VARCHAR:
            yield from _text_faults(text, kind)


def _text_faults(text: str, kind: ColumnType) -> Iterator[Fault]:
    yield Fault(
        f"strlen({text}) > {kind.length}", f"'has ' || strlen({text}) || {literal(f' bytes, more than {kind}')}"
    )
    yield Fault(f"contains({text}, chr(0))", literal("holds a NUL character, which no database takes"))
    if kind.kind is Kind.CHAR:
        yield Fault(
            f"strlen({text}) <> length({text})", literal("is not plain ASCII, as CHAR is on Redshift; use VARCHAR")
        )


def _is(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {literal(pattern)})"


def _with_zone(text: str) -> str:
    """A moment without an offset is in UTC."""
    return f"case when {_is(text, _MOMENT)} then {text} || 'Z' else {text} end"
