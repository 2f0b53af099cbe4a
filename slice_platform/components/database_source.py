"""The component `DatabaseSource`: a table or query of an operational database flows into a dataset of the lake.

What is read lands as Parquet in landing/<dataset>/ and takes the way of every file from there.
"""

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterInvalidDefinitionError
from dagster_shared.record import replace
from pydantic import BaseModel

from slice_platform.aws import AwsAccess
from slice_platform.components.runtime import tables_at, told_to_dagster
from slice_platform.components.source_definition import Source, source_of
from slice_platform.components.source_retention import retention_defs
from slice_platform.components.source_server import open_server
from slice_platform.settings import Settings, load_settings
from slice_platform.store import open_store
from slice_platform.warehouse.source.offload import Offloaded, offload
from slice_platform.warehouse.source.reading import SourceServer
from slice_platform.warehouse.source.spec import SourceSpec
from slice_platform.warehouse.source.state import SourceCursors
from slice_platform.yaml_lines import read_yaml

DATABASE, OFFLOAD_PREFIX = "database", "offload_"


class DatabaseSource(dg.Component):
    """A table or query of Postgres or MySQL, offloaded into a LakeDataset: all of it, or what changed."""

    def __init__(self, source: Source) -> None:
        self.source = source

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return SourceSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "DatabaseSource":
        """Raises ContractError, which names file, line and field, before anything runs."""
        assert isinstance(attributes, SourceSpec)
        refuse_schedule(context.path, attributes)
        return cls(source_of(context.path, attributes, tables_at(context.defs_module_path).datasets))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  # Dagster's signature
        asset, key = dg.Definitions(assets=[database_asset(self.source)]), key_of(self.source)
        retention = [retention_defs(self.source, key)] if self.source.spec.retention else []
        return dg.Definitions.merge(asset, offload_defs(self.source), *retention)


def key_of(source: Source) -> dg.AssetKey:
    return dg.AssetKey([DATABASE, source.dataset.name])


def database_asset(source: Source) -> dg.AssetsDefinition:
    """The table in its database. Materializing it is one offload; nothing of the database changes."""
    spec, dataset = source.spec, source.dataset
    how = f"what changed by {spec.cursor.column}" if spec.cursor else "all rows"

    @dg.asset(
        key=key_of(source),
        description=f"{source.wanted}, offloaded into landing/{dataset.name}/: {how}.",
        group_name=DATABASE,
        kinds={spec.kind} if spec.kind else {DATABASE},
        owners=list(dataset.spec.owners),
        metadata={"table" if spec.table else "query": dg.MetadataValue.text(str(spec.table or spec.query))},
        pool=f"source_{dataset.name}",
    )
    def database(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        settings, began = load_settings(), time.monotonic()
        with told_to_dagster(), open_server(spec, settings) as server:
            done = offload_into_landing(source, server, settings)
            metadata = offload_metadata(done, server, time.monotonic() - began)
        context.log.info(f"{dataset.name}: {done.file or 'nothing new'}, {done.rows} rows from {server.label}")
        if done.began_anew:
            context.log.warning(f"{dataset.name}: the source or its cursor is another now, so all rows were read")
        return dg.MaterializeResult(metadata=metadata)

    return database


def offload_into_landing(source: Source, server: SourceServer, settings: Settings) -> Offloaded:
    """One offload with the stores of these settings."""
    wait = settings.lock_timeout_seconds
    store = open_store(settings.lake_root, AwsAccess.of(settings))
    cursors = SourceCursors(settings.ledger_url, lock_dir=settings.home_dir / "locks", lock_timeout_seconds=wait)
    with closing(cursors):
        return offload(server, source.work, store, cursors, settings.spill_dir)


def offload_metadata(done: Offloaded, server: SourceServer, seconds: float) -> dict[str, dg.MetadataValue]:
    found: dict[str, dg.MetadataValue] = {
        "rows": dg.MetadataValue.int(done.rows),
        "bytes": dg.MetadataValue.int(done.size_bytes),
        "seconds": dg.MetadataValue.float(round(seconds, 3)),
        "server": dg.MetadataValue.text(server.label),
        "file": dg.MetadataValue.text(done.file or "none: nothing new"),
    }
    return {**found, "window": dg.MetadataValue.text(done.window)} if done.window else found


def offload_defs(source: Source) -> dg.Definitions:
    """The job, and the schedule of the YAML if it has one: else the job is run by hand."""
    name = source.dataset.name
    job = dg.define_asset_job(
        f"{OFFLOAD_PREFIX}{name}",
        # The check compares with what is ingested afterwards, and reads all that expires.
        selection=dg.AssetSelection.assets(key_of(source)).without_checks(),
        description=f"Read {source.wanted} into landing/{name}/, which the sensor then ingests.",
        tags={"slice/dataset": name},
    )
    if source.spec.schedule is None:
        return dg.Definitions(jobs=[job])
    schedule = dg.ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=source.spec.schedule,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(jobs=[job], schedules=[schedule])


def refuse_schedule(folder: Path, spec: SourceSpec) -> None:
    """Raise ContractError, with the line in defs.yaml, where `schedule` is none that Dagster knows."""
    if spec.schedule is None:
        return
    try:
        dg.ScheduleDefinition(name="any", job_name="any", cron_schedule=spec.schedule)
    except DagsterInvalidDefinitionError as error:
        problem = f"expected a cron expression such as '*/15 * * * *', got {spec.schedule!r}"
        raise read_yaml(folder / "defs.yaml").error(("attributes", "schedule"), problem) from error


def with_sources(defs: dg.Definitions) -> dg.Definitions:
    """The same definitions, in which raw/<dataset> comes from database/<dataset> where there is one."""
    assets = list(defs.assets or [])
    made = [key for one in assets if isinstance(one, dg.AssetsDefinition) for key in one.keys]
    sources = {dg.AssetKey(["raw", key.path[1]]): key for key in made if key.path[0] == DATABASE and len(key.path) == 2}
    if not sources:
        return defs

    def with_source(one: Any) -> Any:
        if not isinstance(one, dg.AssetSpec) or one.key not in sources:
            return one
        return one.merge_attributes(deps=[dg.AssetDep(sources[one.key])])

    return replace(defs, assets=[with_source(one) for one in assets])
