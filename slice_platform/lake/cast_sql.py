"""From text to typed values in DuckDB SQL, every cast behind a regular expression.

Engines disagree on what casts (`'2026'` as a timestamp, `'1.5'` as an integer, `'now'`), so a value is
cast only where a pattern of ours accepts it; what the pattern refuses is a reject, in every engine alike.
"""

import re
from collections.abc import Iterator
from itertools import count

from slice_platform.lake.contract import Column
from slice_platform.lake.types import Field, LogicalType, duckdb_type, typed_literal
from slice_platform.sql_text import literal, quoted

_INTEGER = "[+-]?[0-9]{1,19}"
_DOUBLE = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_YEAR = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"  # 0001 to 9999: Python and most engines know no other
_DATE = f"{_YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_ZONE = "(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)"
# What each strptime directive may stand for; try_strptime itself takes 'infinity' for the year 1900.
_DIRECTIVES = {
    "%Y": _YEAR, "%m": "[0-9]{2}", "%d": "[0-9]{2}", "%H": "[0-9]{2}", "%I": "[0-9]{2}", "%M": "[0-9]{2}",
    "%S": "[0-9]{2}", "%-d": "[0-9]{1,2}", "%-m": "[0-9]{1,2}", "%-H": "[0-9]{1,2}", "%B": "[A-Za-z]+",
    "%b": "[A-Za-z]+", "%p": "[AaPp][Mm]", "%f": "[0-9]{1,6}", "%g": "[0-9]{1,3}", "%z": _ZONE, "%%": "%",
}  # fmt: skip
_FIRST, _LAST = "timestamptz '0001-01-01 00:00:00+00'", "timestamptz '9999-12-31 23:59:59.999999+00'"
_TRUE, _FALSE = "true|t|yes|y|1", "false|f|no|n|0"  # no IN list: DuckDB makes a join of each, minutes for 100 columns


def typed(logical: LogicalType, text: str) -> str:
    """SQL of the value that the SQL expression `text` spells, or NULL where it spells none.

    For objects and arrays `text` is a struct or list whose leaves are text, as `json_shape` makes it.
    """
    return _typed(logical, text, (f"v{n}" for n in count()))


def misfit(logical: LogicalType, text: str, value: str, doc: str, path: str) -> str:
    """SQL that is true where `text` says something that is not a value of the type.

    `doc` is the JSON a nested value was taken from, and `path` its place there: where from_json met another
    kind of value it left NULLs behind, and only the document still tells.
    """
    names = (f"m{n}" for n in count())
    found = [_bad_leaves(logical, text, value, names)]
    for suspect, where, expected in _suspects(logical, text, path, names):
        kinds = f"json_type({doc}, {literal(where)})"
        wrong = f"coalesce({kinds} not in ('NULL', '{expected}'), false)"
        if "[*]" in where:
            wrong = f"len(list_filter({kinds}, lambda k: k not in ('NULL', '{expected}'))) > 0"
        found.append(f"case when {suspect} then {wrong} else false end")
    return "(" + " or ".join(f"coalesce({one}, false)" for one in found) + ")"


def broken_rules(column: Column, value: str) -> list[tuple[str, str]]:
    """Conditions on a typed value that make its row a reject, each with its reason (both SQL)."""
    rules = column.rules
    found = []
    if column.type.has_zone:  # an offset may carry a value beyond what its own year says
        beyond = f"{value} not between {_FIRST} and {_LAST}"
        found.append((beyond, _says(value, "is not in the years 1 to 9999 of UTC")))
    for bound, operator, words in (
        (rules.minimum, "<", "is below the minimum"),
        (rules.maximum, ">", "is above the maximum"),
        (rules.exclusive_minimum, "<=", "is not above"),
        (rules.exclusive_maximum, ">=", "is not below"),
    ):
        if bound is not None:
            limit = typed_literal(column.type, bound)
            found.append((f"{value} {operator} {limit}", _says(value, f"{words} {bound}")))
    if rules.multiple_of is not None:
        found.append((f"{value} % {rules.multiple_of} <> 0", _says(value, f"is no multiple of {rules.multiple_of}")))
    if rules.min_length is not None:
        found.append((f"len({value}) < {rules.min_length}", _says(value, f"is shorter than {rules.min_length}")))
    if rules.max_length is not None:
        found.append((f"len({value}) > {rules.max_length}", _says(value, f"is longer than {rules.max_length}")))
    for pattern in rules.patterns:
        breaks = f"not regexp_full_match({value}::varchar, {literal(pattern)})"
        found.append((breaks, _says(value, f"does not match {pattern}")))
    if rules.allowed:
        allowed = ", ".join(typed_literal(column.type, one) for one in rules.allowed)
        found.append((f"{value} not in ({allowed})", _says(value, f"is not one of {', '.join(rules.allowed)}")))
    return found


def says_misfit(column: Column, text: str) -> str:
    """SQL of the reason for a value that does not fit its type."""
    if column.type.is_nested:
        return literal(f"does not fit {column.type}")
    return _says(text, f"is not {column.type}")


def _says(value: str, words: str) -> str:
    return f"'''' || left({value}::varchar, 100) || ''' ' || {literal(words)}"


