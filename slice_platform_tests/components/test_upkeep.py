"""Upkeep in Dagster: what a run reports, and when the schedule asks for one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.upkeep import POOL
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake
from slice_platform_tests.samples import drop

CURATED = dg.AssetKey(["curated", "trips"])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk: a schedule finds its instance by reference, which an ephemeral one does not have."""
    home = tmp_path / "dagster"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as made:
        yield made


def fill(lake: Lake, files: int) -> None:
    for number in range(files):
        drop(lake, f"trips/{number}.csv", f"id,started_at\na{number},2013-01-01T10:00:00Z\n".encode())
        ingest(lake, "trips")


def run(definitions: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return definitions.resolve_job_def("upkeep_trips").execute_in_process(instance=instance)


def tick(
    definitions: dg.Definitions, instance: dg.DagsterInstance, hours_from_now: float = 0
) -> dg.RunRequest | dg.SkipReason:
    at = datetime.now(UTC) + timedelta(hours=hours_from_now)
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=at) as context:
        schedule = definitions.resolve_schedule_def("upkeep_trips_schedule")
        answer = schedule(context)
    assert isinstance(answer, dg.RunRequest | dg.SkipReason)
    return answer


def test_a_run_shows_what_it_did_on_the_asset_without_materializing_it(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    fill(lake, 6)
    assert run(definitions, instance).success
    (record,) = instance.fetch_observations(CURATED, limit=5).records
    assert record.asset_observation
    told = {name: value.value for name, value in record.asset_observation.metadata.items()}
    assert (told["files_before"], told["files_after"], told["partitions_compacted"]) == (6, 1, 1)
    assert 0 < int(str(told["bytes_after"])) < int(str(told["bytes_before"]))
    assert instance.fetch_materializations(CURATED, limit=1).records == []


def test_a_table_is_asked_for_once_a_day(lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
    assert isinstance(tick(definitions, instance), dg.SkipReason)  # no table, no upkeep
    fill(lake, 1)
    asked = tick(definitions, instance)
    assert isinstance(asked, dg.RunRequest) and asked.tags["slice/why"] == "age"
    run(definitions, instance)
    assert isinstance(tick(definitions, instance, 1), dg.SkipReason)
    assert isinstance(tick(definitions, instance, 24), dg.RunRequest)


def test_many_small_files_are_asked_for_at_the_next_hour(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake, 1)
    run(definitions, instance)
    fill(lake, 6)
    monkeypatch.setenv("SLICE_UPKEEP_FILES", "5")
    asked = tick(definitions, instance, 1)
    assert isinstance(asked, dg.RunRequest) and asked.tags["slice/why"] == "small files"
    run(definitions, instance)
    assert isinstance(tick(definitions, instance, 1), dg.SkipReason)


def test_a_run_that_failed_is_asked_for_again(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(lake, 6)
    monkeypatch.setattr("slice_platform.components.upkeep.upkeep", lambda *_: 1 / 0)
    job = definitions.resolve_job_def("upkeep_trips")
    assert not job.execute_in_process(instance=instance, raise_on_error=False).success
    assert isinstance(tick(definitions, instance, 1), dg.RunRequest)


def test_nothing_is_asked_for_while_one_is_under_way(
    lake: Lake, definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    fill(lake, 1)
    instance.create_run_for_job(definitions.resolve_job_def("upkeep_trips"), status=dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(definitions, instance), dg.SkipReason)


def test_upkeep_runs_by_default_and_never_takes_the_pool_of_the_table(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("upkeep_trips_schedule")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    (node,) = definitions.resolve_job_def("upkeep_trips").nodes
    assert node.definition.pools == {POOL} != {"lake_trips"}
