"""The sensor that keeps tables in step: asks for what is behind, once at a time, and never loops."""

from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.asked import FIRST_WAIT_SECONDS
from slice_platform.lake.ingest import ingest
from slice_platform_tests.components.tables import Database, Deployment, MadeOf, deployed
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, MONTHLY, ModelText, land, rows, trip
from slice_platform_tests.projections.copies import projected, projected_trips
from slice_platform_tests.samples import changed, drop

# A day with a trip of 100 or more is refused.
JUDGED = ModelText(
    DAILY.sql,
    changed(DAILY.defs, "start: 2013-01-01}", "start: 2013-01-01, end: 2013-02-01}")
    + "  checks:\n    - {name: short, metric: invalidValues, arguments: {properties: [distance], pattern: '\\d{1,2}'},"
    " mustBe: 0}\n",
)


@pytest.fixture
def daily(made_of: MadeOf) -> Deployment:
    return made_of({"daily": DAILY})


def test_nothing_that_ever_came_is_nothing_behind(made_of: MadeOf) -> None:
    assert made_of().tick() == []


def test_a_landed_file_is_one_request_however_many_partitions_it_has(daily: Deployment) -> None:
    land(daily.lake, "a.jsonl", *(trip(f"2013-01-{day:02}", f"t{day}") for day in range(1, 21)))
    (request,) = daily.requests()
    assert (request.job_name, request.tags["slice/why"]) == ("refresh_daily", "20 partitions behind")
    assert request.run_key is None  # else what comes back to a state that it had would never run again


def test_a_file_that_landed_and_was_not_published_asks_for_nothing(daily: Deployment) -> None:
    drop(daily.lake, "trips/a.jsonl", trip("2013-01-01", "a").encode())
    assert daily.tick() == []
    ingest(daily.lake, "trips")
    assert daily.tick() == ["daily"]


