"""The component `BusinessTable`: a folder with model.sql and defs.yaml becomes a table in Dagster."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import dagster as dg
from pydantic import BaseModel

from slice_platform.components.business_events import (
    build_evaluations,
    build_metadata,
    build_results,
    materialization,
    summary,
)
from slice_platform.components.business_metadata import business_asset_metadata, described
from slice_platform.components.freshness import freshness_policy
from slice_platform.components.lake_checks import check_specs
from slice_platform.components.lake_partitions import RANGE_TAG, partitions_def
from slice_platform.components.projections import projection_definitions
from slice_platform.components.refresh import pool_of, refresh_job
from slice_platform.components.runtime import run_lake, tables_at, told_to_dagster
from slice_platform.components.upkeep import upkeep_job, upkeep_schedule
from slice_platform.lake.business.build import Build, build
from slice_platform.lake.business.definition import BusinessTable as Definition
from slice_platform.lake.business.judging import check_names
from slice_platform.lake.business.reads import conditions_read, windows_for
from slice_platform.lake.business.spec import BusinessSpec
from slice_platform.lake.business.windows import Window, window_of
from slice_platform.lake.labels import TIER_TAG
from slice_platform.lake.lake import Tables
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.projections.projection import projections_of


class BusinessTable(dg.Component):
    """A SELECT over curated and business tables becomes a table that is kept in step with them."""

    def __init__(self, table: Definition, tables: Tables) -> None:
        self.table, self.tables = table, tables

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return BusinessSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "BusinessTable":
        """Raises ContractError, which names file and line, before anything runs."""
        assert isinstance(attributes, BusinessSpec)
        tables = tables_at(context.defs_module_path)
        return cls(tables.business[context.path.name], tables)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  # Dagster's signature
        projections = projections_of(self.table)
        upkeep = upkeep_job(self.table)
        own = dg.Definitions(
            assets=[business_asset(self.table, self.tables)],
            jobs=[refresh_job(self.table, projections), upkeep],
            schedules=[upkeep_schedule(self.table, upkeep)],
        )
        return dg.Definitions.merge(own, projection_definitions(projections))


def business_asset(table: Definition, tables: Tables) -> dg.AssetsDefinition:
    """The table. Materializing partitions builds exactly these, behind or not, in one commit."""
    key = dg.AssetKey(["business", table.name])

    @dg.asset(
        key=key,
        description=described(table),
        deps=[_dependency(table, name, tables) for name in table.reads],
        partitions_def=partitions_def(table),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(table, check_names(table)),
        group_name="business",
        kinds={"iceberg", "parquet", "duckdb", "sql"},
        owners=list(table.spec.owners),
        tags={**table.spec.tags, TIER_TAG: "business"},
        metadata=business_asset_metadata(table),
        freshness_policy=freshness_policy(table.freshness),
        pool=pool_of(table),
        code_version=table.fingerprint,
    )
    def business(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        keys = [WHOLE_TABLE] if table.partition is None else list(context.partition_keys)
        with told_to_dagster(), run_lake() as lake:
            builds = build(lake, table, keys)
            told = {key: value for done in builds for key, value in build_metadata(lake, table, done).items()}
        for done in builds:
            context.log.info(summary(table, done))
        if table.partition is not None and RANGE_TAG in context.run.tags:
            for event in (one for done in builds for one in build_evaluations(table, done)):
                context.log_event(event)  # the results carry no partition then, not even for a range of one
        yield from _results(context, table, keys, builds, told)

    return business


def _results(
    context: dg.AssetExecutionContext,
    table: Definition,
    keys: Sequence[str],
    builds: Sequence[Build],
    told: Mapping[str, Mapping[str, dg.MetadataValue]],
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """What a step yields; it fails where a partition was refused, and shows the others."""
    results, refused = build_results(table, builds), [one for done in builds for one in done.refused]
    for key, metadata in told.items():
        # Partitions that nobody asked for: those that a crash left untold, or that went along with a new definition.
        if refused or key not in keys:
            context.log_event(materialization(table, key, metadata))
        elif table.partition is not None:
            context.add_asset_metadata(metadata, partition_key=key)
    if refused:
        yield from results
        raise dg.Failure("\n".join(summary(table, done) for done in builds if done.refused), allow_retries=False)
    yield dg.MaterializeResult(metadata=None if table.partition else told.get(WHOLE_TABLE), check_results=results)


def _dependency(table: Definition, name: str, tables: Tables) -> dg.AssetDep:
    tier, _, bare = name.partition(".")
    upstream: TableDefinition = tables.business[bare] if tier == "business" else tables.datasets[bare]
    return dg.AssetDep(dg.AssetKey([tier, bare]), partition_mapping=_mapping(table, upstream))


def _mapping(table: Definition, upstream: TableDefinition) -> dg.PartitionMapping | None:
    """For lineage and backfills from the UI; what is behind is told by the versions that were read."""
    if upstream.partition is None:
        return None
    first, last = _some_windows(table, upstream)
    is_by_time = first != last and all(window.is_bounded for window in first)
    if not is_by_time:
        return dg.AllPartitionMapping()
    return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)


def _some_windows(table: Definition, upstream: TableDefinition) -> tuple[Sequence[Window], Sequence[Window]]:
    """What two partitions of the table read of another; the same where the model does not ask for its partition."""
    by = table.partition
    if by is None:
        return (), ()
    (condition,) = conditions_read(table, (upstream,)).values()
    some = (by.start, by.start + timedelta(days=366))
    first, last = (windows_for(condition, window_of(by, by.key_of(moment))) for moment in some)
    return first, last
