"""What text is a value of a type, as SQL for DuckDB: every cast behind a regular expression.

A value that passes means the same to Postgres, MySQL and Redshift. What one of them would round, cut or read otherwise
does not pass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.column_type import ColumnType, Kind

MOST_JSON_BYTES, MOST_JSON_DEPTH = 1_000_000, 31  # the latter of MariaDB
_INTEGER = "[+-]?[0-9]{1,40}"
_REAL = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_DATE = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_MOMENT = rf"{_DATE}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{{1,6}})?)?"
_ZONE = "(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
_TRUE, _FALSE = "true|t|yes|y|1", "false|f|no|n|0"
_IN_A_KEY = literal("is empty, and the column is part of the primary key")
_RANGES = {
    Kind.DATE: ("date '0001-01-01'", "date '9999-12-31'"),
    Kind.TIMESTAMP: ("timestamp '0001-01-01 00:00:00'", "timestamp '9999-12-31 23:59:59.999999'"),
    Kind.TIMESTAMPTZ: ("timestamptz '0001-01-01 00:00:00+00'", "timestamptz '9999-12-31 23:59:59.999999+00'"),
    # Of what is not 0. Smaller numbers Redshift may refuse or bend; the largest REAL, as it is written, is beyond REAL
    # to MySQL.
    Kind.REAL: ("'1.1754944e-38'::float", "'3.4028233e38'::float"),
    Kind.DOUBLE: ("'2.2250738585072014e-308'::double", "'1.7976931348623157e308'::double"),
}
_JSON_STRING = r'"(?:\\.|[^"\\])*"'
_JSON_LARGE = r"[0-9.]+[eE][+-]?[0-9]+|[0-9.]{309,}"  # a number that may be beyond DOUBLE PRECISION
_JSON_NESTED = reduce(lambda inner, _: rf"(?:\[{inner}\])*", range(MOST_JSON_DEPTH), "")
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


def written_double(value: str) -> str:
    """SQL of the text of a DOUBLE. The cast of DuckDB 2.0 gets some powers of two wrong, as 2**91: it is read back."""
    usual = f"{value}::varchar"
    return f"case when try_cast({usual} as double) = {value} then {usual} else printf('%.17g', {value}) end"


def text_cell(name: str, kind: ColumnType, *, is_key: bool) -> "Cell":
    """Of a column of text."""
    text = quoted(name)
    found = [Fault(f"{text} is null", _IN_A_KEY)] if is_key else []
    reason = _reason([*found, *_faults(text, kind)])
    if (usual := _usual(text, kind)) is not None:
        reason = f"case when {usual} then null else {reason} end"
    value = typed(text, kind)
    is_text = kind.kind in (Kind.CHAR, Kind.VARCHAR)
    return Cell(name, f"left({text}, 100)", value, reason, f"rtrim({value}, ' ')" if is_text else value)


def typed_cell(name: str, kind: ColumnType, *, is_key: bool) -> "Cell":
    """Of a column whose type is one that fits, but for numbers that are none and what is out of range."""
    value = quoted(name)
    found = [Fault(f"{value} is null", _IN_A_KEY)] if is_key else []
    if kind.kind in (Kind.REAL, Kind.DOUBLE):
        found.append(Fault(f"not isfinite({value})", literal(f"is not {kind}")))
    typed_value = f"cast({value} as {duckdb_type(kind)})"
    return Cell(name, f"{value}::varchar", typed_value, _reason([*found, *_beyond(typed_value, kind)]), typed_value)


@dataclass(frozen=True)
class Cell:
    """A column of a relation, in SQL: what it shows, what it means, and what is wrong with it (NULL: nothing).

    `compared` is what tells it from others in a key: without blanks at the end, which Redshift passes over.
    """

    name: str
    shown: str
    value: str
    reason: str
    compared: str


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
        case Kind.REAL | Kind.DOUBLE:
            first, last = _RANGES[kind.kind]
            return f"abs({typed(text, kind)}) between {first} and {last} and {written}"
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
            # So pandas writes integers of a column that has NULL as well.
            whole = f"{literal(f'is not {kind}: write ')} || split_part({text}, '.', 1)"
            hint = literal("; pandas does so with astype('Int64')")
            yield Fault(_is(text, rf"{_INTEGER}\.0{{1,40}}"), f"{whole} || {hint}")
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
            yield from _beyond(value, kind)
        case Kind.BOOLEAN:
            yield Fault(f"not {_is(f'lower({text})', f'{_TRUE}|{_FALSE}')}", no_such)
        case Kind.DATE:
            yield Fault(f"not {_is(text, _DATE)} or left({text}, 4) = '0000'", no_such)
            yield Fault(f"{text} is not null and {value} is null", no_such)
        case Kind.TIMESTAMP | Kind.TIMESTAMPTZ:
            pattern = _MOMENT if kind.kind is Kind.TIMESTAMP else f"{_MOMENT}{_ZONE}?"
            yield Fault(f"not {_is(text, pattern)} or left({text}, 4) = '0000'", no_such)
            yield Fault(f"{text} is not null and {value} is null", no_such)
            yield from _beyond(value, kind)
        case Kind.SUPER:
            yield from _json_faults(text)
        case Kind.CHAR | Kind.VARCHAR:
            yield from _text_faults(text, kind)


def _beyond(value: str, kind: ColumnType) -> Iterator[Fault]:
    """What is a value, and not one to each of the databases."""
    if kind.kind not in _RANGES:
        return
    first, last = _RANGES[kind.kind]
    size = f"{value} <> 0 and abs({value})" if kind.kind in (Kind.REAL, Kind.DOUBLE) else value
    yield Fault(f"{size} not between {first} and {last}", literal(f"is beyond what {kind} holds"))


def _json_faults(text: str) -> Iterator[Fault]:
    yield Fault(f"strlen({text}) > {MOST_JSON_BYTES}", literal(f"has more than {MOST_JSON_BYTES:,} bytes"))
    yield Fault(f"not json_valid({text})", literal("is no JSON"))
    yield Fault(rf"contains({text}, '\u0000')", literal("holds a NUL character, which no database takes"))
    # Few documents come to what is costly: to be looked at without their strings.
    bare = f"regexp_replace({text}, {literal(_JSON_STRING)}, '', 'g')"
    opened = f"strlen({text}) - strlen(replace(replace({text}, '[', ''), '{{', ''))"
    brackets = rf"translate(regexp_replace({bare}, '[^\[\]{{}}]+', '', 'g'), '{{}}', '[]')"
    too_deep = f"{opened} > {MOST_JSON_DEPTH} and not {_is(brackets, _JSON_NESTED)}"
    yield Fault(too_deep, literal(f"is nested more than {MOST_JSON_DEPTH} deep"))
    numbers = f"regexp_extract_all({bare}, {literal(_JSON_LARGE)})"
    too_large = f"len(list_filter({numbers}, lambda one: not isfinite(try_cast(one as double)))) > 0"
    may_be = f"regexp_matches({text}, {literal(_JSON_LARGE)})"
    yield Fault(f"{may_be} and {too_large}", literal("holds a number beyond what DOUBLE PRECISION holds"))


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
