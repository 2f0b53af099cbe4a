"""Upkeep in Dagster: a job per table, and a schedule that asks for it when it is due."""

import zlib
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus

from slice_platform.components.runtime import is_in_flight, run_lake, told_to_dagster
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.upkeep.small_files import is_suspect
from slice_platform.lake.upkeep.upkeep import Upkept, upkeep

UPKEEP_PREFIX = "upkeep_"
# Not the pool of the table: an ingest must not wait for the run, only for one of its commits.
POOL = "lake_upkeep"  # one table at a time


def upkeep_job(table: TableDefinition) -> dg.JobDefinition:
    """Compact, expire and clean up the dataset's table; what it did is an observation of its asset."""

    @dg.op(name=f"keep_up_{table.name}", out=dg.Out(dg.Nothing), pool=POOL)
    def keep_up(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake:
            done = upkeep(lake, table.name)
        context.log_event(dg.AssetObservation(asset_key=[table.tier, table.name], metadata=upkeep_metadata(done)))
        context.log.info(f"{table.name}: {summary(done)}")

    @dg.job(
        name=f"{UPKEEP_PREFIX}{table.name}",
        description=f"Make large files of {table.tier}.{table.name}'s small ones, let old snapshots go, remove what "
        "nothing refers to. Safe beside ingest and queries.",
        tags={"slice/table": table.ledger_key},
    )
    def job() -> None:
        keep_up()

    return job


def upkeep_schedule(table: TableDefinition, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Looks every hour, and asks for a run when one is due: daily, or when many small files have gathered."""

    @dg.schedule(
        name=f"{UPKEEP_PREFIX}{table.name}_schedule",
        job=job,
        cron_schedule=f"{zlib.crc32(table.name.encode()) % 60} * * * *",  # tables do not all come at once
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Daily, and sooner when many small files have gathered.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if is_in_flight(context.instance, job.name):
            return dg.SkipReason("The last upkeep is still under way.")
        with run_lake() as lake:
            why = _why_due(lake, table, _last_success(context.instance, job.name), context.scheduled_execution_time)
        return dg.RunRequest(tags={"slice/why": why}) if why else dg.SkipReason("Not due.")

    return schedule


def upkeep_metadata(done: Upkept) -> dict[str, dg.MetadataValue]:
    made = done.compacted
    figures = {
        "partitions_compacted": len(made.partitions),
        "files_before": made.files_before,
        "files_after": made.files_after,
        "bytes_before": made.bytes_before,
        "bytes_after": made.bytes_after,
        "snapshots_expired": done.expired_snapshots,
        "objects_removed": len(done.removed.objects),
        "bytes_removed": done.removed.size_bytes,
        "spill_folders_removed": done.removed_spill,
    }
    shown: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.int(value) for name, value in figures.items()}
    return {**shown, "seconds": dg.MetadataValue.float(round(done.seconds, 3))}


def summary(done: Upkept) -> str:
    """One sentence for a log or a terminal."""
    made = done.compacted
    return (
        f"{made.files_before} small files became {made.files_after}, {done.expired_snapshots} snapshots expired, "
        f"{len(done.removed.objects)} objects removed, in {done.seconds:.1f} s"
    )


def _last_success(instance: dg.DagsterInstance, job: str) -> float | None:
    """When the last run that succeeded began, seconds since 1970."""
    succeeded = dg.RunsFilter(job_name=job, statuses=[DagsterRunStatus.SUCCESS])
    return next((record.start_time for record in instance.get_run_records(succeeded, limit=1)), None)


def _why_due(lake: Lake, table: TableDefinition, last: float | None, now: datetime) -> str | None:
    """A reason to run now, told by the ledger and the last run alone; None where there is none."""
    if not lake.ledger.list_partitions(table.ledger_key):
        return None  # nothing was ever published
    if isinstance(table, Dataset) and is_suspect(lake, table, most=lake.settings.upkeep_files - 1):
        return "small files"
    # An hour's tick is a few seconds early or late: half an hour less keeps a daily run from slipping by an hour.
    is_old = last is None or now.timestamp() - last > timedelta(hours=lake.settings.upkeep_hours - 0.5).total_seconds()
    return "age" if is_old else None
