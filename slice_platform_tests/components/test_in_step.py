"""Whether a database still has what it was given: the check on each page, and the job that looks every hour."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.cli.runs import why_failed
from slice_platform.components.in_step import COMPARE, latest
from slice_platform.components.lake_partitions import RANGE_END_TAG, RANGE_TAG
from slice_platform.lake.business.definition import MODEL
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.projections.projection import pick_projections
from slice_platform.records import BuiltPartition
from slice_platform_tests.components.tables import Database, Deployment, MadeOf, deployed, evaluations
from slice_platform_tests.components.watched import Watched
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, WHOLE, land, trip
from slice_platform_tests.projections.copies import projected
from slice_platform_tests.warehouse.worlds import DATABASE

DAYS = ("2013-01-01", "2013-01-02", "2013-01-03")


@pytest.fixture
def daily(made_of: MadeOf, database: Database) -> Deployment:
    """Three days, built and in the database."""
    world = made_of({"daily": projected(DAILY, "postgres"), "totals": projected(WHOLE, "postgres")})
    land(world.lake, "a.jsonl", *(trip(day, day, 7) for day in DAYS))
    world.settle()
    return world


def check(world: Deployment, *partitions: str) -> dg.ExecuteInProcessResult:
    """The asset check alone, as a click on its button runs it."""
    key = dg.AssetCheckKey(dg.AssetKey(["rds", "daily"]), "in_step")
    job = dg.define_asset_job("only_the_check", selection=dg.AssetSelection.checks(key))
    found = dg.Definitions.merge(world.definitions, dg.Definitions(jobs=[job])).resolve_job_def("only_the_check")
    tags = {RANGE_TAG: partitions[0], RANGE_END_TAG: partitions[-1]}
    if len(partitions) == 1:
        tags = {"dagster/partition": partitions[0]}
    return found.execute_in_process(instance=world.instance, tags=tags)


def test_the_check_of_a_partition_finds_what_somebody_changed_there(daily: Deployment, database: Database) -> None:
    database.rows(f"update daily set distance = 8 where day = '{DAYS[1]}'")
    assert evaluations(check(daily, DAYS[1]), "in_step") == {DAYS[1]: False}
    assert evaluations(check(daily, DAYS[0]), "in_step") == {DAYS[0]: True}


def test_the_check_of_a_range_tells_of_each_partition(daily: Deployment, database: Database) -> None:
    database.rows(f"delete from daily where day = '{DAYS[1]}'")
    done = check(daily, *DAYS)
    assert evaluations(done, "in_step") == {DAYS[0]: True, DAYS[1]: False, DAYS[2]: True, None: False}
    (one,) = [one for one in done.get_asset_check_evaluations() if one.partition == DAYS[1]]
    assert (one.metadata["rows_expected"].value, one.metadata["rows_in_database"].value) == (1, 0)


def test_the_job_tells_of_each_partition_and_how_to_repair_it(daily: Deployment, database: Database) -> None:
    database.rows(f"update daily set trips = 5 where day = '{DAYS[2]}'")
    done = daily.run(COMPARE)
    found = {(one.asset_key.path[-1], one.partition): one for one in done.get_asset_check_evaluations()}
    assert {key: one.passed for key, one in found.items()} == {
        ("daily", DAYS[0]): True, ("daily", DAYS[1]): True, ("daily", DAYS[2]): False, ("daily", None): True,
        ("totals", None): True,
    }  # fmt: skip
    failed = found["daily", DAYS[2]]
    assert failed.severity == dg.AssetCheckSeverity.ERROR
    assert f"slice project rds.daily --partitions {DAYS[2]}" in str(failed.description)
    assert done.success  # what it found is told by the checks; the comparison itself went well


def test_a_whole_table_is_repaired_by_a_command_without_partitions(daily: Deployment, database: Database) -> None:
    database.rows("update totals set trips = 5")
    (failed,) = [one for one in daily.run(COMPARE).get_asset_check_evaluations() if not one.passed]
    assert str(failed.description).endswith("slice project rds.totals")


def test_the_job_looks_at_the_latest_partitions_alone(
    daily: Deployment, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_IN_STEP_PARTITIONS", "2")
    found = {one.partition for one in daily.run(COMPARE).get_asset_check_evaluations()}
    assert found == {*DAYS[1:], None}
    (copy,) = pick_projections(daily.lake, "daily")
    assert latest(daily.lake, copy) == [*DAYS]


def test_a_copy_that_is_merely_behind_is_in_step(daily: Deployment) -> None:
    land(daily.lake, "b.jsonl", trip(DAYS[1], "b"))
    assert {one.passed for one in daily.run(COMPARE).get_asset_check_evaluations()} == {True}


def test_a_database_that_cannot_be_asked_fails_the_job_and_hides_no_other_copy(
    daily: Deployment, database: Database, make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_REDSHIFT_SCHEMAS", DATABASE)  # and nobody answers there
    models = {"daily": projected(DAILY, "redshift"), "totals": projected(WHOLE, "postgres")}
    world = deployed(make_lake, tmp_path, daily.instance, monkeypatch, models)
    (copy,) = pick_projections(world.lake, "daily")
    world.lake.ledger.book_built(copy.ledger_key, [BuiltPartition(DAYS[0], {MODEL: "another"})])  # it was there, once
    done = world.run(COMPARE)
    assert not done.success and "redshift shop.daily could not be compared" in why_failed(done)
    logs = world.instance.all_logs(done.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    told = [one.dagster_event.asset_check_evaluation_data.asset_key for one in logs if one.dagster_event]
    assert told == [dg.AssetKey(["rds", "totals"])]


def test_the_schedule_asks_once_something_was_projected_and_one_run_at_a_time(
    made_of: MadeOf, database: Database, tmp_path: Path
) -> None:
    world = made_of({"daily": projected(DAILY, "postgres")})
    schedule = world.definitions.resolve_schedule_def(f"{COMPARE}_schedule")

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:  # a schedule finds no ephemeral one

        def asks() -> bool:
            with dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime.now(UTC)) as context:
                return isinstance(schedule(context), dg.RunRequest)

        assert schedule.cron_schedule == "41 * * * *" and not asks()
        land(world.lake, "a.jsonl", trip(DAYS[0], "a"))
        world.settle()
        assert asks()
        instance.create_run_for_job(world.definitions.resolve_job_def(COMPARE), status=dg.DagsterRunStatus.STARTED)
        assert not asks()


def test_what_is_not_in_step_is_told_in_slack_and_that_it_is_good_again(daily: Deployment, database: Database) -> None:
    watched = Watched(daily.instance)
    watched.tick(daily.definitions)
    database.rows(f"update daily set trips = 5 where day = '{DAYS[2]}'")
    daily.run(COMPARE)
    watched.tick(daily.definitions)
    assert daily.materialize("rds/daily", DAYS[2]).success
    watched.tick(daily.definitions)
    with open_jarvis() as jarvis:
        told = jarvis.outbox.waiting("data-platform")
    assert [one.heading for one in told] == [
        "rds/daily: check in_step failed", "rds/daily: check in_step is good again",
    ]  # fmt: skip
    assert f"slice project rds.daily --partitions {DAYS[2]}" in told[0].message
