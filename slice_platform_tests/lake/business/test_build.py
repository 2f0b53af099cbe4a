"""Business tables made from curated ones: which partitions are built, when, and what stands in them."""

from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.business.behind import behind
from slice_platform.lake.business.build import build, refresh
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import LostRaceError, commit, load_table
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, MONTHLY, ModelText, built, land, rows, trip, write_models
from slice_platform_tests.samples import changed


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


# --- a definition that changes


def with_model(make_lake: MakeLake, home: Path, text: ModelText) -> Lake:
    """The lake again, with another `daily`."""
    write_models(home, {"daily": text})
    return make_lake(home=home)


def two_days(make_lake: MakeLake, home: Path) -> Lake:
    lake = with_model(make_lake, home, DAILY)
    land(lake, "a.jsonl", trip("2013-01-05", "a", 3), trip("2013-01-07", "b", 4))
    up_to_date(lake, "daily")
    return lake


def snapshots(lake: Lake) -> int:
    table = load_table(lake, lake.business["daily"])
    return len(table.metadata.snapshots) if table else 0


def test_a_model_that_changes_is_built_anew_in_every_partition(make_lake: MakeLake, tmp_path: Path) -> None:
    two_days(make_lake, tmp_path)
    other = ModelText(changed(DAILY.sql, "sum(distance)", "10 * sum(distance)"), DAILY.defs)
    lake = with_model(make_lake, tmp_path, other)

    assert up_to_date(lake, "daily") == ["2013-01-05", "2013-01-07"]
    assert rows(lake, "select distance from business.daily order by day") == [(30,), (40,)]
    assert up_to_date(lake, "daily") == []


def test_a_comment_in_the_model_publishes_nothing(make_lake: MakeLake, tmp_path: Path) -> None:
    before = snapshots(two_days(make_lake, tmp_path))
    lake = with_model(make_lake, tmp_path, ModelText(f"-- as agreed\n{DAILY.sql}", DAILY.defs))
    (done,) = refresh(lake, lake.business["daily"])
    assert [one.is_changed for one in done.partitions] == [False, False]
    assert snapshots(lake) == before
    assert up_to_date(lake, "daily") == []


@pytest.mark.parametrize("added", ["max(distance) as longest", "null::bigint as longest"])
def test_a_column_that_is_added_is_there_in_every_partition(make_lake: MakeLake, tmp_path: Path, added: str) -> None:
    two_days(make_lake, tmp_path)
    wider = ModelText(changed(DAILY.sql, "\nfrom", f", {added}\nfrom"), DAILY.defs)
    lake = with_model(make_lake, tmp_path, wider)
    assert up_to_date(lake, "daily") == ["2013-01-05", "2013-01-07"]
    assert rows(lake, "select longest from business.daily order by day") == (
        [(3,), (4,)] if "max" in added else [(None,), (None,)]
    )
    assert up_to_date(lake, "daily") == []


def test_a_column_that_is_added_may_come_partition_by_partition(make_lake: MakeLake, tmp_path: Path) -> None:
    two_days(make_lake, tmp_path)
    wider = ModelText(changed(DAILY.sql, "\nfrom", ", max(distance) as longest\nfrom"), DAILY.defs)
    lake = with_model(make_lake, tmp_path, wider)
    build(lake, lake.business["daily"], ["2013-01-07"])
    assert rows(lake, "select longest from business.daily order by day") == [(None,), (4,)]
    assert up_to_date(lake, "daily") == ["2013-01-05"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("count(*) as trips", "count(*)::varchar as trips"),
        ("count(*) as trips, ", ""),
        ("sum(distance)::bigint as distance", "sum(distance)::decimal(20, 2) as total"),
    ],
)
def test_columns_that_the_table_cannot_follow_are_made_anew_in_one_commit(
    make_lake: MakeLake, tmp_path: Path, old: str, new: str
) -> None:
    """Even where a single partition was asked for: no row of before can stay beside the new ones."""
    before = snapshots(two_days(make_lake, tmp_path))
    lake = with_model(make_lake, tmp_path, ModelText(changed(DAILY.sql, old, new).replace(", \n", "\n"), DAILY.defs))

    assert built(build(lake, lake.business["daily"], ["2013-01-07"])) == ["2013-01-05", "2013-01-07"]
    assert snapshots(lake) == before + 1
    assert rows(lake, "select count(*) from business.daily") == [(2,)]
    assert up_to_date(lake, "daily") == []


def test_where_all_is_made_anew_a_refusal_leaves_all_as_it_was(make_lake: MakeLake, tmp_path: Path) -> None:
    two_days(make_lake, tmp_path)
    defs = DAILY.defs + "  checks: [{name: few, metric: nullValues, arguments: {properties: [trips]}, mustBe: 0}]\n"
    sql = changed(DAILY.sql, "count(*) as trips", "case when max(distance) < 4 then 'x' end as trips")
    lake = with_model(make_lake, tmp_path, ModelText(sql, defs))
    (done,) = refresh(lake, lake.business["daily"])
    assert [one.key for one in done.refused] == ["2013-01-07"]
    assert rows(lake, "select trips from business.daily order by day") == [(1,), (1,)]


