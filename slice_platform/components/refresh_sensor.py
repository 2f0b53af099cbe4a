"""One sensor for all tables that are made from others: what is behind is to do.

Level-triggered: at every tick the versions of what there is are compared with those of what was built, so that a missed
tick, a crash, or a change while a run is under way costs time and loses nothing. The cursor only slows it down: what a
run did not bring up to date is asked for again ever more rarely.
"""

from collections.abc import Sequence

import dagster as dg

from slice_platform.components.asked import digest_of
from slice_platform.components.job_requests import ask
from slice_platform.components.refresh import REFRESH_PREFIX
from slice_platform.components.runtime import run_lake
from slice_platform.lake.business.behind import behind as tables_behind
from slice_platform.lake.lake import Lake
from slice_platform.projections.projecting import behind as projections_behind
from slice_platform.projections.projection import all_projections


def refresh_sensor(jobs: Sequence[dg.JobDefinition], *, tick_seconds: float) -> dg.SensorDefinition:
    """Requests `refresh_<table>` for each table that is behind, or has a projection that is; one run at a time each."""

    @dg.sensor(
        name="refresh_sensor",
        jobs=list(jobs),
        minimum_interval_seconds=max(1, round(tick_seconds)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Keeps business tables and projections in step with what they are made from.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        with run_lake() as lake:
            late = to_do(lake)
        tags = {job: {"slice/why": f"{len(what)} partitions behind"} for job, what in late.items()}
        result = ask(context, {job: digest_of(what) for job, what in late.items()}, tags)
        if result.run_requests:
            return result
        return dg.SkipReason(f"{len(late)} tables are behind and under way." if late else "Nothing is behind.")

    return sensor


def to_do(lake: Lake) -> dict[str, list[str]]:
    """Job -> what it has to do: partitions of the table, and of each projection, with the versions they wait for."""
    versions = lake.ledger.versions()
    todo: dict[str, list[str]] = {}
    for table in lake.business.values():
        if late := [f"{one.partition_key} {one.digest}" for one in tables_behind(lake, table, versions)]:
            todo[f"{REFRESH_PREFIX}{table.name}"] = late
    for projection in all_projections(lake):
        known = versions.get(projection.source.ledger_key, {})
        for copy in projections_behind(lake, projection, versions):
            what = f"{projection.qualified}/{copy.key} {known[copy.key]}"
            todo.setdefault(f"{REFRESH_PREFIX}{projection.source.name}", []).append(what)
    return todo
