from datetime import UTC, date, datetime

import duckdb
import pytest
from pyiceberg.transforms import DayTransform, HourTransform, MonthTransform, Transform, YearTransform
from pyiceberg.types import TimestamptzType

from slice_platform.lake.partitions import WHOLE_TABLE, Grain, PartitionBy, key_of_iceberg_value
from slice_platform.lake.types import LogicalType

START = datetime(2013, 1, 1, tzinfo=UTC)
MOMENT = datetime(2013, 3, 31, 1, 59, 59, tzinfo=UTC)
CASES: list[tuple[Grain, str, Transform[int, int]]] = [
    ("hour", "2013-03-31-01:00", HourTransform()),
    ("day", "2013-03-31", DayTransform()),
    ("month", "2013-03", MonthTransform()),
    ("year", "2013", YearTransform()),
]


def by(grain: Grain) -> PartitionBy:
    return PartitionBy("at", grain, START, LogicalType("timestamp", has_zone=True))


@pytest.mark.parametrize(("grain", "key", "transform"), CASES)
def test_sql_and_iceberg_name_a_partition_alike(grain: Grain, key: str, transform: Transform[int, int]) -> None:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        rows = connection.execute(f"select {by(grain).key_sql} from (select timestamptz '{MOMENT.isoformat()}' as at)")
        assert rows.fetchall() == [(key,)]
    ordinal = transform.transform(TimestamptzType())(int(MOMENT.timestamp()) * 1_000_000)
    assert key_of_iceberg_value(by(grain), ordinal) == key


@pytest.mark.parametrize("grain", ["hour", "day", "month", "year"])
def test_every_moment_around_the_epoch_has_one_key(grain: Grain) -> None:
    before = {"hour": "1969-12-31-23:00", "day": "1969-12-31", "month": "1969-12", "year": "1969"}
    assert key_of_iceberg_value(by(grain), -1) == before[grain]


def test_a_day_may_come_as_a_date() -> None:
    assert key_of_iceberg_value(by("day"), date(2013, 3, 31)) == "2013-03-31"


def test_a_table_that_is_not_divided_has_one_key() -> None:
    assert key_of_iceberg_value(None, None) == WHOLE_TABLE
    assert key_of_iceberg_value(by("day"), None) == WHOLE_TABLE


def test_the_first_partition_has_a_key() -> None:
    assert by("month").key_of(START) == "2013-01"
