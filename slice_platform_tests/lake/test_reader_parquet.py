"""Parquet to rows: its types need not be the contract's, its values must fit them."""

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, fate_of, feed
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT

MONEY: dict[str, Any] = {"name": "m", "logicalType": "number", "logicalTypeOptions": {"precision": 10, "scale": 2}}
INSTANT: dict[str, Any] = {"name": "tz", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
PLAIN: list[dict[str, Any]] = [
    {"name": kind, "logicalType": kind} for kind in ("number", "boolean", "date", "time", "timestamp")
]


def parquet(columns: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.table(columns), target)
    return target.getvalue()


def test_values_of_every_type_are_read(make_lake: MakeLake) -> None:
    at = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    values = ("a", 1, Decimal("1.50"), at, 2.5, True, date(2026, 3, 1), time(12, 30), at.replace(tzinfo=None))
    columns: list[dict[str, Any]] = [ID, N, MONEY, INSTANT, *PLAIN]
    names = [str(column["name"]) for column in columns]
    content = parquet({name: [value, "b" if name == "id" else None] for name, value in zip(names, values, strict=True)})
    fate = fate_of(make_lake(feed(*columns)), "a.parquet", content)
    assert fate.rows == [values, ("b", *[None] * 8)]


def test_whole_numbers_stored_as_floats_are_integers(make_lake: MakeLake) -> None:
    fate = fate_of(make_lake(feed()), "a.parquet", parquet({"id": ["a", "b", "c", "d"], "n": [5.0, None, 5.5, 1e30]}))
    assert fate.rows == [("a", 5), ("b", None)]
    assert [reject[:3] for reject in fate.rejects] == [
        ("3", "n", "'5.5' is not integer"),
        ("4", "n", "'1000000000000000019884624838656' is not integer"),
    ]
    assert fate.rejects[0][3] == '{"id":"c","n":5.5}'


def test_text_and_other_numbers_are_cast_like_text(make_lake: MakeLake) -> None:
    columns = {"id": [1, 2, 3], "n": ["7", "x", None], "m": [1.25, 1.5, 1.255]}
    fate = fate_of(make_lake(feed(ID, N, MONEY)), "a.parquet", parquet(columns))
    assert fate.rows == [("1", 7, Decimal("1.25"))]
    assert [reject[:3] for reject in fate.rejects] == [
        ("2", "n", "'x' is not integer"),
        ("3", "m", "'1.255' is not number(10,2)"),
    ]


def test_an_instant_is_no_local_time(make_lake: MakeLake) -> None:
    local = {"name": "ts", "logicalType": "timestamp"}
    content = parquet({"id": ["a"], "ts": [datetime(2026, 3, 1, 12, tzinfo=UTC)]})
    fate = fate_of(make_lake(feed(ID, local)), "a.parquet", content)
    assert fate.rejects[0][:3] == ("1", "ts", "'2026-03-01 12:00:00+00' is not timestamp")


def test_structs_lists_and_json_texts_become_nested_values(make_lake: MakeLake) -> None:
    lake = make_lake(feed(ID, OBJECT, LIST))
    content = parquet({"id": ["a", "b"], "o": [{"b": "x", "a": 1}, None], "l": [[1, None], []]})
    assert fate_of(lake, "a.parquet", content).rows == [("a", {"a": 1, "b": "x"}, [1, None]), ("b", None, [])]
    fate = fate_of(lake, "b.parquet", parquet({"id": ["a", "b"], "o": ['{"a":1}', "5"], "l": ["[1]", None]}))
    assert fate.rows == [("a", {"a": 1, "b": None}, [1])]
    assert fate.rejects == [("2", "o", "does not fit object<a: integer, b: string>", '{"id":"b","o":"5","l":null}')]
    fate = fate_of(lake, "c.parquet", parquet({"id": ["a"], "o": [{"a": "x"}], "l": [5]}))
    assert [reject[:2] for reject in fate.rejects] == [("1", "o"), ("1", "l")]


def test_columns_may_be_missing_or_more(make_lake: MakeLake) -> None:
    lake = make_lake(feed())
    fate = fate_of(lake, "a.parquet", parquet({"more": [1], "id": ["a"]}))
    assert fate.rows == [("a", None)]
    assert fate_of(lake, "b.parquet", parquet({"id": pa.array([], pa.string())})).row.status is FileStatus.PUBLISHED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (parquet({"n": [1]}), "required columns are missing: id; the file has: n"),
        (parquet({"ID": ["a"]}), "'ID' is not 'id'"),
        (parquet({"id": ["a"]})[:-20], "the file cannot be read"),
        (b"id,n\na,1\n", "the file cannot be read"),
    ],
)
def test_what_cannot_be_used_is_set_aside(make_lake: MakeLake, content: bytes, reason: str) -> None:
    fate = fate_of(make_lake(feed()), "a.parquet", content)
    assert (fate.row.status, fate.rows) == (FileStatus.QUARANTINED, [])
    assert reason in str(fate.row.error)


def test_midnights_are_dates_and_other_times_of_day_are_not(make_lake: MakeLake) -> None:
    """As pandas writes a column of dates."""
    day: dict[str, Any] = {"name": "d", "logicalType": "date"}
    content = parquet({"id": ["a", "b"], "d": [datetime(2026, 3, 1), datetime(2026, 3, 1, 5)]})  # noqa: DTZ001  # no zone
    fate = fate_of(make_lake(feed(ID, day)), "a.parquet", content)
    assert fate.rows == [("a", date(2026, 3, 1))]
    assert [reject[:3] for reject in fate.rejects] == [("2", "d", "'2026-03-01 05:00:00' is not date")]
