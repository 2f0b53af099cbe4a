"""The curated tables: Iceberg, created from the contract, changed by one commit function.

Engines only write Parquet; `commit` is the one place that makes it visible, all partitions of a batch in
one snapshot. pyiceberg's own retry is off: it would append again what another writer has just appended.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import CURATED, Lake
from slice_platform.lake.partitions import PartitionBy, key_of_iceberg_value
from slice_platform.lake.table_schema import evolve, partition_spec_of, schema_of
from slice_platform.settings import Settings

EVERYTHING = AlwaysTrue()
BATCH = "slice.batch"  # snapshot property: which batch of the ledger made the snapshot
_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}


class LostRaceError(Exception):
    """Another writer committed since the plan was made; plan again on the table as it now is."""


@dataclass(frozen=True)
class DataFile:
    """One data file of a snapshot. `path` is what DuckDB opens."""

    path: str
    partition_key: str
    rows: int
    size_bytes: int
    iceberg: IcebergFile


def load_table(lake: Lake, dataset: Dataset) -> Table | None:
    """The curated table, or None where nothing was ever published."""
    try:
        return _catalog(lake).load_table((CURATED, dataset.name))
    except NoSuchTableError:
        return None


def ensure_table(lake: Lake, dataset: Dataset) -> Table:
    """The curated table, created from the contract if need be; optional columns the contract gained are added.

    Raises:
        ContractError: the contract contradicts the table; the message says how.
    """
    table = load_table(lake, dataset)
    if table is not None:
        return evolve(table, dataset)
    catalog, schema = _catalog(lake), schema_of(dataset)
    with suppress(NamespaceAlreadyExistsError):
        catalog.create_namespace(CURATED)
    try:
        return catalog.create_table(
            (CURATED, dataset.name),
            schema,
            location=_uri(lake.store.path(f"{CURATED}/{dataset.name}")),
            partition_spec=partition_spec_of(dataset, schema),
            properties=_PROPERTIES,
        )
    except TableAlreadyExistsError:  # made by another process meanwhile
        return evolve(catalog.load_table((CURATED, dataset.name)), dataset)


def data_files(
    table: Table, partition: PartitionBy | None, row_filter: BooleanExpression = EVERYTHING
) -> list[DataFile]:
    """The data files of the current snapshot that may hold rows the filter accepts."""
    return [
        DataFile(
            path=local_path(task.file.file_path),
            partition_key=key_of_iceberg_value(partition, task.file.partition[0] if partition else None),
            rows=task.file.record_count,
            size_bytes=task.file.file_size_in_bytes,
            iceberg=task.file,
        )
        for task in table.scan(row_filter=row_filter).plan_files()
    ]


def commit(table: Table, *, remove: Iterable[DataFile], add: list[str], batch_id: str) -> Snapshot:
    """Replace data files in one snapshot: readers see the table before it or after it. Not retried.

    Raises:
        LostRaceError: another writer was faster; nothing changed.
    """
    # Here, as it brings pandas, which loading definitions can do without.
    from pyiceberg.io.pyarrow import parquet_files_to_data_files  # noqa: PLC0415

    removed = list(remove)
    try:
        with table.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties={BATCH: batch_id})
            with update.overwrite() if removed else update.fast_append() as snapshot:
                for file in removed:
                    snapshot.delete_data_file(file.iceberg)
                uris = map(_uri, add)
                for added in parquet_files_to_data_files(table.io, transaction.table_metadata, uris):
                    snapshot.append_data_file(added)
    except (CommitFailedException, ValidationException) as error:
        raise LostRaceError(str(error)) from error
    made = table.current_snapshot()
    assert made is not None
    return made


def snapshot_of_batch(table: Table | None, batch_id: str) -> Snapshot | None:
    """The snapshot that a batch committed, if it came that far."""
    for snapshot in reversed(table.metadata.snapshots if table else []):
        if snapshot.summary is not None and snapshot.summary.additional_properties.get(BATCH) == batch_id:
            return snapshot
    return None


def local_path(uri: str) -> str:
    return uri.removeprefix("file://")


def _uri(path: str) -> str:
    return path if "://" in path else f"file://{path}"


def _catalog(lake: Lake) -> Catalog:
    return _open_catalog(lake.settings, _uri(lake.store.path(CURATED)))


@lru_cache(maxsize=8)
def _open_catalog(settings: Settings, warehouse: str) -> Catalog:
    if settings.catalog == "glue":
        endpoint = settings.aws_endpoint_url
        where = {"glue.endpoint": endpoint, "s3.endpoint": endpoint} if endpoint else {}
        return load_catalog("slice", type="glue", warehouse=warehouse, **where)
    settings.home_dir.mkdir(parents=True, exist_ok=True)
    return load_catalog("slice", type="sql", uri=settings.iceberg_catalog_url, warehouse=warehouse)
