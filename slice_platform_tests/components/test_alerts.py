"""Failures of Dagster are in the outbox once each, and people hear when it is good again."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from slice_platform.components.alerts import alerts_sensor
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.outbox import Kept

BROKEN = {"is": 1}


@dg.asset(key=["curated", "trips"], group_name="curated", owners=["team:flights"])
def trips() -> None:
    if BROKEN["is"]:
        raise ValueError("password=hunter2 was refused by line 17")


@dg.op
def step() -> None:
    if BROKEN["is"]:
        raise ValueError("disk full on node 4711")


@dg.job
def nightly() -> None:
    step()


@dg.asset_check(asset=["curated", "trips"])
def rejects() -> dg.AssetCheckResult:
    rows = [dg.TableRecord({"file": "a.csv", "line": 17, "column": "n", "reason": "is not INTEGER"})]
    return dg.AssetCheckResult(
        passed=not BROKEN["is"],
        severity=dg.AssetCheckSeverity.WARN,
        description="1 of 20 rows was set aside",
        metadata={
            "rejected": 1,
            "first_rejects": dg.MetadataValue.table(rows),
            "all_rejects": "/quarantine/7/rejects.csv",
        },
    )


DEFS = dg.Definitions(assets=[trips], jobs=[nightly], asset_checks=[rejects], executor=dg.in_process_executor)


class Watched:
    """An instance that is looked at as the daemon does it."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor = instance, None

    def tick(self) -> None:
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=DEFS)
        alerts_sensor()(context)
        self.cursor = context.cursor  # type: ignore[assignment]  # it is set now

    def run(self, job: str | None = None, **options: Any) -> dg.ExecuteInProcessResult:
        found = DEFS.resolve_job_def(job or "__ASSET_JOB")
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **options)

    def said(self, channel: str = "data-platform") -> list[Kept]:
        with open_jarvis() as jarvis:
            return jarvis.outbox.waiting(channel)


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setitem(BROKEN, "is", 1)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Watched(instance)


def test_what_failed_before_the_first_look_is_not_told(watched: Watched) -> None:
    watched.run("nightly")
    watched.tick()
    watched.tick()
    assert watched.said() == []


def test_a_failed_run_is_told_once_with_error_and_link(watched: Watched) -> None:
    watched.tick()
    result = watched.run("nightly")
    watched.tick()
    watched.tick()
    (one,) = watched.said()
    assert one.heading == "nightly failed" and "disk full on node 4711" in one.message and "step" in one.message
    assert one.message.endswith(f"http://127.0.0.1:3000/runs/{result.run_id}")


def test_secrets_of_an_error_are_hidden(watched: Watched) -> None:
    watched.tick()
    watched.run(asset_selection=[dg.AssetKey(["curated", "trips"])])
    watched.tick()
    (one,) = watched.said()
    assert "hunter2" not in one.message and "password=[hidden]" in one.message


def test_four_hundred_runs_of_a_backfill_are_one_message(watched: Watched) -> None:
    watched.tick()
    for number in range(30):
        watched.run("nightly", tags={"dagster/backfill": "abc", "dagster/partition": f"2026-01-{number + 1:02}"})
    watched.tick()
    (one,) = watched.said()
    assert one.repeats == 29 and "backfill abc" in str(one.heading)


def test_a_run_that_dagster_starts_again_is_no_news(watched: Watched) -> None:
    watched.tick()
    watched.run("nightly", tags={"dagster/will_retry": "true"})
    watched.tick()
    assert watched.said() == []


def test_a_job_that_is_good_again_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.tick()
    watched.run("nightly")
    watched.tick()
    monkeypatch.setitem(BROKEN, "is", 0)
    watched.run("nightly")
    watched.tick()
    watched.tick()
    assert [one.heading for one in watched.said()] == ["nightly failed", "nightly is good again"]


def test_an_asset_that_is_good_again_is_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.tick()
    watched.run(asset_selection=[dg.AssetKey(["curated", "trips"])])
    watched.tick()
    monkeypatch.setitem(BROKEN, "is", 0)
    watched.run(asset_selection=[dg.AssetKey(["curated", "trips"])])
    watched.tick()
    assert [one.heading for one in watched.said()][-1] == "curated/trips is good again"


def test_an_asset_that_is_late_is_told_and_when_it_is_fresh_again(watched: Watched) -> None:
    watched.tick()
    for state in (FreshnessState.FAIL, FreshnessState.FAIL, FreshnessState.PASS):
        change = FreshnessStateChange(
            key=dg.AssetKey(["curated", "trips"]), previous_state=FreshnessState.UNKNOWN, new_state=state,
            state_change_timestamp=time.time(),
        )  # fmt: skip
        watched.instance._report_runless_asset_event(change)
        watched.tick()
    assert [one.heading for one in watched.said()] == ["curated/trips is late", "curated/trips is fresh again"]


def test_a_check_that_warns_is_told_with_counts_and_rows(watched: Watched) -> None:
    watched.tick()
    check = dg.AssetCheckKey(dg.AssetKey(["curated", "trips"]), "rejects")
    dg.materialize(
        [trips, rejects],
        selection=dg.AssetSelection.checks(check),
        instance=watched.instance,
        raise_on_error=False,
    )
    watched.tick()
    (one,) = watched.said()
    assert one.heading == "curated/trips: check rejects warns" and "rejected 1" in one.message
    assert "all rejected rows: /quarantine/7/rejects.csv" in one.message
    assert one.attachments[0].endswith("curated_trips_rejects.csv")
    assert "a.csv,17,n,is not INTEGER" in Path(one.attachments[0]).read_text()
