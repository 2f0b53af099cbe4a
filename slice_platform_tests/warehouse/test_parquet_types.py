"""Parquet by type: on every destination each value arrives as it was sent, or its row is told."""

import csv
import io
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform_tests.warehouse.worlds import World

DAYS_TO_10000 = 2_932_897
MOMENT = datetime(2026, 1, 31, 10, 0, 0, 123456, UTC)
TOLD = "2026-01-31 10:00:00.123456"


def parquet(values: list[Any], kind: pa.DataType) -> bytes:
    """Rows of a number and one of the values."""
    held = pa.table({"id": pa.array(range(len(values)), pa.int64()), "value": pa.array(values, kind)})
    target = io.BytesIO()
    pq.write_table(held, target)
    return target.getvalue()


def told(value: Any) -> Any:
    """Dates and moments as text in UTC, whatever the driver makes of them."""
    return str(value).removesuffix("+00:00") if hasattr(value, "year") else value


CASES: dict[str, tuple[str, pa.DataType, list[Any], list[Any]]] = {
    "int8": ("SMALLINT", pa.int8(), [-128, None], [-128, None]),
    "int64 into INTEGER": ("INTEGER", pa.int64(), [2**31 - 1], [2**31 - 1]),
    "uint64": ("BIGINT", pa.uint64(), [2**63 - 1], [2**63 - 1]),
    "decimal128": ("DECIMAL(12,2)", pa.decimal128(12, 2), [Decimal("-9999999999.99")], [Decimal("-9999999999.99")]),
    "decimal of less": ("DECIMAL(38,10)", pa.decimal128(9, 3), [Decimal("1.500")], [Decimal("1.5000000000")]),
    "decimal of more": ("DECIMAL(5,2)", pa.decimal128(20, 6), [Decimal("1.250000")], [Decimal("1.25")]),
    "integers as DECIMAL": ("DECIMAL(5,2)", pa.int32(), [7], [Decimal("7.00")]),
    "float32": ("REAL", pa.float32(), [0.5, -1.5e30], [0.5, -1.5e30]),
    "float32 as DOUBLE": ("DOUBLE PRECISION", pa.float32(), [0.25], [0.25]),
    "float64": ("DOUBLE PRECISION", pa.float64(), [0.1, -1.5e300, None], [0.1, -1.5e300, None]),
    "bool": ("BOOLEAN", pa.bool_(), [True, False, None], [1, 0, None]),
    "date32": ("DATE", pa.date32(), [date(1, 1, 1), date(9999, 12, 31)], ["0001-01-01", "9999-12-31"]),
    "seconds": ("TIMESTAMP", pa.timestamp("s"), [MOMENT.replace(microsecond=0)], ["2026-01-31 10:00:00"]),
    "microseconds": ("TIMESTAMP", pa.timestamp("us"), [MOMENT, None], [TOLD, None]),
    "nanoseconds": ("TIMESTAMP", pa.timestamp("ns"), [MOMENT], [TOLD]),
    "a zone": ("TIMESTAMPTZ", pa.timestamp("us", "Europe/Berlin"), [MOMENT], [TOLD]),
    "a zone, nanoseconds": ("TIMESTAMPTZ", pa.timestamp("ns", "UTC"), [MOMENT], [TOLD]),
    "no zone": ("TIMESTAMPTZ", pa.timestamp("us"), [MOMENT], [TOLD]),
    "string": ("VARCHAR(20)", pa.string(), ["naïve 😀", "", 'a"b\n\\N', None], ["naïve 😀", "", 'a"b\n\\N', None]),
    "large string": ("CHAR(3)", pa.large_string(), ["abc"], ["abc"]),
    "dictionary": ("VARCHAR(5)", pa.dictionary(pa.int8(), pa.string()), ["a", "b", "a"], ["a", "b", "a"]),
    "int64 as text": ("VARCHAR(20)", pa.int64(), [-7], ["-7"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_values_of_every_type_arrive_as_they_were_sent(world: World, case: str) -> None:
    kind, held, sent, meant = CASES[case]
    world.create({"id": "INTEGER", "value": kind})
    world.drop(Task.LOAD, "rows.parquet", parquet(sent, held))
    outcomes = world.work_off()
    assert [type(one) for one in outcomes] == [Done, Done], outcomes
    assert [told(value) for (value,) in world.rows('select value from {}"people" order by id')] == meant


def test_structures_and_lists_go_into_super(world: World) -> None:
    held = pa.struct([("a", pa.list_(pa.int64())), ("b", pa.string())])
    world.create({"id": "INTEGER", "value": "SUPER"})
    world.drop(Task.LOAD, "rows.parquet", parquet([{"a": [1, 2], "b": None}, None], held))
    assert [type(one) for one in world.work_off()] == [Done, Done]
    assert world.rows('select count(*), count(value) from {}"people"') == [(2, 1)]


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize("is_late", [True, False])
def test_years_that_another_database_does_not_know_do_not_pass(world: World, kind: str, *, is_late: bool) -> None:
    held = {"DATE": pa.date32(), "TIMESTAMP": pa.timestamp("s"), "TIMESTAMPTZ": pa.timestamp("us", "UTC")}[kind]
    per_day = {"DATE": 1, "TIMESTAMP": 86_400, "TIMESTAMPTZ": 86_400 * 10**6}[kind]
    world.create({"id": "INTEGER", "value": kind})
    world.drop(Task.LOAD, "rows.parquet", parquet([0, per_day * (DAYS_TO_10000 if is_late else -719_163)], held))
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Failed), outcome
    assert str(outcome.refused).startswith("row 2, column value: ")
    assert str(outcome.refused).endswith(f"is beyond what {kind} holds")


@pytest.mark.parametrize(
    ("kind", "held", "value", "reason"),
    [
        ("REAL", pa.float32(), 3.4028235e38, "is beyond what REAL holds"),
        ("DOUBLE PRECISION", pa.float64(), float("nan"), "is not DOUBLE PRECISION"),
        ("INTEGER", pa.float64(), 1.5, "is not INTEGER"),
        ("TIMESTAMP", pa.timestamp("ns"), 1, "is not TIMESTAMP"),
        ("TIMESTAMPTZ", pa.timestamp("ns", "UTC"), 1, "is not TIMESTAMPTZ"),
        ("DECIMAL(5,2)", pa.decimal128(20, 6), Decimal("1.255000"), "is not DECIMAL(5,2)"),
        ("TIMESTAMP", pa.timestamp("us", "UTC"), MOMENT, "is not TIMESTAMP"),
        ("VARCHAR(3)", pa.string(), "éé", "has 4 bytes, more than VARCHAR(3)"),
        ("VARCHAR(3)", pa.binary(), b"abc", "is BLOB in the file, VARCHAR(3) in the table"),
    ],
)  # fmt: skip
def test_values_that_a_database_would_bend_do_not_pass(
    make_world: Callable[[str], World], kind: str, held: pa.DataType, value: Any, reason: str
) -> None:
    world = make_world("postgres")
    world.create({"id": "INTEGER", "value": kind})
    world.drop(Task.LOAD, "rows.parquet", parquet([value], held))
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Failed) and reason in str(outcome.refused), outcome


def test_parquet_may_be_packed_again(world: World) -> None:
    world.create({"id": "INTEGER", "value": "INTEGER"}, ["id"])
    world.drop(Task.UPSERT, "rows.parquet.gz", parquet([7], pa.int64()))
    assert [type(one) for one in world.work_off()] == [Done, Done]
    assert world.rows('select id, value from {}"people"') == [(0, 7)]


def test_bad_rows_are_listed_by_their_number(make_world: Callable[[str], World]) -> None:
    world = make_world("postgres")
    world.create({"id": "INTEGER", "value": "SMALLINT"})
    world.drop(Task.LOAD, "rows.parquet", parquet([1, *[70_000] * 30], pa.int64()))
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Failed)
    assert str(outcome.refused.findings[0]) == "row 2, column value: '70000' is beyond what SMALLINT holds"
    listed = (Path(world.home) / "propagator" / f"{outcome.kept_as}.errors.csv").read_text()
    rows = list(csv.reader(io.StringIO(listed)))
    assert rows[:2] == [
        ["line", "column", "value", "reason"],
        ["2", "value", "70000", "is beyond what SMALLINT holds (row 2, counted from 1)"],
    ]
    assert len(rows) == 31
