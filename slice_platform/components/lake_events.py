"""What the work on a dataset did, as the events that its assets' pages are made of."""

from collections.abc import Iterable, Iterator

import dagster as dg

from slice_platform.components.lake_checks import evaluations, failed_proof, set_aside
from slice_platform.components.lake_metadata import arrival_metadata, batch_metadata
from slice_platform.components.set_checks import set_evaluations
from slice_platform.errors import AccountingError
from slice_platform.lake.accounts import Published
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.lineage import arrivals_of, days_of_arrival

MOST_ARRIVALS = 100  # files listed of one day


def tell(context: dg.OpExecutionContext, lake: Lake, dataset: Dataset, batches: Iterable[Published]) -> None:
    """Do the batches one after the other and log what each did, then what is set aside."""
    try:
        for done in batches:
            for event in changes(lake, dataset, done):
                context.log_event(event)
            context.log.info(summary(dataset, done))
    except AccountingError as error:
        context.log_event(failed_proof(dataset, error))  # type: ignore[arg-type]  # accepted; see below
        raise
    for evaluation in (set_aside(lake, dataset), *set_evaluations(lake, dataset)):
        context.log_event(evaluation)  # type: ignore[arg-type]  # accepted; the annotation lags


def changes(lake: Lake, dataset: Dataset, done: Published) -> Iterator[dg.AssetMaterialization]:
    """What a batch did, for the assets' pages: partitions it changed, their checks, and the days its files came."""
    for key, metadata in batch_metadata(lake, dataset, done).items():
        yield dg.AssetMaterialization(
            asset_key=["curated", dataset.name], partition=key if dataset.partition else None, metadata=metadata
        )
    yield from evaluations(lake, dataset, done)  # type: ignore[misc]  # log_event takes them too; its annotation lags
    withdrawn = {one.file_id for one in done.withdrawn}
    yield from arrivals(lake, dataset, {one.staged.file.id for one in done.files} | done.accounts.keys() | withdrawn)


def arrivals(lake: Lake, dataset: Dataset, file_ids: Iterable[int]) -> Iterator[dg.AssetMaterialization]:
    """One materialization of raw for each day on which these files came: all files of the day, as they stand now."""
    for day in days_of_arrival(lake, file_ids):
        metadata = arrival_metadata(lake, arrivals_of(lake, dataset, day, MOST_ARRIVALS))
        yield dg.AssetMaterialization(asset_key=["raw", dataset.name], partition=day.isoformat(), metadata=metadata)


def summary(dataset: Dataset, done: Published) -> str:
    refused = [one for one in done.files if one.refusal is not None]
    published = sum(account.published for account in done.accounts.values())
    head = (
        f"{dataset.name}: {len(done.accounts)} files published, {published} rows into {len(done.partitions)} partitions"
    )
    lines = [f"{head} in {done.seconds:.1f} s; {len(refused)} files quarantined"]
    return "\n".join(lines + [f"quarantined {one.staged.file.source_key}: {one.refusal}" for one in refused])
