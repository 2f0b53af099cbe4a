"""Business tables made from curated ones: which partitions are built, when, and what stands in them."""

from pathlib import Path

import pytest

from slice_platform.lake.business.behind import behind
from slice_platform.lake.business.build import build, refresh
from slice_platform.lake.lake import Lake
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import built, land, rows, trip, write_models


@pytest.fixture
def lake(make_lake: MakeLake, tmp_path: Path) -> Lake:
    write_models(tmp_path)
    return make_lake()


def up_to_date(lake: Lake, name: str) -> list[str]:
    return built(refresh(lake, lake.business[name]))


def test_a_table_is_made_of_the_partitions_that_its_inputs_have(lake: Lake) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a", 3), trip("2013-01-07", "b", 4), trip("2013-01-07", "c", 1))

    assert up_to_date(lake, "daily") == ["2013-01-05", "2013-01-07"]
    assert rows(lake, "select day::varchar, trips, distance from business.daily order by day") == [
        ("2013-01-05", 1, 3),
        ("2013-01-07", 2, 5),
    ]


def test_a_late_file_opens_its_own_partition_again_and_no_other(lake: Lake) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-07", "b"))
    up_to_date(lake, "daily")

    land(lake, "late.jsonl", trip("2013-01-05", "late"))

    assert up_to_date(lake, "daily") == ["2013-01-05"]
    assert up_to_date(lake, "daily") == []
    assert rows(lake, "select trips from business.daily order by day") == [(2,), (1,)]


def test_a_month_is_behind_once_one_of_its_days_was_built(lake: Lake) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-02-07", "b"))

    assert not behind(lake, lake.business["monthly"])  # its days are to be built first
    up_to_date(lake, "daily")
    assert up_to_date(lake, "monthly") == ["2013-01", "2013-02"]
    land(lake, "late.jsonl", trip("2013-02-09", "late"))
    up_to_date(lake, "daily")
    assert up_to_date(lake, "monthly") == ["2013-02"]
    assert rows(lake, "select trips, days from business.monthly order by month") == [(1, 1), (2, 2)]


def test_a_month_waits_while_one_of_its_days_is_behind(lake: Lake) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-02-07", "b"))
    up_to_date(lake, "daily")
    land(lake, "late.jsonl", trip("2013-02-09", "late"))

    assert up_to_date(lake, "monthly") == ["2013-01"]


def test_a_table_without_a_partition_is_made_whole(lake: Lake) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a", 3))
    assert up_to_date(lake, "totals") == ["all"]
    land(lake, "b.jsonl", trip("2013-06-05", "b", 9))
    assert up_to_date(lake, "totals") == ["all"]
    assert rows(lake, "select longest, trips from business.totals") == [(9, 2)]


def test_equal_rows_are_not_published_again(lake: Lake) -> None:
    """What is downstream has nothing to do then."""
    land(lake, "a.jsonl", trip("2013-01-05", "a", 3))
    up_to_date(lake, "daily")
    up_to_date(lake, "monthly")
    before = lake.ledger.list_partitions("business.daily")

    (again,) = build(lake, lake.business["daily"], ["2013-01-05"])

    assert [one.is_changed for one in again.partitions] == [False]
    assert lake.ledger.list_partitions("business.daily") == before
    assert not behind(lake, lake.business["monthly"])


def test_rows_that_left_the_input_leave_the_table(lake: Lake) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-06", "b"))
    up_to_date(lake, "daily")
    land(lake, "a.jsonl", trip("2013-01-06", "b"))  # the same name: the file is corrected

    assert "2013-01-05" in up_to_date(lake, "daily")
    assert rows(lake, "select day::varchar from business.daily") == [("2013-01-06",)]
