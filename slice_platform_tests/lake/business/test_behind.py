"""Which partitions of a business table are behind, as files come, leave and are corrected: those that read them."""

from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.business.behind import behind
from slice_platform.lake.business.build import refresh
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import commit, ensure_table
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import (
    DAILY,
    MODELS,
    MONTHLY,
    ModelText,
    built,
    land,
    rows,
    trip,
    write_models,
)
from slice_platform_tests.samples import TRIPS, DatasetText, changed

HOURS = DatasetText(TRIPS.contract, changed(TRIPS.defs, "grain: day", "grain: hour"))
YEARLY = ModelText(
    sql="""\
select date_trunc('year', month)::date as year, sum(trips)::bigint as trips
from business.monthly
where month >= $partition_start and month < $partition_end
group by all
""",
    defs=changed(
        changed(MONTHLY.defs, "{column: month, grain: month", "{column: year, grain: year"), "[month]", "[year]"
    ),
)
UNTIL = changed(DAILY.defs, "start: 2013-01-01}", "start: 2013-01-01, end: 2013-01-20}")
WEEKS = ModelText(
    sql="""\
select $partition_start::date as day, count(*) as trips
from curated.trips
where started_at >= $partition_start - interval 6 day and started_at < $partition_end
having count(*) > 0
""",
    defs=UNTIL,
)
SHARES = ModelText(
    sql="""\
select started_at::date as day, count(*) * 100 // (select count(*) from curated.trips) as share
from curated.trips
where started_at >= $partition_start and started_at < $partition_end
group by all
""",
    defs=UNTIL,
)


def late(lake: Lake, name: str) -> list[str]:
    return [one.partition_key for one in behind(lake, lake.business[name])]


def up_to_date(lake: Lake, name: str) -> list[str]:
    return built(refresh(lake, lake.business[name]))


def lake_with(make_lake: MakeLake, home: Path, trips: DatasetText = TRIPS, /, **models: ModelText) -> Lake:
    write_models(home, models)
    return make_lake({"trips": trips}, home=home)


def day(number: int) -> str:
    return f"2013-01-{number:02}"


# --- grains


def test_a_day_is_behind_once_one_of_its_hours_is(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, HOURS, daily=DAILY)
    land(lake, "a.jsonl", trip(day(5), "a"), trip(day(5), "b").replace("T12", "T23"), trip(day(7), "c"))
    assert [row.partition_key for row in lake.ledger.list_partitions("trips")] == [
        "2013-01-05-12:00", "2013-01-05-23:00", "2013-01-07-12:00",
    ]  # fmt: skip
    assert up_to_date(lake, "daily") == [day(5), day(7)]
    land(lake, "late.jsonl", trip(day(5), "late").replace("T12", "T00"))
    assert up_to_date(lake, "daily") == [day(5)]
    assert rows(lake, "select trips from business.daily order by day") == [(3,), (1,)]


def test_a_year_follows_its_months_and_they_their_days(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY, monthly=MONTHLY, yearly=YEARLY)
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2014-03-07", "b"))
    for name, keys in (
        ("daily", ["2013-01-05", "2014-03-07"]), ("monthly", ["2013-01", "2014-03"]), ("yearly", ["2013", "2014"]),
    ):  # fmt: skip
        assert up_to_date(lake, name) == keys
    land(lake, "late.jsonl", trip("2013-12-31", "late"))
    assert late(lake, "yearly") == []  # it waits for the month, and that for the day
    assert [up_to_date(lake, name) for name in ("daily", "monthly", "yearly")] == [
        ["2013-12-31"],
        ["2013-12"],
        ["2013"],
    ]
    assert rows(lake, "select year::varchar, trips from business.yearly order by 1") == [
        ("2013-01-01", 2),
        ("2014-01-01", 1),
    ]


def test_a_late_day_opens_all_seven_that_look_back_at_it(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, week=WEEKS)
    land(lake, "a.jsonl", trip(day(2), "a"), trip(day(18), "b"))
    assert up_to_date(lake, "week") == [*map(day, range(2, 9)), day(18), day(19)]
    land(lake, "late.jsonl", trip(day(4), "late"))
    assert up_to_date(lake, "week") == [day(number) for number in range(4, 11)]
    assert up_to_date(lake, "week") == []
    assert rows(lake, "select day(day), trips from business.week order by 1") == [
        (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 2), (8, 2), (9, 1), (10, 1), (18, 1), (19, 1),
    ]  # fmt: skip


def test_what_reads_all_of_an_input_is_opened_as_a_whole(make_lake: MakeLake, tmp_path: Path) -> None:
    """And only what has other rows then is published again."""
    lake = lake_with(make_lake, tmp_path, shares=SHARES)
    land(lake, "a.jsonl", trip(day(2), "a"), trip(day(18), "b"))
    every = up_to_date(lake, "shares")
    assert {day(2), day(18)} <= set(every)
    land(lake, "late.jsonl", trip(day(18), "late"), trip(day(18), "later"))
    (done,) = refresh(lake, lake.business["shares"])
    assert [one.key for one in done.partitions] == every
    assert [one.key for one in done.partitions if one.is_changed] == [day(2), day(18)]
    assert rows(lake, "select day(day), share from business.shares order by 1") == [(2, 25), (18, 75)]


