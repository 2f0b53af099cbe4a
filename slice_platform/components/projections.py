"""Projections in Dagster: an asset for each, that repairs what it is asked for, and the check that it is in step."""

from collections.abc import Iterator, Sequence

import dagster as dg

from slice_platform.components.lake_partitions import RANGE_TAG, partitions_def
from slice_platform.components.projection_events import (
    IN_STEP,
    comparison_evaluation,
    comparison_words,
    key_of,
    metadata_of,
    outcome_events,
    tell_outcomes,
)
from slice_platform.components.propagator_runtime import open_destination
from slice_platform.components.runtime import run_lake, told_to_dagster
from slice_platform.lake.labels import TIER_TAG
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.projections.in_step import Comparison, compare, compare_whole
from slice_platform.projections.projecting import PartitionOutcome, Projecting
from slice_platform.projections.projection import Projection

_MOST_TOLD = 10


def projection_definitions(projections: Sequence[Projection]) -> dg.Definitions:
    return dg.Definitions(
        assets=[projection_asset(one) for one in projections], asset_checks=[in_step_check(one) for one in projections]
    )


def projection_asset(projection: Projection) -> dg.AssetsDefinition:
    """The copy. Materializing partitions brings these as the lake has them, also where somebody changed them there."""
    key, source = key_of(projection), projection.source

    @dg.asset(
        key=key,
        description=f"{source.tier}.{source.name} in {projection.ref}, kept in step with it ({projection.spec.mode}).",
        deps=[dg.AssetDep(dg.AssetKey([source.tier, source.name]))],
        partitions_def=partitions_def(source),
        backfill_policy=dg.BackfillPolicy.single_run(),
        group_name=projection.group,
        kinds={projection.spec.destination, "table"},
        owners=list(source.owners),
        tags={TIER_TAG: projection.group},
        metadata={
            "dagster/table_name": f"{projection.spec.database}.{projection.name}",
            "dagster/column_schema": dg.MetadataValue.table_schema(_columns(projection)),
            **_lineage(projection),
        },
        pool=f"project_{projection.group}_{projection.name}",
        code_version=projection.fingerprint,
    )
    def copy(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        keys = [WHOLE_TABLE] if source.partition is None else list(context.partition_keys)
        with told_to_dagster(), run_lake() as lake, open_destination(projection.ref) as destination:
            outcomes = list(Projecting(lake, destination, projection, context.run.run_id).project(keys))
            _show(context, projection, outcomes)
            tell_outcomes(context.log, projection, destination, outcomes)
        yield dg.MaterializeResult(metadata=metadata_of(outcomes[0]) if source.partition is None else None)

    return copy


def _show(context: dg.AssetExecutionContext, projection: Projection, outcomes: Sequence[PartitionOutcome]) -> None:
    """Each partition that was brought has its own materialization, also where the step fails because of another."""
    is_failing = any(one.refusal for one in outcomes)
    for one in outcomes:
        if is_failing:
            for event in outcome_events(projection, one):
                context.log_event(event)
        elif projection.source.partition is not None:
            context.add_asset_metadata(metadata_of(one), partition_key=one.key)


def in_step_check(projection: Projection) -> dg.AssetChecksDefinition:
    """Counts and sums up the partitions of its run on both sides."""

    @dg.asset_check(
        asset=key_of(projection),
        name=IN_STEP,
        description="The database has just the rows of the lake: as many, and with the same values.",
        partitions_def=partitions_def(projection.source),
    )
    def in_step(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        run = context.op_execution_context
        keys = [WHOLE_TABLE] if projection.source.partition is None else list(run.partition_keys)
        with told_to_dagster(), run_lake() as lake, open_destination(projection.ref) as destination:
            compared = compare(lake, destination, projection, keys)
            if lake.ledger.built(projection.ledger_key).keys() <= set(keys):
                compared += compare_whole(destination, projection)
        if RANGE_TAG in run.run_tags:
            for one in compared:
                run.log_event(comparison_evaluation(projection, one))  # type: ignore[arg-type]  # accepted; the annotation lags
        return _result(projection, compared)

    return in_step


def _result(projection: Projection, compared: Sequence[Comparison]) -> dg.AssetCheckResult:
    wrong = [one for one in compared if one.problem]
    shown = "\n".join(comparison_words(projection, one) for one in wrong[:_MOST_TOLD])
    return dg.AssetCheckResult(
        passed=not wrong,
        description=shown or f"{len(compared)} partitions compared, all equal on both sides",
        metadata={"partitions": len(compared), "partitions_wrong": len(wrong)},
    )


def _columns(projection: Projection) -> dg.TableSchema:
    spec = projection.table.spec
    return dg.TableSchema(
        [
            dg.TableColumn(
                one.name,
                str(one.type),
                description=projection.columns[one.name].description,
                constraints=dg.TableColumnConstraints(nullable=one.name not in spec.primary_key),
            )
            for one in spec.columns
        ],
        constraints=dg.TableConstraints([f"key: {', '.join(spec.primary_key)}"]) if spec.primary_key else None,
    )


def _lineage(projection: Projection) -> dict[str, dg.MetadataValue]:
    source = dg.AssetKey([projection.source.tier, projection.source.name])
    deps = {
        there: [dg.TableColumnDep(asset_key=source, column_name=one.name)] for there, one in projection.columns.items()
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}
