"""Retention of an operational table in Dagster: a check of what is about to expire, and a job that deletes it."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import Field

from slice_platform.components.runtime import run_lake, told_to_dagster
from slice_platform.components.source_definition import Source
from slice_platform.components.source_server import open_server
from slice_platform.lake.classification import is_closed
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.held_rows import HeldRows, held_rows
from slice_platform.warehouse.source.expire import BATCH_ROWS, MOST_ROWS, Expired, Limits, Proof, expire, expiring
from slice_platform.warehouse.source.reading import SourceServer
from slice_platform.warehouse.source.spec import RetentionSpec

EXPIRE_PREFIX, LOOK_PREFIX, CHECK = "expire_", "look_at_expiring_", "expiring_rows_in_lake"
_AHEAD = timedelta(days=1)  # what expires by tomorrow has to be in the lake today


class ExpireConfig(dg.Config):
    """Whether rows are deleted, and how many."""

    apply: bool = Field(default=False, description="Delete the rows that are proven; else only tell of them.")
    batch_rows: int = Field(default=BATCH_ROWS, ge=1, le=50_000, description="Rows that are locked at once.")
    max_rows: int = Field(default=MOST_ROWS, ge=1, description="Most rows that one run deletes.")


def retention_defs(source: Source, key: dg.AssetKey) -> dg.Definitions:
    """The check, which is made every day, and the job that deletes, which runs when somebody says so."""
    name, check = source.dataset.name, expiring_check(source, key)
    look = dg.define_asset_job(
        f"{LOOK_PREFIX}{name}",
        selection=dg.AssetSelection.checks(check),
        description=f"Compare what expires of {source.wanted} by tomorrow with curated.{name}.",
        tags={"slice/dataset": name},
    )
    daily = dg.ScheduleDefinition(
        name=f"{look.name}_schedule",
        job=look,
        cron_schedule=f"{zlib.crc32(name.encode()) % 60} 5 * * *",  # tables do not all come at once
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(asset_checks=[check], jobs=[look, expire_job(source, key)], schedules=[daily])


def expiring_check(source: Source, key: dg.AssetKey) -> dg.AssetChecksDefinition:
    """Whether all that expires by tomorrow is in the curated table, value by value."""
    retention = _retention(source)

    @dg.asset_check(
        asset=key,
        name=CHECK,
        description=f"Every row past its time ({retention.after} by {retention.column}), and all that will be within a "
        f"day, is in curated.{source.dataset.name} with equal values in every column of the contract.",
    )
    def check() -> dg.AssetCheckResult:
        until = datetime.now(UTC) - retention.after + _AHEAD
        found = _looked_at(source, until)
        return dg.AssetCheckResult(passed=not found.unproven, metadata=expired_metadata(found, source.dataset))

    return check


def expire_job(source: Source, key: dg.AssetKey) -> dg.JobDefinition:
    """Dry by default: without `apply` it tells what it would delete."""
    name, retention = source.dataset.name, _retention(source)

    @dg.op(name=f"expire_rows_of_{name}", out=dg.Out(dg.Nothing), pool=f"source_{name}")
    def expire_rows(context: dg.OpExecutionContext, config: ExpireConfig) -> None:
        until = datetime.now(UTC) - retention.after
        if config.apply:
            found = _deleted(source, until, Limits(config.batch_rows, config.max_rows))
        else:
            found = _looked_at(source, until)
        metadata = {**expired_metadata(found, source.dataset), "applied": dg.MetadataValue.bool(config.apply)}
        context.log_event(dg.AssetObservation(asset_key=key, metadata=metadata))
        context.log.info(f"{name}: {summary(found, applied=config.apply)}")

    @dg.job(
        name=f"{EXPIRE_PREFIX}{name}",
        description=f"Delete the rows of {source.wanted} that are older than {retention.after} and proven to be in "
        f"curated.{name}. Only tells, unless its config says `apply: true`.",
        tags={"slice/dataset": name},
    )
    def job() -> None:
        expire_rows()

    return job


def _looked_at(source: Source, until: datetime) -> Expired:
    with _opened(source, until) as (server, proof):
        return expiring(server, source.wanted, _retention(source), proof, until=until)


def _deleted(source: Source, until: datetime, limits: Limits) -> Expired:
    with _opened(source, until) as (server, proof):
        return expire(server, source.wanted, _retention(source), proof, until=until, limits=limits)


@contextmanager
def _opened(source: Source, until: datetime) -> Iterator[tuple[SourceServer, Proof]]:
    """The operational database, and what the lake holds of it."""
    with (
        told_to_dagster(),
        run_lake() as lake,
        open_server(source.spec, lake.settings) as server,
        held_rows(lake, source.dataset, _retention(source).column, until) as held,
    ):
        yield server, proof_by(held)


def proof_by(held: HeldRows) -> Proof:
    """The curated table as it is at each batch is what proves a row."""
    return lambda rows, shape: held.held(rows, shape.key)


def expired_metadata(found: Expired, dataset: Dataset) -> dict[str, dg.MetadataValue]:
    """Counts, and the first keys that are not proven, unless one of their columns is classified."""
    shown: dict[str, dg.MetadataValue] = {
        "until": dg.MetadataValue.text(f"{found.until:%Y-%m-%d %H:%M} UTC"),
        "rows": dg.MetadataValue.int(found.looked_at),
        "in_lake": dg.MetadataValue.int(found.proven),
        "not_in_lake": dg.MetadataValue.int(found.unproven),
        "deleted": dg.MetadataValue.int(found.deleted),
        "looked_at_all": dg.MetadataValue.bool(found.is_whole),
    }
    if found.missing:
        keys = [", ".join(key) for key in found.missing] if not _is_closed(found.key, dataset) else ["(classified)"]
        shown["first_not_in_lake"] = dg.MetadataValue.text(f"{', '.join(found.key)}: {'; '.join(keys)}")
    return shown


def summary(found: Expired, *, applied: bool) -> str:
    """One sentence for a log."""
    done = f"{found.deleted} deleted" if applied else "nothing is deleted without `apply: true`"
    more = "" if found.is_whole else "; there may be more, as max_rows was reached"
    return (
        f"{found.looked_at} rows are from before {found.until:%Y-%m-%d %H:%M} UTC, {found.proven} of them are in the "
        f"lake with equal values, {found.unproven} are not and stay; {done}{more}"
    )


def _is_closed(key: tuple[str, ...], dataset: Dataset) -> bool:
    columns = (dataset.contract.column(name) for name in key)
    return any(column is None or is_closed(column.classification) for column in columns)


def _retention(source: Source) -> RetentionSpec:
    assert source.spec.retention is not None  # whoever asks for these definitions has looked
    return source.spec.retention