def test_equal_rows_end_the_chain(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY, monthly=MONTHLY)
    land(lake, "a.jsonl", trip(day(5), "a", 3), trip(day(5), "b", 4))
    up_to_date(lake, "daily")
    up_to_date(lake, "monthly")
    land(lake, "a.jsonl", trip(day(5), "a", 4), trip(day(5), "b", 3))  # the sums stay
    assert up_to_date(lake, "daily") == [day(5)]
    assert late(lake, "monthly") == []


# --- what comes, goes and was never there


def test_a_partition_of_an_input_that_becomes_empty_is_built_once_more(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY, monthly=MONTHLY)
    land(lake, "a.jsonl", trip(day(5), "a"))
    up_to_date(lake, "daily")
    up_to_date(lake, "monthly")
    land(lake, "a.jsonl", trip("2013-02-05", "a"))

    assert up_to_date(lake, "daily") == [day(5), "2013-02-05"]
    assert up_to_date(lake, "monthly") == ["2013-01", "2013-02"]
    assert rows(lake, "select month::varchar from business.monthly") == [("2013-02-01",)]
    assert late(lake, "daily") == late(lake, "monthly") == []


def test_nothing_is_behind_where_there_is_no_data(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, **MODELS)
    assert [late(lake, name) for name in MODELS] == [[], [], []]
    assert up_to_date(lake, "daily") == []


def test_rows_before_the_start_and_after_the_end_are_of_no_partition(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=ModelText(DAILY.sql, changed(UNTIL, "2013-01-01", "2013-01-10")))
    land(lake, "a.jsonl", *(trip(day(number), str(number)) for number in (9, 10, 19, 20)))
    assert up_to_date(lake, "daily") == [day(10), day(19)]


def test_a_date_that_stands_for_never_keeps_nothing_back(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY)
    land(lake, "a.jsonl", trip(day(5), "a"), trip("9999-12-31", "never"))
    assert up_to_date(lake, "daily") == [day(5)]
    assert late(lake, "daily") == []


@pytest.mark.parametrize("grain", ["month", "hour", "none"])
def test_an_input_that_is_divided_otherwise_by_now_is_told(make_lake: MakeLake, tmp_path: Path, grain: str) -> None:
    """It would seem to have no rows, and the table would be emptied."""
    lake = lake_with(make_lake, tmp_path, daily=DAILY)
    land(lake, "a.jsonl", trip(day(5), "a"))
    up_to_date(lake, "daily")
    other = DatasetText(TRIPS.contract, changed(TRIPS.defs, "grain: day", f"grain: {grain}"))
    lake = lake_with(make_lake, tmp_path, other, daily=DAILY)
    says = rf"trips/defs\.yaml:\d+: attributes\.partition: divides curated\.trips otherwise .* '{day(5)}'\. Restore"
    with pytest.raises(ContractError, match=says):
        refresh(lake, lake.business["daily"])


def test_a_table_that_is_divided_otherwise_by_now_is_told(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY)
    land(lake, "a.jsonl", trip(day(5), "a"))
    up_to_date(lake, "daily")
    lake = lake_with(make_lake, tmp_path, daily=ModelText(DAILY.sql, changed(DAILY.defs, "grain: day", "grain: month")))
    with pytest.raises(ContractError, match=r"daily/defs\.yaml:4: .*divides business\.daily otherwise"):
        behind(lake, lake.business["daily"])


# --- never twice, never missed


def test_a_file_that_lands_between_versions_and_snapshot_is_built_once_more(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY)
    land(lake, "a.jsonl", trip(day(5), "a"))

    def meanwhile(*args: object, **more: object) -> object:
        monkeypatch.undo()
        land(lake, "b.jsonl", trip(day(5), "b"))
        return ensure_table(*args, **more)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr("slice_platform.lake.business.build.ensure_table", meanwhile)
    assert up_to_date(lake, "daily") == [day(5)]
    (again,) = refresh(lake, lake.business["daily"])
    assert [(one.key, one.is_changed) for one in again.partitions] == [(day(5), False)]  # it had read the newer one
    assert up_to_date(lake, "daily") == []
    assert rows(lake, "select trips from business.daily") == [(2,)]


def test_a_file_that_lands_before_the_commit_is_built_once_more(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY)
    land(lake, "a.jsonl", trip(day(5), "a"))

    def meanwhile(*args: object, **more: object) -> object:
        monkeypatch.undo()
        land(lake, "b.jsonl", trip(day(5), "b"))
        return commit(*args, **more)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr("slice_platform.lake.business.build.commit", meanwhile)
    assert up_to_date(lake, "daily") == [day(5)]
    assert rows(lake, "select trips from business.daily") == [(1,)]
    assert up_to_date(lake, "daily") == [day(5)]
    assert up_to_date(lake, "daily") == []
    assert rows(lake, "select trips from business.daily") == [(2,)]


def test_changes_whose_refreshes_were_missed_are_made_good_by_one(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = lake_with(make_lake, tmp_path, daily=DAILY)
    for number in range(1, 5):
        land(lake, f"{number}.jsonl", trip(day(number % 2 + 1), str(number)))
    (done,) = refresh(lake, lake.business["daily"])
    assert [(one.key, one.rows) for one in done.partitions] == [(day(1), 1), (day(2), 1)]
    assert rows(lake, "select trips from business.daily") == [(2,), (2,)]
