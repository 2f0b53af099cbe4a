"""The type of one leaf: the narrowest that the reader would take for every value of the sample.

A guess must not lose anything: digits whose spelling matters stay text, and so does a date that two formats read
differently.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import product

import duckdb

from slice_platform.engine import run
from slice_platform.lake.cast_sql import typed
from slice_platform.lake.sampling.names import is_code, is_date, is_money
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
    spelled,
)
from slice_platform.lake.sampling.shape import Shape
from slice_platform.lake.sampling.yaml_text import shown
from slice_platform.sql_text import literal

PROBE = 400
_DAY_FIRST, _MONTH_FIRST = "day first", "month first"
_DATES = {
    "yyyy/MM/dd": "", "yyyy.MM.dd": "", "dd.MM.yyyy": "", "d.M.yyyy": "", "dd-MMM-yyyy": "", "dd MMM yyyy": "",
    "d MMM yyyy": "", "dd/MMM/yyyy": "", "MMM d, yyyy": "", "MMMM d, yyyy": "",
    "MM/dd/yyyy": _MONTH_FIRST, "M/d/yyyy": _MONTH_FIRST, "MM-dd-yyyy": _MONTH_FIRST,
    "dd/MM/yyyy": _DAY_FIRST, "d/M/yyyy": _DAY_FIRST, "dd-MM-yyyy": _DAY_FIRST,
}  # fmt: skip
_CLOCKS = (
    " HH:mm:ss",
    " HH:mm",
    " H:mm",
    " HH:mm:ss.SSS",
    " HH:mm:ss.SSSSSS",
    " hh:mm:ss a",
    " hh:mm a",
    "'T'HH:mm:ss",
)
_MOMENTS = {f"{day}{clock}": order for (day, order), clock in product(_DATES.items(), _CLOCKS)} | {
    "yyyy-MM-dd hh:mm:ss a": "", "dd/MMM/yyyy:HH:mm:ss XX": "", "yyyyMMdd'T'HHmmss": "", "yyyy-MM-dd HH:mm:ss XX": "",
}  # fmt: skip
_ROUGH = {
    "yyyy": r"\d{4}", "MMMM": "[A-Za-z]+", "MMM": "[A-Za-z]+", "SSSSSS": r"\d{1,6}", "SSS": r"\d{1,3}",
    "XX": r"(Z|[+-]\d{2}:?\d{2})", "a": "[AaPp][Mm]",
    "MM": r"\d\d", "dd": r"\d\d", "HH": r"\d\d", "hh": r"\d\d", "mm": r"\d\d", "ss": r"\d\d",
    "M": r"\d{1,2}", "d": r"\d{1,2}", "H": r"\d{1,2}",
}  # fmt: skip
_WORD_PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
_MORE_DIGITS = "guess: more digits than a 64-bit integer has"
_PLAIN = r"[+-]?[0-9]+(\.[0-9]+)?"


@dataclass(frozen=True)
class LeafType:
    """What was concluded for one leaf, and what a person should know of it."""

    type: OdcsType
    notes: tuple[str, ...] = ()
    is_sure: bool = True  # False: the notes tell of something that a person should look at


@dataclass(frozen=True)
class Leaf:
    """The texts of one leaf; NULL is no text. `name` is the last step of its place."""

    connection: duckdb.DuckDBPyConnection
    name: str
    shape: Shape
    relation: str
    may_show: bool = True  # whether values may be quoted in a comment

    @property
    def empty_is_null(self) -> bool:
        return self.shape.hint == "text"

    def ask(self, what: str, *, but: str = "true") -> tuple:  # type: ignore[type-arg]  # columns vary by question
        nothing = " and t <> ''" if self.empty_is_null else ""
        return run(self.connection, f"select {what} from ({self.relation}) where t is not null{nothing} and {but}")[0]

    def probe(self) -> list[str]:
        nothing = " and t <> ''" if self.empty_is_null else ""
        found = (
            f"select distinct t from (select t from ({self.relation}) where t is not null{nothing} limit {PROBE * 5})"
        )
        return [text for (text,) in run(self.connection, f"{found} limit {PROBE}")]

    def fitting(self, values: list[str], types: list[OdcsType]) -> list[OdcsType]:
        """Those of the types that every one of the values fits."""
        fits = ", ".join(f"bool_and(({typed(one.logical, 't')}) is not null)" for one in types)
        rows = ", ".join(f"({literal(value)})" for value in values)
        found = run(self.connection, f"select {fits} from (values {rows}) as probed(t)")[0]
        return [one for one, does in zip(types, found, strict=True) if does]

    def fitting_some(self, values: list[str], types: list[OdcsType]) -> list[OdcsType]:
        """Those of the types that most of the values fit."""
        fits = ", ".join(f"count({typed(one.logical, 't')}) * 2 > count(*)" for one in types)
        rows = ", ".join(f"({literal(value)})" for value in values)
        found = run(self.connection, f"select {fits} from (values {rows}) as probed(t)")[0]
        return [one for one, does in zip(types, found, strict=True) if does]

    def misfits(self, one: OdcsType) -> tuple[int, str | None]:
        """How many values do not fit, and one of them."""
        count, example = self.ask("count(*), any_value(t)", but=f"({typed(one.logical, 't')}) is null")
        return int(count), example

    def quote(self, value: str | None) -> str:
        return shown(value or "") if self.may_show else "(not shown)"


def type_of(leaf: Leaf) -> LeafType:
    """The type of a leaf."""
    match leaf.shape.hint:
        case "known":
            return _known(leaf)
        case "opaque":
            return LeafType(STRING, (f"{leaf.shape.why}",))
    values = leaf.probe()
    if not values:
        return LeafType(STRING, ("no value in the sample: text until there is one",), is_sure=False)
    if leaf.shape.hint == "digits":
        return _digits(leaf)
    return _text(leaf, values)


def _known(leaf: Leaf) -> LeafType:
    """The format says the type; but pandas writes dates as midnights, and whole numbers with gaps as floats."""
    known = leaf.shape.known
    assert known is not None
    if known == TIMESTAMP:
        count, midnights = leaf.ask("count(*), count(*) filter (t like '% 00:00:00')")
        if count and count == midnights:
            return LeafType(DATE, ("guess: a date, every value is a midnight",))
    if known == NUMBER:
        count, whole = leaf.ask("count(*), count(*) filter (regexp_full_match(t, '-?[0-9]{1,15}\\.0'))")
        if count and count == whole:
            return LeafType(INTEGER, ("guess: whole numbers, stored as floats as pandas does where there are gaps",))
    return LeafType(known)


def _digits(leaf: Leaf) -> LeafType:
    if not leaf.misfits(INTEGER)[0]:
        return LeafType(INTEGER)
    (written_whole,) = leaf.ask("bool_and(regexp_full_match(t, '-?[0-9]{1,38}'))")
    if written_whole:
        return LeafType(decimal(38, 0), (_MORE_DIGITS,))
    left, _ = leaf.misfits(NUMBER)
    return LeafType(STRING, (f"numbers beyond a double: {left}",), is_sure=False) if left else LeafType(NUMBER)


def _text(leaf: Leaf, values: list[str]) -> LeafType:
    if leaf.shape.hint == "text" and is_date(leaf.name) and (found := _verified(leaf, [spelled("date", "yyyyMMdd")])):
        return LeafType(found, ("guess: eight digits are a date, by the name",))
    if boolean := _boolean(leaf, values):
        return boolean
    if not any(re.search(r"\d", value) for value in values):
        return LeafType(STRING)
    survivors = leaf.fitting(values, [NUMBER, DATE, TIMESTAMP, INSTANT, TIME])
    if NUMBER in survivors and (number := _number(leaf)) is not None:
        return number
    survivors = [one for one in survivors if one is not NUMBER]
    if found := _verified(leaf, survivors):
        return _zone_told(leaf, found)
    return _formatted(leaf, values) or _near_miss(leaf, values, survivors)


def _verified(leaf: Leaf, survivors: Iterable[OdcsType]) -> OdcsType | None:
    return next((one for one in survivors if not leaf.misfits(one)[0]), None)


def _boolean(leaf: Leaf, values: list[str]) -> LeafType | None:
    said = {value.lower() for value in values}
    for pair in _WORD_PAIRS:
        # A lone "N" may be north; true and false alone say what they are.
        if said == set(pair) or (said <= set(pair) and pair[0] in ("true", "false")):
            return LeafType(BOOLEAN) if not leaf.misfits(BOOLEAN)[0] else None
    return None


def _number(leaf: Leaf) -> LeafType | None:
    if leaf.misfits(NUMBER)[0]:
        return None
    padded, plus, plain, ints, scale, dotted, cents = leaf.ask(
        "count(*) filter (regexp_matches(t, '^[+-]?0[0-9]')), count(*) filter (t[1] = '+'), "
        f"bool_and(regexp_full_match(t, '{_PLAIN}')), "
        "max(len(regexp_extract(t, '^[+-]?0*([0-9]*)', 1))), max(len(regexp_extract(t, '\\.([0-9]*)$', 1))), "
        "count(*) filter (contains(t, '.')), count(*) filter (regexp_matches(t, '\\.[0-9]{2}$'))"
    )
    if padded:
        (example,) = leaf.ask("any_value(t)", but="regexp_matches(t, '^[+-]?0[0-9]')")
        return LeafType(STRING, (f"guess: text, because of leading zeros such as {leaf.quote(example)}",))
    if plus or not scale:
        return _whole(leaf, ints, signed=bool(plus))
    fits = plain and ints + scale <= 38
    if leaf.shape.hint == "words" and fits:
        return LeafType(_money(ints, scale), ("guess: an exact decimal, as it is written as a string",))
    if fits and scale <= 4 and (is_money(leaf.name) or (scale == 2 and dotted == cents)):
        return LeafType(
            _money(ints, scale), (f"guess: an exact decimal; more than {max(scale, 2)} decimals are rejected",)
        )
    return LeafType(NUMBER) if leaf.shape.hint == "text" else None


def _whole(leaf: Leaf, ints: int, *, signed: bool) -> LeafType:
    if leaf.shape.hint == "words":
        return LeafType(STRING, ("digits, but written as a string",))
    if is_code(leaf.name):
        return LeafType(STRING, ("guess: text, as the name says code, not quantity",))
    if signed:
        return LeafType(STRING, ("guess: text, because of a leading +",))
    if not leaf.misfits(INTEGER)[0]:
        if is_money(leaf.name):
            return LeafType(decimal(18, 2), ("guess: an exact decimal by the name; the sample has whole numbers only",))
        return LeafType(INTEGER, _moment_told(leaf, ints))
    if ints <= 38 and not leaf.misfits(decimal(38, 0))[0]:
        return LeafType(decimal(38, 0), (_MORE_DIGITS,))
    return LeafType(STRING, (f"digits, up to {ints} of them, which no number holds",), is_sure=False)


def _moment_told(leaf: Leaf, ints: int) -> tuple[str, ...]:
    if ints in (10, 13) and is_date(leaf.name):
        return (f"looks like {'seconds' if ints == 10 else 'milliseconds'} since 1970: kept as an integer",)
    return ()


def _money(ints: int, scale: int) -> OdcsType:
    scale = max(scale, 2)
    return decimal(18 if ints + scale <= 16 else 38, scale)


def _zone_told(leaf: Leaf, found: OdcsType) -> LeafType:
    if found is not INSTANT:
        return LeafType(found)
    (unzoned,) = leaf.ask("count(*)", but="not regexp_matches(t, '[T ].*(Z|[+-][0-9:]+)$')")
    notes = (f"guess: {unzoned:,} values without a zone are read as UTC (logicalTypeOptions.defaultTimezone)",)
    return LeafType(INSTANT, notes if unzoned else (), is_sure=not unzoned)


def _formatted(leaf: Leaf, values: list[str]) -> LeafType | None:
    """A date or timestamp in a spelling of its own; None where none, or more than one meaning, fits."""
    if not all(8 <= len(value) <= 40 and re.search(r"\d", value) for value in values):
        return None
    types: dict[OdcsType, tuple[str, str]] = {}
    types |= {spelled("date", one): ("date", one) for one in _DATES if _looks_like(one, values[0])}
    types |= {spelled("timestamp", one): ("timestamp", one) for one in _MOMENTS if _looks_like(one, values[0])}
    fitting = [one for one in leaf.fitting(values, list(types)) if not leaf.misfits(one)[0]] if types else []
    if not fitting:
        return None
    orders = {(_DATES | _MOMENTS)[types[one][1]] for one in fitting}
    kind, first = types[fitting[0]]
    if orders >= {_DAY_FIRST, _MONTH_FIRST}:
        both = " or ".join(
            types[next(f for f in fitting if (_DATES | _MOMENTS)[types[f][1]] == o)][1] for o in sorted(orders)
        )
        choice = f"a {kind} in the format {both}: every value fits both, so it is text until you say which"
        return LeafType(STRING, (choice,), is_sure=False)
    note = f"guess: {kind}s in the format {first}"
    return LeafType(fitting[0], (note if "X" in first or kind == "date" else f"{note}, without a zone",))


@cache
def _rough(jdk_format: str) -> re.Pattern[str]:
    """Which values may be of a format; the reader's own patterns decide, and cost more."""
    parts = re.findall(r"'[^']*'|yyyy|MMMM|MMM|SSSSSS|SSS|XX|MM|dd|HH|hh|mm|ss|.", jdk_format)
    return re.compile("".join(_ROUGH.get(part) or re.escape(part.strip("'")) for part in parts))


def _looks_like(jdk_format: str, value: str) -> bool:
    return _rough(jdk_format).fullmatch(value) is not None


def _near_miss(leaf: Leaf, values: list[str], survivors: list[OdcsType]) -> LeafType:
    """Text; and if nearly all of it is something narrower, that is told."""
    narrow = [DATE, INSTANT, TIME] if leaf.shape.hint == "words" else [INTEGER, NUMBER, DATE, INSTANT, TIME]
    (total,) = leaf.ask("count(*)")
    promising = leaf.fitting_some(values, narrow)
    for one in dict.fromkeys((*survivors, *promising)):
        count, example = leaf.misfits(one)
        if count <= total * 0.05 or (count == 1 and total >= 5):
            what = f"{count:,} of {total:,} values, such as {leaf.quote(example)}, are no {one.logical}"
            return LeafType(STRING, (f"text, because {what}",), is_sure=False)
    if leaf.shape.hint == "text" and all(re.fullmatch(r"[$€£]?[+-]?\d[\d.,' ]*\s?[%$€£]?", v) for v in values):
        return LeafType(
            STRING, (f"text: numbers spelled like {leaf.quote(values[0])} are not read as numbers",), is_sure=False
        )
    return LeafType(STRING)