def test_what_was_built_is_not_asked_for_again(daily: Deployment) -> None:
    land(daily.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert daily.settle() == ["daily"]
    assert daily.tick(after=100_000) == []
    assert rows(daily.lake, "select day::varchar, trips from business.daily") == [("2013-01-01", 1)]


def test_a_run_in_flight_is_not_asked_for_again(daily: Deployment) -> None:
    land(daily.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert daily.tick() == ["daily"]
    run = daily.begun("refresh_daily")
    assert daily.tick(after=100_000) == []
    daily.instance.report_run_canceled(run)
    assert daily.tick(after=100_000) == ["daily"]


def test_a_change_while_a_run_is_in_flight_is_asked_for_after_it(daily: Deployment) -> None:
    land(daily.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert daily.tick() == ["daily"]
    assert daily.refresh("daily").success
    run = daily.begun("refresh_daily")  # it has looked, and has not ended
    land(daily.lake, "b.jsonl", trip("2013-01-01", "b"))
    assert daily.tick() == []
    daily.instance.report_run_canceled(run)
    assert daily.settle() == ["daily"]
    assert rows(daily.lake, "select trips from business.daily") == [(2,)]


def test_a_change_that_the_run_finds_when_it_begins_is_not_built_twice(daily: Deployment) -> None:
    land(daily.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert daily.tick() == ["daily"]
    land(daily.lake, "b.jsonl", trip("2013-01-02", "b"))
    assert daily.refresh("daily").success
    assert daily.settle() == []
    assert daily.materialized("business/daily") == {"2013-01-01", "2013-01-02"}


def test_ticks_that_were_missed_end_in_step(made_of: MadeOf) -> None:
    world = made_of()
    for number in range(4):
        land(world.lake, f"{number}.jsonl", trip("2013-01-01", f"t{number}"), trip(f"2013-02-0{number + 1}", "same"))
    world.settle()
    assert rows(world.lake, "select trips from business.daily order by day") == [(4,), (1,)]
    assert rows(world.lake, "select trips, days from business.monthly order by month") == [(4, 1), (1, 1)]
    assert rows(world.lake, "select trips from business.totals") == [(5,)]


def test_a_table_on_top_of_another_waits_and_follows(made_of: MadeOf) -> None:
    world = made_of({"daily": DAILY, "monthly": MONTHLY})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert world.tick() == ["daily"]
    world.refresh("daily")
    assert world.tick() == ["monthly"]
    world.refresh("monthly")
    assert world.tick() == []
    land(world.lake, "b.jsonl", trip("2013-01-02", "b"))
    assert world.settle() == ["daily", "monthly"]


def test_a_run_that_was_killed_is_asked_for_again(daily: Deployment) -> None:
    land(daily.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert daily.tick() == ["daily"]
    daily.instance.report_run_failed(daily.begun("refresh_daily"))
    assert daily.tick() == []
    assert daily.tick(after=FIRST_WAIT_SECONDS) == ["daily"]
    assert daily.refresh("daily").success and daily.tick() == []


def test_what_a_check_refuses_is_asked_for_ever_more_rarely(made_of: MadeOf) -> None:
    world = made_of({"daily": JUDGED})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a", 500))
    asked = []
    for second in range(0, 3600, 15):
        if world.tick(after=15) == ["daily"]:
            asked.append(second)
            assert world.refresh("daily").success
    assert len(asked) <= 8 and asked == sorted(asked)
    waits = [later - before for before, later in pairwise(asked)]
    assert waits == sorted(waits) and waits[-1] > 10 * FIRST_WAIT_SECONDS


def test_what_a_check_refuses_is_built_once_it_is_mended(made_of: MadeOf) -> None:
    world = made_of({"daily": JUDGED})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a", 500))
    world.tick()
    world.refresh("daily")
    land(world.lake, "a.jsonl", trip("2013-01-01", "a", 5))
    assert world.settle() == ["daily"]
    assert rows(world.lake, "select distance from business.daily") == [(5,)]


def test_a_partition_that_is_refused_keeps_no_other_and_no_copy_of_another_back(
    made_of: MadeOf, database: Database
) -> None:
    world = made_of({"daily": projected(JUDGED, "postgres")})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a", 500), trip("2013-01-02", "b", 5))
    assert world.tick() == ["daily"]
    assert world.refresh("daily").success
    assert database.rows("select day::text, distance from daily") == [("2013-01-02", 5)]
    land(world.lake, "b.jsonl", trip("2013-01-03", "c", 6))
    assert world.tick() == ["daily"]
    assert world.refresh("daily").success
    assert database.rows("select distance from daily order by 1") == [(5,), (6,)]


def test_a_dataset_that_is_projected_is_refreshed_without_being_built(made_of: MadeOf, database: Database) -> None:
    world = made_of({}, projected_trips("postgres"))
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"), trip("2013-01-02", "b"))
    assert world.settle() == ["trips"]
    assert database.rows("select id from trips order by 1") == [("a",), ("b",)]


def test_a_copy_that_could_not_be_brought_is_asked_for_again_though_its_table_is_built(
    made_of: MadeOf, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = made_of({"daily": projected(DAILY, "postgres")})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert world.tick() == ["daily"]
    with monkeypatch.context() as away:
        away.setenv("SLICE_POSTGRES_DATABASES", "other")
        assert not world.refresh("daily").success
    assert world.tick() == ["daily"]  # what is to do is another now: only the copy
    assert world.refresh("daily").success
    assert database.rows("select trips from daily") == [(1,)] and world.tick() == []


def test_what_is_behind_twice_in_a_day_is_asked_for_at_once(daily: Deployment) -> None:
    for number in range(3):
        land(daily.lake, f"{number}.jsonl", trip("2013-01-01", f"t{number}"))
        assert daily.settle() == ["daily"]


def test_a_file_that_changes_no_row_of_a_table_stops_there(made_of: MadeOf) -> None:
    world = made_of({"daily": DAILY, "monthly": MONTHLY})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"))
    world.settle()
    fare = trip("2013-01-01", "a").replace("1.5", "2.5")
    land(world.lake, "a.jsonl", fare)
    assert world.settle() == ["daily"]  # its rows are those it had, so that nothing above is behind


def test_a_model_that_is_written_anew_is_built_anew(
    make_lake: MakeLake, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = deployed(make_lake, tmp_path, instance, monkeypatch, {"daily": DAILY})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"), trip("2013-01-01", "b"))
    world.settle()
    twice = ModelText(changed(DAILY.sql, "count(*)", "2 * count(*)"), DAILY.defs)
    anew = deployed(make_lake, tmp_path, instance, monkeypatch, {"daily": twice})
    anew.cursor = world.cursor
    assert anew.settle() == ["daily"]
    assert rows(anew.lake, "select trips from business.daily") == [(4,)]
