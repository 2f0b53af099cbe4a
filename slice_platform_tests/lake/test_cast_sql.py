"""What counts as a value of each logical type: the values on which engines disagree, and wrong kinds at every depth."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache

import duckdb
import pytest

from slice_platform.lake.cast_sql import broken_rules, json_path, json_shape, misfit, typed
from slice_platform.lake.contract import Column
from slice_platform.lake.types import Field, LogicalType
from slice_platform.lake.value_rules import ValueRules
from slice_platform.sql_text import literal

INTEGER, STRING, NUMBER, BOOLEAN = (LogicalType(kind) for kind in ("integer", "string", "number", "boolean"))
MONEY, WHOLE = LogicalType("number", precision=10, scale=2), LogicalType("number", precision=5)
DATE, TIME, LOCAL = LogicalType("date"), LogicalType("time"), LogicalType("timestamp")
INSTANT = LogicalType("timestamp", has_zone=True)
BERLIN = LogicalType("timestamp", has_zone=True, default_zone="Europe/Berlin")
PAIR = LogicalType("object", fields=(Field("a", INTEGER), Field("b", STRING)))
NUMBERS = LogicalType("array", items=INTEGER)
PAIRS = LogicalType("array", items=PAIR)
GRID = LogicalType("array", items=NUMBERS)
ORDER = LogicalType("object", fields=(Field("n", INTEGER), Field("lines", PAIRS), Field("by", PAIR)))
ODD = LogicalType("object", fields=(Field('we"ird.key$[0]', INTEGER), Field("q'uote", STRING)))

# Spark reads some of these as a value, DuckDB others, Python others again.
IN_DISPUTE = (
    *("2026", "2026-03", "12:00:00", "now", "today", "epoch", "infinity", "-infinity", "inf", "nan", "NaN", "1e400"),
    *("1.5", "2.5", "1e3", "0x10", "0x1p3", "1_000", "1,000", "1 000", "1.0", "1.", ".5", "1d", "1f", "٣", "-0", "+5"),
    *("true", " true ", "TRUE", "T", "yes", "1", "0", "007", "", " ", " 1", "1 ", "1\n", "NULL", "null", "--1", "1e"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999"),
    *("123.456", "123.450", "99999999.99", "100000000.00"),
    *("2026-03-01", "2026-3-1", "2026-02-30", "0000-01-01", "9999-12-31", "10000-01-01"),
    *("2026-03-01 12:00", "2026-03-01T12:00:00", "2026-03-01T24:00:00", "T24:00", "24:00", "12:00", "12:00:00.5"),
    *("2026-03-01T12:00:60", "2026-03-01T12:00:00Z", "2026-03-01 12:00:00z", "2026-03-01T12:00:00+01"),
    *("2026-03-01T12:00:00+0130", "2026-03-01T12:00:00-14:00", "2026-03-01T12:00:00+99:99", "2026-03-01T12:00:00 UTC"),
    *("2026-03-01T12:00:00.123456789", "2026-03-01T23:59:59.9999999", "12345678901234567890.1", "2026-03-01\n"),
)


@cache
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'").fetchall()
    return connection


def cast_all(logical: LogicalType, texts: Iterable[str]) -> dict[str, tuple[object, bool]]:
    """The typed value of each text, and whether it is called a misfit."""
    source = "select unnest([" + ", ".join(literal(text) for text in texts) + "]) as t"
    values = f"select t, {typed(logical, 't')} as v from ({source})"
    rows = engine().execute(f"select t, v, {misfit(logical, 't', 'v', 'null::json', '$')} from ({values})").fetchall()
    return {text: (value, unfit) for text, value, unfit in rows}


def cast(logical: LogicalType, text: str) -> tuple[object, bool]:
    return cast_all(logical, [text])[text]


def cast_json(logical: LogicalType, document: str) -> tuple[object, bool]:
    """The same for the column `c` of a JSON line."""
    shape = json_shape([("c", logical)])
    line = f"select j, from_json(j, {shape}).c as t from (select {literal(document)}::json as j)"
    unfit = misfit(logical, "t", "v", "j", json_path("c"))
    (row,) = engine().execute(f"select v, {unfit} from (select *, {typed(logical, 't')} as v from ({line}))").fetchall()
    return row[0], row[1]


def at(hour: int, minute: int = 0, *, micro: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 3, day, hour, minute, 0, micro, tzinfo=UTC)


ACCEPTED: dict[LogicalType, dict[str, object]] = {
    INTEGER: {
        text: int(text) for text in ("2026", "1", "0", "007", "-0", "+5", "9223372036854775807", "-9223372036854775808")
    },
    MONEY: {
        text: Decimal(text)
        for text in ("2026", "1.5", "2.5", "1.0", "1.", ".5", "1", "0", "007", "-0", "+5", "123.450", "99999999.99")
    },
    WHOLE: {text: int(float(text)) for text in ("2026", "1.0", "1.", "1", "0", "007", "-0", "+5")},
    NUMBER: {
        text: float(text)
        for text in (
            *("2026", "1.5", "2.5", "1e3", "1.0", "1.", ".5", "1", "0", "007", "-0", "+5", "123.456", "123.450"),
            *("99999999.99", "100000000.00", "12345678901234567890.1", "99999999999999999999"),
            *("9223372036854775807", "9223372036854775808", "-9223372036854775808"),
        )
    },
    BOOLEAN: {"true": True, "TRUE": True, "T": True, "yes": True, "1": True, "0": False},
    DATE: {"2026-03-01": date(2026, 3, 1), "9999-12-31": date.max},
    TIME: {"12:00:00": time(12), "12:00": time(12), "12:00:00.5": time(12, microsecond=500_000)},
    LOCAL: {
        "2026-03-01 12:00": datetime(2026, 3, 1, 12),  # noqa: DTZ001  # without a zone is what is tested
        "2026-03-01T12:00:00": datetime(2026, 3, 1, 12),  # noqa: DTZ001
        "2026-03-01T12:00:00.123456789": datetime(2026, 3, 1, 12, microsecond=123456),  # noqa: DTZ001
        "2026-03-01T23:59:59.9999999": datetime(2026, 3, 1, 23, 59, 59, 999999),  # noqa: DTZ001  # never rounded up
    },
    INSTANT: {
        "2026-03-01 12:00": at(12),
        "2026-03-01T12:00:00": at(12),
        "2026-03-01T12:00:00Z": at(12),
        "2026-03-01T12:00:00+01": at(11),
        "2026-03-01T12:00:00+0130": at(10, 30),
        "2026-03-01T12:00:00-14:00": at(2, day=2),
        "2026-03-01T12:00:00.123456789": at(12, micro=123456),
        "2026-03-01T23:59:59.9999999": datetime(2026, 3, 1, 23, 59, 59, 999999, tzinfo=UTC),
    },
}


@pytest.mark.parametrize("logical", ACCEPTED, ids=str)
def test_of_all_disputed_texts_exactly_these_are_values(logical: LogicalType) -> None:
    found = cast_all(logical, IN_DISPUTE)
    assert {text: value for text, (value, _) in found.items() if value is not None} == ACCEPTED[logical]
    assert all(unfit == (value is None) for value, unfit in found.values())


def test_every_text_is_a_string_and_nothing_is_trimmed() -> None:
    assert cast_all(STRING, IN_DISPUTE) == {text: (text, False) for text in IN_DISPUTE}


@pytest.mark.parametrize("logical", [*ACCEPTED, STRING, BERLIN], ids=str)
def test_null_is_no_value_and_no_misfit(logical: LogicalType) -> None:
    assert cast_json(logical, '{"c": null}') == (None, False)
    assert cast_json(logical, "{}") == (None, False)


def test_a_time_without_zone_is_read_in_the_default_zone() -> None:
    assert cast(BERLIN, "2026-03-01 12:00") == (at(11), False)
    assert cast(BERLIN, "2026-03-01 12:00Z") == (at(12), False)
    assert cast(BERLIN, "2026-03-01 12:00+05:30") == (at(6, 30), False)


@pytest.mark.parametrize(
    ("logical", "format_", "text", "value"),
    [
        (DATE, "%d/%m/%Y", "02/03/2026", date(2026, 3, 2)),
        (DATE, "%-d.%-m.%Y", "2.3.2026", date(2026, 3, 2)),
        (DATE, "%-d %B %Y", "2 March 2026", date(2026, 3, 2)),
        (TIME, "%I:%M %p", "01:30 PM", time(13, 30)),
        (LOCAL, "%Y%m%d%H%M%S", "20260302133000", datetime(2026, 3, 2, 13, 30)),  # noqa: DTZ001  # it has no zone
        (INSTANT, "%Y-%m-%d %H:%M:%S.%g", "2026-03-01 12:00:00.123", at(12, micro=123_000)),
        (INSTANT, "%Y-%m-%dT%H:%M:%S%z", "2026-03-01T12:00:00+05:30", at(6, 30)),
        (INSTANT, "%Y-%m-%dT%H:%M:%S%z", "2026-03-01T12:00:00Z", at(12)),
        (BERLIN, "%Y-%m-%dT%H:%M:%S", "2026-03-01T12:00:00", at(11)),
        (BERLIN, "%Y-%m-%dT%H:%M:%S%z", "2026-03-01T12:00:00Z", at(12)),
    ],
)
def test_a_format_says_how_text_is_spelled(logical: LogicalType, format_: str, text: str, value: object) -> None:
    spelled = LogicalType(logical.kind, has_zone=logical.has_zone, default_zone=logical.default_zone, format=format_)
    assert cast(spelled, text) == (value, False)


@pytest.mark.parametrize(
    "text",
    ["infinity", "-infinity", "epoch", "now", "", " 02/03/2026", "2/3/2026", "30/02/2026", "02/03/26", "02/03/0000"],
)
def test_a_format_takes_nothing_else(text: str) -> None:
    assert cast(LogicalType("date", format="%d/%m/%Y"), text) == (None, True)


@pytest.mark.parametrize(
    ("logical", "value", "expected"),
    [
        (PAIR, {"a": 1}, {"a": 1, "b": None}),
        (PAIR, {"a": None, "b": None}, {"a": None, "b": None}),
        (PAIR, {}, {"a": None, "b": None}),
        (PAIR, {"a": 1, "beyond": [2]}, {"a": 1, "b": None}),
        (PAIR, {"a": "7", "b": {"kept": "as text"}}, {"a": 7, "b": '{"kept":"as text"}'}),
        (NUMBERS, [], []),
        (NUMBERS, [1, None, "2"], [1, None, 2]),
        (PAIRS, [{"a": 1}, None, {}], [{"a": 1, "b": None}, None, {"a": None, "b": None}]),
        (GRID, [[1], [], None, [None]], [[1], [], None, [None]]),
        (ORDER, {"n": 1, "lines": [{"a": 2}]}, {"n": 1, "lines": [{"a": 2, "b": None}], "by": None}),
        (ODD, {'we"ird.key$[0]': 1, "q'uote": "x"}, {'we"ird.key$[0]': 1, "q'uote": "x"}),
    ],
)
def test_nested_values_keep_their_nulls_and_gaps(logical: LogicalType, value: object, expected: object) -> None:
    assert cast_json(logical, json.dumps({"c": value})) == (expected, False)


WRONG: dict[LogicalType, list[object]] = {
    PAIR: [1, "x", True, [], [1], [{"a": 1}], {"a": "x"}, {"a": 1.5}, {"a": [1]}, {"a": {"z": 1}}],
    NUMBERS: [1, "x", False, {}, {"a": 1}, ["x"], [1, "x"], [1, [2]], [1, {"a": 2}], [1.5]],
    PAIRS: [
        *(1, "x", {}, {"a": 1}, [1], ["x"], [[]], [{"a": 1}, 5], [{"a": 1}, []]),
        *([{"a": "x"}], [{"a": [1]}], [[{"a": 1}]]),
    ],
    GRID: [1, {}, [1], [[1], 2], [[1], {"a": 1}], [["x"]], [[[1]]]],
    ORDER: [
        *("x", [1], {"lines": {"a": 1}}, {"lines": "x"}, {"n": 1, "lines": [1]}, {"n": 1, "lines": [{"a": "x"}]}),
        *({"by": 5}, {"by": [], "n": 1}, {"by": {"a": "x"}}, {"n": 1, "lines": [], "by": "x"}),
    ],
    ODD: [5, {'we"ird.key$[0]': "x"}],
}


@pytest.mark.parametrize(
    ("logical", "value"), [(logical, value) for logical, values in WRONG.items() for value in values]
)
def test_a_wrong_kind_at_any_depth_is_a_misfit(logical: LogicalType, value: object) -> None:
    _, unfit = cast_json(logical, json.dumps({"c": value}))
    assert unfit


@pytest.mark.parametrize(
    ("logical", "allowed", "good", "bad"),
    [
        (NUMBER, "1", ["1", "1.0", "1e0"], ["1.5"]),
        (MONEY, "1.5", ["1.5", "1.50"], ["1.51"]),
        (INTEGER, "7", ["7", "007", "+7"], ["70"]),
        (INSTANT, "2026-03-01T12:00:00+00:00", ["2026-03-01T13:00:00+01:00"], ["2026-03-01T13:00:00Z"]),
        (TIME, "12:00:00", ["12:00"], ["12:01"]),
        (STRING, "1", ["1"], ["1.0", "01"]),
    ],
)
def test_allowed_values_are_compared_as_what_they_are(
    logical: LogicalType, allowed: str, good: list[str], bad: list[str]
) -> None:
    """As text, 1.0 would not be 1, and its row was rejected."""
    column = Column("c", logical, False, False, None, ValueRules(allowed=(allowed,)), None, None)  # noqa: FBT003
    ((broken, _),) = [rule for rule in broken_rules(column, "v") if "not in" in rule[0]]
    source = f"select {typed(logical, 't')} as v from (select unnest([{', '.join(map(literal, good + bad))}]) as t)"
    found = engine().execute(f"select {broken} from ({source})").fetchall()
    assert [one for (one,) in found] == [False] * len(good) + [True] * len(bad)
