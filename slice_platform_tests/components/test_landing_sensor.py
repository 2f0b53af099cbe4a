"""The sensor: asks for what is to do, once at a time, and never loops on what does not go away."""

import json
import time

import dagster as dg
import pytest

from slice_platform.components.asked import Asked
from slice_platform.components.lake_dataset import LakeDataset, ingest_job
from slice_platform.components.landing_sensor import STRAYS_JOB, landing_sensor
from slice_platform.lake.ingest import receive_pending
from slice_platform.lake.lake import Lake
from slice_platform_tests.samples import drop


@pytest.fixture
def sensor(lake: Lake) -> dg.SensorDefinition:
    return landing_sensor([ingest_job(lake.datasets["trips"])], tick_seconds=5)


def tick(sensor: dg.SensorDefinition, instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = sensor(context)
    return result if isinstance(result, dg.SensorResult) else dg.SensorResult(run_requests=[], cursor=cursor)


def jobs(result: dg.SensorResult) -> list[str | None]:
    return [request.job_name for request in result.run_requests or []]


def test_nothing_in_landing_asks_for_nothing(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> None:
    assert jobs(tick(sensor, instance)) == []


def test_many_files_of_a_dataset_are_one_request(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    for number in range(20):
        drop(lake, f"trips/deep/er/{number}.csv", b"id,started_at\n")
    assert jobs(tick(sensor, instance)) == ["ingest_trips"]


def test_a_file_that_is_still_being_written_waits(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "60")
    drop(lake, "trips/a.csv", b"id,star")
    assert jobs(tick(sensor, instance)) == []


def test_an_object_of_no_dataset_is_asked_to_be_set_aside(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trps/a.csv", b"id\n")
    assert jobs(tick(sensor, instance)) == [STRAYS_JOB]


def test_a_file_received_before_a_crash_is_asked_for_though_landing_is_empty(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", b"id,started_at\n")
    receive_pending(lake, "trips")
    assert jobs(tick(sensor, instance)) == ["ingest_trips"]


def test_a_run_in_flight_is_not_asked_for_again(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", b"id,started_at\n")
    definitions = dg.build_defs_for_component(LakeDataset(lake.datasets["trips"]))
    job = definitions.resolve_job_def("ingest_trips")
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert jobs(tick(sensor, instance)) == []
    instance.report_run_canceled(run)
    assert jobs(tick(sensor, instance)) == ["ingest_trips"]


def test_a_set_that_does_not_go_away_is_asked_for_ever_more_rarely(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", b"id,started_at\n")
    first = tick(sensor, instance)
    assert jobs(tick(sensor, instance, first.cursor)) == []
    asked = json.loads(str(first.cursor))["ingest_trips"]
    long_ago = json.dumps({"ingest_trips": {**asked, "at": time.time() - 40}})
    second = tick(sensor, instance, long_ago)
    assert jobs(second) == ["ingest_trips"] and json.loads(str(second.cursor))["ingest_trips"]["times"] == 2


def test_a_changed_set_is_asked_for_at_once(
    lake: Lake, sensor: dg.SensorDefinition, instance: dg.DagsterInstance
) -> None:
    drop(lake, "trips/a.csv", b"id,started_at\n")
    first = tick(sensor, instance)
    drop(lake, "trips/b.csv", b"id,started_at\n")
    assert jobs(tick(sensor, instance, first.cursor)) == ["ingest_trips"]


@pytest.mark.parametrize(("times", "wait"), [(1, 30), (2, 60), (3, 120), (20, 3600)])
def test_the_wait_doubles_up_to_an_hour(times: int, wait: int) -> None:
    asked = Asked("x", times, at=1000.0)
    assert not asked.is_due(1000.0 + wait - 1) and asked.is_due(1000.0 + wait)
