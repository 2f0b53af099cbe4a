"""The component `BusinessTable`: a folder with model.sql and defs.yaml becomes a table in Dagster."""

from collections.abc import Iterator

import dagster as dg
from pydantic import BaseModel

from slice_platform.components.business_events import build_evaluations, build_metadata, build_results, summary
from slice_platform.components.business_metadata import business_asset_metadata, described
from slice_platform.components.freshness import freshness_policy
from slice_platform.components.lake_partitions import RANGE_TAG, partitions_def
from slice_platform.components.projections import projection_definitions
from slice_platform.components.refresh import pool_of, refresh_job
from slice_platform.components.runtime import run_lake, tables_at, told_to_dagster
from slice_platform.components.upkeep import upkeep_job, upkeep_schedule
from slice_platform.lake.business.build import build
from slice_platform.lake.business.definition import BusinessTable as Definition
from slice_platform.lake.business.judging import check_names
from slice_platform.lake.business.reads import window_templates
from slice_platform.lake.business.spec import BusinessSpec
from slice_platform.lake.labels import TIER_TAG
from slice_platform.lake.lake import Tables
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.projections.projection import all_projections, projections_of


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
        all_projections(tables)  # two of them may claim one table
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
        check_specs=check_specs(table),
        group_name="business",
        kinds={"iceberg", "parquet", "duckdb", "sql"},
        owners=list(table.spec.owners),
        tags={**table.spec.tags, TIER_TAG: "business"},
        metadata=business_asset_metadata(table),
        freshness_policy=freshness_policy(table.freshness),
        pool=pool_of(table),
        code_version=table.fingerprint,
    )
    def business(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        keys = [WHOLE_TABLE] if table.partition is None else list(context.partition_keys)
        with told_to_dagster(), run_lake() as lake:
            builds = build(lake, table, keys)
            told = {key: value for done in builds for key, value in build_metadata(lake, table, done).items()}
        for done in builds:
            context.log.info(summary(table, done))
        results = build_results(table, builds)
        if table.partition is None:
            yield dg.MaterializeResult(metadata=told.get(WHOLE_TABLE), check_results=results)
            return
        for partition_key, metadata in told.items():
            context.add_asset_metadata(metadata, asset_key=key, partition_key=partition_key)
        if RANGE_TAG in context.run.tags:  # the results below carry no partition then, not even for a range of one
            for done in builds:
                for evaluation in build_evaluations(table, done):
                    context.log_event(evaluation)
        yield dg.MaterializeResult(check_results=results)

    return business


def check_specs(table: Definition) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name,
            asset=["business", table.name],
            description=description,
            blocking=is_blocking,
            partitions_def=partitions_def(table),
        )
        for name, is_blocking, description in check_names(table)
    ]


def _dependency(table: Definition, name: str, tables: Tables) -> dg.AssetDep:
    tier, _, bare = name.partition(".")
    upstream: TableDefinition = tables.business[bare] if tier == "business" else tables.datasets[bare]
    return dg.AssetDep(dg.AssetKey([tier, bare]), partition_mapping=_mapping(table, upstream))


def _mapping(table: Definition, upstream: TableDefinition) -> dg.PartitionMapping | None:
    """For lineage and backfills from the UI; what is behind is told by the versions that were read."""
    if upstream.partition is None:
        return None
    (windows,) = window_templates(table, (upstream,)).values()
    if table.partition is None or not all(one.window.is_bounded for one in windows):
        return dg.AllPartitionMapping()
    return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