def _typed(logical: LogicalType, text: str, names: Iterator[str]) -> str:
    match logical.kind:
        case "string":
            return text
        case "integer":
            return _guarded(text, _INTEGER, "BIGINT")
        case "number" if logical.precision is None:
            finite = f"isfinite(try_cast({text} as DOUBLE))"
            return f"case when regexp_full_match({text}, '{_DOUBLE}') and {finite} then try_cast({text} as DOUBLE) end"
        case "number":
            return _guarded(text, _decimal(logical.scale), duckdb_type(logical))
        case "boolean":
            true, false = (f"regexp_full_match(lower({text}), '{words}')" for words in (_TRUE, _FALSE))
            return f"case when {true} then true when {false} then false end"
        case "date" | "time" | "timestamp":
            return _temporal(logical, text)
        case "object":
            fields = ", ".join(
                f"{quoted(f.name)}: {_typed(f.type, _field(text, f.name), names)}" for f in logical.fields
            )
            return f"case when {text} is not null then {{{fields}}} end"
        case "array":
            assert logical.items is not None
            name = next(names)
            return f"list_transform({text}, lambda {name}: {_typed(logical.items, name, names)})"


def _bad_leaves(logical: LogicalType, text: str, value: str, names: Iterator[str]) -> str:
    """Whether some leaf has text but no value."""
    if logical.kind == "object":
        parts = (_bad_leaves(f.type, _field(text, f.name), _field(value, f.name), names) for f in logical.fields)
        return "(" + " or ".join(f"coalesce({part}, false)" for part in parts) + ")"
    if logical.kind == "array":
        assert logical.items is not None
        name = next(names)
        inner = _bad_leaves(logical.items, name, f"({_typed(logical.items, name, names)})", names)
        return f"len(list_filter({text}, lambda {name}: {inner})) > 0"
    if logical.kind == "string":
        return "false"
    return f"({text} is not null and {value} is null)"


def _suspects(logical: LogicalType, text: str, path: str, names: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """(condition, path, expected JSON kind) of the nested values that may be of another kind than expected."""
    if logical.kind == "object":
        empty = " and ".join(f"{_field(text, f.name)} is null" for f in logical.fields)
        yield f"({text} is not null and {empty})", path, "OBJECT"
        for f in logical.fields:
            yield from _suspects(f.type, _field(text, f.name), f"{path}.{_json_text(f.name)}", names)
    elif logical.kind == "array":
        assert logical.items is not None
        yield f"{text} is null", path, "ARRAY"
        name = next(names)
        for suspect, where, expected in _suspects(logical.items, name, f"{path}[*]", names):
            yield f"len(list_filter({text}, lambda {name}: {suspect})) > 0", where, expected


def json_shape(fields: list[tuple[str, LogicalType]]) -> str:
    """SQL literal that tells from_json the named fields, every leaf as text."""
    return literal(_shape(LogicalType("object", fields=tuple(Field(name, kind) for name, kind in fields))))


def value_shape(logical: LogicalType) -> str:
    """SQL literal that tells from_json one nested value, every leaf as text."""
    return literal(_shape(logical))


def text_type(logical: LogicalType) -> str:
    """The DuckDB type of a value whose leaves are all text."""
    if logical.kind == "object":
        return "STRUCT(" + ", ".join(f"{quoted(f.name)} {text_type(f.type)}" for f in logical.fields) + ")"
    if logical.kind == "array":
        assert logical.items is not None
        return f"{text_type(logical.items)}[]"
    return "VARCHAR"


def json_path(name: str) -> str:
    return f"$.{_json_text(name)}"


def _shape(logical: LogicalType) -> str:
    if logical.kind == "object":
        return "{" + ",".join(f"{_json_text(f.name)}:{_shape(f.type)}" for f in logical.fields) + "}"
    if logical.kind == "array":
        assert logical.items is not None
        return f"[{_shape(logical.items)}]"
    return '"VARCHAR"'


def _field(struct: str, name: str) -> str:
    return f"{struct}.{quoted(name)}"


def _json_text(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _decimal(scale: int) -> str:
    """Digits beyond the scale must be zeros: a cast would round them away without a word."""
    if scale == 0:
        return r"[+-]?[0-9]+(\.0*)?"
    return rf"[+-]?([0-9]+(\.[0-9]{{0,{scale}}}0*)?|\.[0-9]{{1,{scale}}}0*)"


def _temporal(logical: LogicalType, text: str) -> str:
    target = duckdb_type(logical)
    if logical.format is not None:
        pattern, spelled = literal(_format_pattern(logical.format)), literal(logical.format)
        offset = f"regexp_replace({text}, 'Z$', '+00')" if logical.format.endswith("%z") else text  # %z knows no Z
        parsed = f"case when regexp_full_match({text}, {pattern}) then try_strptime({offset}, {spelled}) end"
        zoned = logical.has_zone and "%z" not in logical.format
        return f"({parsed} at time zone {literal(logical.default_zone)})" if zoned else f"cast({parsed} as {target})"
    if logical.kind == "date":
        return _guarded(text, _DATE, target)
    if logical.kind == "time":
        return _guarded(text, _TIME, target)
    local = f"{_DATE}[T ]{_TIME}"
    if not logical.has_zone:
        return _guarded(text, local, target)
    if logical.default_zone in ("UTC", "Etc/UTC"):  # the session's zone
        return _guarded(text, f"{local}{_ZONE}?", target)
    unzoned = f"try_cast({text} as TIMESTAMP) at time zone {literal(logical.default_zone)}"
    return (
        f"case when regexp_full_match({text}, '{local}{_ZONE}') then try_cast({text} as {target}) "
        f"when regexp_full_match({text}, '{local}') then {unzoned} end"
    )


def _format_pattern(spelled: str) -> str:
    """The regular expression of what a strptime spelling describes."""
    parts = re.findall("%-?[A-Za-z%]|.", spelled, re.DOTALL)
    return "".join(_DIRECTIVES[part] if part.startswith("%") else re.escape(part) for part in parts)


def _guarded(text: str, pattern: str, target: str) -> str:
    return f"case when regexp_full_match({text}, '{pattern}') then try_cast({text} as {target}) end"
