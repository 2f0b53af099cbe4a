"""The component `LakeDataset`: one folder with contract.yaml and defs.yaml becomes a dataset in Dagster."""

from collections.abc import Iterator

import dagster as dg
from pydantic import BaseModel

from slice_platform.components.dataset_scaffolder import DatasetScaffolder
from slice_platform.components.freshness import freshness_policy
from slice_platform.components.lake_checks import (
    NOTHING_SET_ASIDE,
    check_specs,
    evaluations,
    results,
    set_aside,
)
from slice_platform.components.lake_events import arrivals, tell
from slice_platform.components.lake_metadata import asset_metadata, batch_metadata
from slice_platform.components.lake_partitions import ARRIVAL_DAYS, RANGE_TAG, partitions_def
from slice_platform.components.projections import projection_definitions
from slice_platform.components.refresh import refresh_job
from slice_platform.components.runtime import report, run_lake, told_to_dagster
from slice_platform.components.set_checks import set_checks
from slice_platform.components.upkeep import upkeep_job, upkeep_schedule
from slice_platform.lake.audit import check_names
from slice_platform.lake.dataset import Dataset, DatasetSpec, dataset_of
from slice_platform.lake.ingest import altered_files, publish_pending, rebuild_partitions, receive_pending
from slice_platform.lake.labels import TIER_TAG
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.projections.projection import projections_of

INGEST_PREFIX = "ingest_"


@dg.scaffold_with(DatasetScaffolder)
class LakeDataset(dg.Component):
    """Files dropped into landing/<dataset>/ become a checked, deduplicated, partitioned Iceberg table."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return DatasetSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "LakeDataset":
        """Raises ContractError, which names file, line and field, before anything runs."""
        assert isinstance(attributes, DatasetSpec)
        return cls(dataset_of(context.path, attributes))

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  # Dagster's signature
        raw, curated = raw_asset(self.dataset), curated_asset(self.dataset)
        upkeep = upkeep_job(self.dataset)
        projections = projections_of(self.dataset)
        own = dg.Definitions(
            assets=[raw, curated],
            asset_checks=raw_checks(self.dataset),
            jobs=[ingest_job(self.dataset), upkeep, *([refresh_job(self.dataset, projections)] if projections else [])],
            schedules=[upkeep_schedule(self.dataset, upkeep)],
        )
        return dg.Definitions.merge(own, projection_definitions(projections))


def raw_asset(dataset: Dataset) -> dg.AssetSpec:
    """What arrived, by day of arrival; reported by the ingest job, as nobody can make a file arrive."""
    return dg.AssetSpec(
        key=["raw", dataset.name],
        description=f"Files of {dataset.name} as they arrived, byte for byte.\n\n{dataset.contract.description or ''}",
        partitions_def=ARRIVAL_DAYS,
        group_name="raw",
        kinds={"file"},
        owners=list(dataset.spec.owners),
        tags={**dataset.spec.tags, TIER_TAG: "raw"},
    )


def curated_asset(dataset: Dataset) -> dg.AssetsDefinition:
    """The table. Materializing partitions makes exactly these again from raw, in one commit."""
    key = dg.AssetKey(["curated", dataset.name])

    @dg.asset(
        key=key,
        description=dataset.contract.description,
        deps=[dg.AssetDep(dg.AssetKey(["raw", dataset.name]), partition_mapping=dg.AllPartitionMapping())],
        partitions_def=partitions_def(dataset),
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=check_specs(dataset, check_names(dataset)),
        group_name="curated",
        kinds={"iceberg", "parquet", "duckdb"},
        owners=list(dataset.spec.owners),
        tags={**dataset.spec.tags, TIER_TAG: "curated"},
        metadata=asset_metadata(dataset),
        pool=pool(dataset),
        code_version=dataset.contract.version,
        freshness_policy=freshness_policy(dataset.contract.freshness),
    )
    def curated(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        keys = list(context.partition_keys) if dataset.partition else [WHOLE_TABLE]
        with told_to_dagster(), run_lake() as lake:
            done = rebuild_partitions(lake, dataset.name, keys)
            described = batch_metadata(lake, dataset, done)
            found = list(evaluations(lake, dataset, done))
        context.log.info(f"{dataset.name}: {len(keys)} partitions rebuilt from {len(done.files)} files")
        if not dataset.partition:
            yield dg.MaterializeResult(metadata=described[WHOLE_TABLE], check_results=results(dataset, done))
            return
        for partition_key, metadata in described.items():
            context.add_asset_metadata(metadata, asset_key=key, partition_key=partition_key)
        if RANGE_TAG in context.run.tags:  # the results below carry no partition then, not even for a range of one
            for evaluation in found:
                context.log_event(evaluation)
        yield dg.MaterializeResult(check_results=results(dataset, done))

    return curated


def raw_checks(dataset: Dataset) -> list[dg.AssetChecksDefinition]:
    """Checks of what arrived; they compare with the ledger and can be run from the UI at any time."""
    key = dg.AssetKey(["raw", dataset.name])

    @dg.asset_check(asset=key, name="pristine", description="Every raw file has the sha256 it was received with.")
    def pristine() -> dg.AssetCheckResult:
        with told_to_dagster(), run_lake() as lake:
            altered = altered_files(lake, dataset.name)
        return dg.AssetCheckResult(passed=not altered, metadata={"altered": "\n".join(altered)})

    @dg.asset_check(asset=key, name=NOTHING_SET_ASIDE, description="No file is in quarantine as a whole.")
    def nothing_set_aside() -> dg.AssetCheckResult:
        with told_to_dagster(), run_lake() as lake:
            found = set_aside(lake, dataset)
        return dg.AssetCheckResult(passed=found.passed, severity=found.severity, metadata=found.metadata)

    return [pristine, nothing_set_aside, *set_checks(dataset)]


def ingest_job(dataset: Dataset) -> dg.JobDefinition:
    """Receive, then publish: everything pending for the dataset, in as few commits as its bounds allow."""
    receive, publish = _receive_op(dataset), _publish_op(dataset)

    @dg.job(
        name=f"{INGEST_PREFIX}{dataset.name}",
        description=f"Publish everything that lies in landing/{dataset.name}/.",
        tags={"slice/dataset": dataset.name},
    )
    def ingest() -> None:
        publish(receive())

    return ingest


def _receive_op(dataset: Dataset) -> dg.OpDefinition:
    @dg.op(name=f"receive_{dataset.name}", out=dg.Out(dg.Nothing), pool=pool(dataset))
    def receive(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake:
            received = receive_pending(lake, dataset.name, report)
            came = [file.id for file in (*received.accepted, *received.repeated, *received.quarantined)]
            for event in arrivals(lake, dataset, came):
                context.log_event(event)
        context.log.info(
            f"{dataset.name}: {len(received.accepted)} files received, {len(received.repeated)} repeated, "
            f"{len(received.quarantined)} quarantined, {len(received.changed_meanwhile)} still changing"
        )

    return receive


def _publish_op(dataset: Dataset) -> dg.OpDefinition:
    name = f"publish_{dataset.name}"

    @dg.op(name=name, ins={"received": dg.In(dg.Nothing)}, out=dg.Out(dg.Nothing), pool=pool(dataset))
    def publish(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake:
            tell(context, lake, dataset, publish_pending(lake, dataset.name, report))

    return publish


def pool(dataset: Dataset) -> str:
    return f"lake_{dataset.name}"
