"""Assets, checks and jobs that fail on request, and an instance that is looked at as the daemon does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationPlanned
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from slice_platform.components.alerts import alerts_sensor
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.kept import Kept

TRIPS, FLAT = dg.AssetKey(["curated", "trips"]), dg.AssetKey(["flat"])
REJECTS = dg.AssetCheckKey(TRIPS, "rejects")
DAYS = tuple(f"2026-01-{day:02}" for day in range(1, 13))
BROKEN: dict[str, set[str]] = {"partitions": set()}  # "" is all
EVERYTHING = {"", *DAYS}


def _fail(partition: str | None, message: str) -> None:
    if BROKEN["partitions"] & {"", partition or ""}:
        raise ValueError(message)


@dg.asset(
    key=TRIPS, group_name="curated", owners=["team:flights"],
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36)),
)  # fmt: skip
def trips() -> None:
    _fail(None, "password=hunter2 was refused by line 17")


@dg.asset(key=["curated", "days"], partitions_def=dg.StaticPartitionsDefinition(list(DAYS)))
def days(context: dg.AssetExecutionContext) -> None:
    for partition in context.partition_keys:
        _fail(partition, f"{partition} is broken")


@dg.asset(key=FLAT)
def flat() -> None:
    _fail(None, "no")


@dg.op
def step(context: dg.OpExecutionContext) -> None:
    _fail(context.run.tags.get("dagster/partition"), "disk full on node 4711")


@dg.job
def nightly() -> None:
    step()


@dg.asset_check(asset=TRIPS)
def rejects() -> dg.AssetCheckResult:
    rows = [dg.TableRecord({"file": "a.csv", "line": 17, "column": "n", "reason": "is not INTEGER"})]
    return dg.AssetCheckResult(
        passed="" not in BROKEN["partitions"],
        severity=dg.AssetCheckSeverity.WARN,
        description="1 of 20 rows was set aside",
        metadata={
            "rejected": 1,
            "first_rejects": dg.MetadataValue.table(rows),
            "all_rejects": "/quarantine/7/rejects.csv",
        },
    )


@dg.asset_check(asset=TRIPS)
def stumbling() -> dg.AssetCheckResult:
    _fail(None, "the check itself stumbled")
    return dg.AssetCheckResult(passed=True)


DEFS = dg.Definitions(
    assets=[trips, days, flat], jobs=[nightly], asset_checks=[rejects, stumbling], executor=dg.in_process_executor
)


class Watched:
    """An instance, and the sensor with its cursor."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.cursor = instance, None

    def tick(self, definitions: dg.Definitions = DEFS, *, dies: bool = False) -> None:
        """One look; whoever `dies` has kept what it tells, and not that it has."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, definitions=definitions)
        alerts_sensor()(context)
        self.cursor = self.cursor if dies else context.cursor  # type: ignore[assignment]  # it is set now

    def run(self, job: str | None = None, **options: Any) -> dg.ExecuteInProcessResult:
        found = DEFS.resolve_job_def(job or "__ASSET_JOB")
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **options)

    def check(self, name: str) -> None:
        """A run of one check of `curated/trips`, and of no asset."""
        selected = {dg.AssetCheckKey(TRIPS, name)}
        job = DEFS.resolve_job_def("__ASSET_JOB").get_subset(asset_selection=set(), asset_check_selection=selected)
        run = self.instance.add_run(dg.DagsterRun("__ASSET_JOB", asset_check_selection=frozenset(selected)))
        execute_run(InMemoryJob(job), run, self.instance, raise_on_error=False)

    def make(self, *partitions: str, backfill: str = "") -> None:
        """Runs of the asset `curated/days`, one for each partition."""
        tags = {"dagster/backfill": backfill} if backfill else {}
        for partition in partitions:
            self.run(asset_selection=[dg.AssetKey(["curated", "days"])], partition_key=partition, tags=tags)

    def plan(self, run_id: str, *partitions: str) -> None:
        """A run of the check `rejects` begins: Dagster makes its rows."""
        definition = dg.StaticPartitionsDefinition(list(DAYS))
        subset = definition.subset_with_partition_keys(partitions) if partitions else None
        planned = AssetCheckEvaluationPlanned(asset_key=TRIPS, check_name="rejects", partitions_subset=subset)
        self._event(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, planned)

    def say(self, run_id: str, partition: str | None = None, *, passed: bool = False, **options: Any) -> None:
        """The check `rejects` is evaluated; options are those of an evaluation."""
        options = {"severity": dg.AssetCheckSeverity.WARN, "metadata": {}, **options}
        said = dg.AssetCheckEvaluation(
            asset_key=TRIPS, check_name="rejects", passed=passed, partition=partition, **options
        )
        self._event(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION, said)

    def said(self, channel: str = "data-platform") -> list[Kept]:
        with open_jarvis() as jarvis:
            return jarvis.outbox.waiting(channel)

    def headings(self) -> list[str | None]:
        return [one.heading for one in self.said()]

    def _event(self, run_id: str, event_type: dg.DagsterEventType, data: Any) -> None:
        event = dg.DagsterEvent(event_type.value, job_name="nightly", event_specific_data=data)
        self.instance.report_dagster_event(event, run_id=run_id)


@contextmanager
def broken(*partitions: str) -> Iterator[None]:
    """What is run for these fails; without any nothing does."""
    before = BROKEN["partitions"]
    BROKEN["partitions"] = set(partitions)
    try:
        yield
    finally:
        BROKEN["partitions"] = before
