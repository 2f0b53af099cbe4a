"""What was brought into a database, as the events that a projection's page is made of."""

from collections.abc import Iterator, Sequence

import dagster as dg

from slice_platform.projections.in_step import Comparison
from slice_platform.projections.projecting import PartitionOutcome
from slice_platform.projections.projection import Projection
from slice_platform.warehouse.destination import Destination

IN_STEP = "in_step"
_MOST_TOLD = 10


def key_of(projection: Projection) -> dg.AssetKey:
    return dg.AssetKey([projection.group, projection.name])


def outcome_events(projection: Projection, outcome: PartitionOutcome) -> Iterator[dg.AssetMaterialization]:
    """A materialization of a partition that is in the database, whoever brought it."""
    if outcome.projected is not None:
        yield dg.AssetMaterialization(
            asset_key=key_of(projection), partition=partition_of(projection, outcome.key), metadata=metadata_of(outcome)
        )


def metadata_of(outcome: PartitionOutcome) -> dict[str, dg.MetadataValue]:
    done = outcome.projected
    if done is None:
        return {}
    return {
        "dagster/partition_row_count": dg.MetadataValue.int(done.measure.rows),
        "rows_inserted": dg.MetadataValue.int(done.changes.inserted),
        "rows_updated": dg.MetadataValue.int(done.changes.updated),
        "rows_deleted": dg.MetadataValue.int(done.changes.deleted),
        "version": dg.MetadataValue.int(done.version),
        "was_there": dg.MetadataValue.bool(not done.applied),
    }


def tell_outcomes(
    log: dg.DagsterLogManager, projection: Projection, destination: Destination, outcomes: Sequence[PartitionOutcome]
) -> None:
    """Log what was done.

    Raises:
        Failure: the database cannot take some partitions; the others are in it.
    """
    brought = [one for one in outcomes if one.projected and one.projected.applied]
    rows = sum(one.projected.measure.rows for one in brought if one.projected)
    log.info(f"{projection.ref} ({destination.label}): {len(brought)} partitions with {rows} rows brought")
    if refused := [one for one in outcomes if one.refusal]:
        told = "\n".join(f"{one.key}: {one.refusal}" for one in refused[:_MOST_TOLD])
        raise dg.Failure(
            f"{projection.ref} cannot take {len(refused)} of {len(outcomes)} partitions; the others are in it.\n"
            f"{told}\nMend the data, or drop the table there and choose other `types:` in the projection.",
            allow_retries=False,
        )


def comparison_evaluation(projection: Projection, one: Comparison) -> dg.AssetCheckEvaluation:
    """The check `in_step` of one partition."""
    return dg.AssetCheckEvaluation(
        asset_key=key_of(projection),
        check_name=IN_STEP,
        passed=one.problem is None,
        severity=dg.AssetCheckSeverity.ERROR,
        description=comparison_words(projection, one),
        partition=partition_of(projection, one.key),
        metadata={
            "rows_expected": dg.MetadataValue.int(one.lake.rows),
            "rows_in_database": dg.MetadataValue.int(one.database.rows),
            "waits_for_refresh": dg.MetadataValue.bool(one.is_behind),
        },
    )


def comparison_words(projection: Projection, one: Comparison) -> str:
    if one.problem is None:
        return f"{one.key or 'all together'}: {one.database.rows} rows, equal on both sides"
    if one.key is None:
        return (
            f"{projection.ref}: {one.problem}. Somebody changed the table. Where no partition is at fault, the rows "
            "lie in none that was brought: delete them there, or drop the table and run: "
            f"slice project {projection.qualified}"
        )
    key = partition_of(projection, one.key)
    return (
        f"{projection.ref}, partition {one.key}: {one.problem}. Somebody changed the table. Repair it: "
        f"slice project {projection.qualified}{f' --partitions {key}' if key else ''}"
    )


def partition_of(projection: Projection, key: str | None) -> str | None:
    return key if projection.source.partition else None