# --- refusals


def test_a_partition_that_is_refused_stays_as_it_was_and_keeps_no_other_back(
    make_lake: MakeLake, tmp_path: Path
) -> None:
    checked = DAILY.defs + "  checks: [{name: far, metric: rowCount, mustBeLessThan: 2}]\n"
    by_trip = ModelText("select id, started_at::date as day from curated.trips where started_at >= $partition_start "
                        "and started_at < $partition_end\n", changed(checked, "key: [day]", "key: [id]"))  # fmt: skip
    lake = with_model(make_lake, tmp_path, by_trip)
    land(lake, "a.jsonl", trip("2013-01-05", "a"))
    up_to_date(lake, "daily")
    land(lake, "b.jsonl", trip("2013-01-05", "b"), trip("2013-01-06", "c"))

    (done,) = refresh(lake, lake.business["daily"])
    assert [(one.key, one.refusal is None) for one in done.partitions] == [("2013-01-05", False), ("2013-01-06", True)]
    assert "far" in (done.refused[0].refusal or "")
    assert rows(lake, "select id from business.daily order by id") == [("a",), ("c",)]
    assert [one.partition_key for one in behind(lake, lake.business["daily"])] == ["2013-01-05"]


def test_what_reads_a_refused_partition_waits_and_the_rest_goes_on(make_lake: MakeLake, tmp_path: Path) -> None:
    checked = (
        DAILY.defs
        + "  checks: [{metric: invalidValues, arguments: {properties: [trips], validValues: [1]}, mustBe: 0}]\n"
    )
    write_models(tmp_path, {"daily": ModelText(DAILY.sql, checked), "monthly": MONTHLY})
    lake = make_lake()
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-05", "b"), trip("2013-02-05", "c"))
    up_to_date(lake, "daily")
    assert up_to_date(lake, "monthly") == ["2013-02"]


# --- commits


def test_a_commit_that_was_lost_is_planned_anew(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land(lake, "a.jsonl", trip("2013-01-05", "a"))
    times = list[int]()

    def lost_once(*args: object, **more: object) -> object:
        times.append(1)
        if len(times) == 1:
            raise LostRaceError("another writer")
        return commit(*args, **more)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr("slice_platform.lake.business.build.commit", lost_once)
    assert up_to_date(lake, "daily") == ["2013-01-05"]
    assert rows(lake, "select trips from business.daily") == [(1,)]


def test_a_commit_that_only_seemed_lost_is_told_as_done(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog may answer so where a retry of its client came second to itself."""
    land(lake, "a.jsonl", trip("2013-01-05", "a"))

    def seems_lost(*args: object, **more: object) -> object:
        commit(*args, **more)  # type: ignore[arg-type]  # as they came
        raise LostRaceError("another writer")

    monkeypatch.setattr("slice_platform.lake.business.build.commit", seems_lost)
    assert up_to_date(lake, "daily") == ["2013-01-05"]
    assert up_to_date(lake, "daily") == []
    assert rows(lake, "select trips from business.daily") == [(1,)]


def test_every_type_is_told_to_be_equal_to_itself(make_lake: MakeLake, tmp_path: Path) -> None:
    """Else each refresh would publish such a table again, and open all that reads it."""
    values = (
        "id, distance, fare, fare::double as d, 'nan'::double as nan, started_at::date as day, started_at, "
        "started_at::timestamp as local, time '12:30:00.5' as clock, true as yes, null::bigint as nothing, "
        "{'a': 1, 'b': [id]} as item, [{'x': fare}] as items, sum(fare) over () as total"
    )
    text = ModelText(
        f"select {values} from curated.trips where started_at >= $partition_start and started_at < $partition_end\n",
        changed(DAILY.defs, "key: [day]", "key: [id]"),
    )
    lake = with_model(make_lake, tmp_path, text)
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-05", "b"))
    up_to_date(lake, "daily")
    (again,) = build(lake, lake.business["daily"], ["2013-01-05"])
    assert [(one.rows, one.is_changed) for one in again.partitions] == [(2, False)]


def test_a_table_that_is_divided_by_another_type_is_refused_and_names_the_place(
    make_lake: MakeLake, tmp_path: Path
) -> None:
    write_models(tmp_path, {"daily": DAILY})
    lake = make_lake()
    land(lake, "a.jsonl", trip("2013-01-05", "a"))
    up_to_date(lake, "daily")
    other = changed(DAILY.sql, "started_at::date as day", "date_trunc('day', started_at) as day")
    write_models(tmp_path, {"daily": ModelText(other, DAILY.defs)})
    with pytest.raises(
        ContractError, match=r"business\.daily cannot follow.*\n.*daily/defs\.yaml:4: .*divided by 'day'"
    ):
        up_to_date(make_lake(), "daily")
    assert rows(lake, "select day::varchar, trips from business.daily") == [("2013-01-05", 1)]
