"""The curated and business tables: Iceberg, created from their definition, changed by one commit function.

Engines only write Parquet; `commit` is the one place that makes it visible, all partitions of a batch in
one snapshot. pyiceberg's own retry is off: it would append again what another writer has just appended.
"""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.manifest import ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from slice_platform.errors import CommitLost
from slice_platform.lake.catalog import catalog_of, identifier, told_by_catalog, uri_of
from slice_platform.lake.evolution import adopt, refuse_contradictions, terms
from slice_platform.lake.lake import Lake
from slice_platform.lake.partitions import PartitionBy, key_of_iceberg_value
from slice_platform.lake.table_definition import TableDefinition, folder_in_lake
from slice_platform.lake.table_schema import partition_spec_of, schema_of

EVERYTHING = AlwaysTrue()
FENCE = "slice.fence"  # table property: a new value makes a new version of the table
BATCH = "slice.batch"  # snapshot property: which batch of the ledger made the snapshot
_MANIFESTS = 20  # a commit adds one or two, and planning opens each of them: so many are made one again
_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": str(_MANIFESTS),
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


def load_table(lake: Lake, dataset: TableDefinition) -> Table | None:
    """The table, or None where nothing was ever published."""
    try:
        with told_by_catalog("load the table", dataset.name):
            return catalog_of(lake).load_table(identifier(lake, dataset))
    except NoSuchTableError:
        return None


def ensure_table(lake: Lake, dataset: TableDefinition, *, anew: bool = False) -> Table:
    """The table, created from its definition if need be. What that changed since comes with `commit`.

    With `anew` every row is going to be replaced, so that the table can follow any change.

    Raises:
        ContractError: the contract contradicts the table; the message says how.
    """
    table = load_table(lake, dataset)
    if table is not None:
        refuse_contradictions(table, dataset, anew=anew)
        return table
    schema, named = schema_of(dataset), identifier(lake, dataset)
    try:
        with told_by_catalog("create the table", dataset.name):
            with suppress(NamespaceAlreadyExistsError):
                catalog_of(lake).create_namespace(named[0])
            return catalog_of(lake).create_table(
                named,
                schema,
                location=uri_of(lake.store.path(folder_in_lake(dataset))),
                partition_spec=partition_spec_of(dataset, schema),
                properties={**_PROPERTIES, **terms(dataset)},
            )
    except TableAlreadyExistsError:  # made by another process meanwhile
        return ensure_table(lake, dataset, anew=anew)


def data_files(
    table: Table, partition: PartitionBy | None, row_filter: BooleanExpression = EVERYTHING
) -> list[DataFile]:
    """The data files of the current snapshot that may hold rows the filter accepts.

    They are all of one partition where the table is not divided as `partition` says, which only readers meet.
    """
    with told_by_catalog("list the data files of", table.name()[-1]):
        tasks = list(table.scan(row_filter=row_filter).plan_files())
    by = partition if partition and [str(part.transform) for part in table.spec().fields] == [partition.grain] else None
    return [
        DataFile(
            path=local_path(task.file.file_path),
            partition_key=key_of_iceberg_value(by, task.file.partition[0] if by else None),
            rows=task.file.record_count,
            size_bytes=task.file.file_size_in_bytes,
            iceberg=task.file,
        )
        for task in tasks
    ]


def commit(
    table: Table,
    *,
    remove: Iterable[DataFile],
    add: list[str],
    batch_id: str,
    dataset: TableDefinition | None = None,
    anew: bool = False,
) -> Snapshot:
    """Replace data files in one snapshot: readers see the table before it or after it. Not retried.

    With `dataset` the table follows its contract in the same commit: the data files were written for
    `adopted_schema`. With `anew` it follows any change, as every earlier data file is in `remove`.

    Raises:
        LostRaceError: another writer was faster; nothing changed.
    """
    # Here, as it brings pandas, which loading definitions can do without.
    from pyiceberg.io.pyarrow import parquet_files_to_data_files  # noqa: PLC0415

    removed = list(remove)
    try:
        slim = _without_history(table)
        with told_by_catalog("commit to", table.name()[-1]), slim.transaction() as transaction:
            if dataset is not None:
                adopt(transaction, table, dataset, anew=anew)
            update = transaction.update_snapshot(snapshot_properties={BATCH: batch_id})
            with update.overwrite() if removed else update.merge_append() as snapshot:
                for file in removed:
                    snapshot.delete_data_file(file.iceberg)
                uris = map(uri_of, add)
                for added in parquet_files_to_data_files(table.io, transaction.table_metadata, uris):
                    snapshot.append_data_file(added)
            if removed and len(_manifests(table)) >= _MANIFESTS:
                # An overwrite merges none, and keeps those that tell only of deleted files: an empty append does it.
                with transaction.update_snapshot(snapshot_properties={BATCH: batch_id}).merge_append():
                    pass
    except (CommitFailedException, ValidationException) as error:
        raise LostRaceError(str(error)) from error
    table.metadata, table.metadata_location = slim.metadata, slim.metadata_location
    made = table.current_snapshot()
    assert made is not None
    return made


def snapshot_of_batch(table: Table | None, batch_id: str) -> Snapshot | None:
    """The snapshot that a batch committed, if it came that far."""
    for snapshot in reversed(table.metadata.snapshots if table else []):
        if snapshot.summary is not None and snapshot.summary.additional_properties.get(BATCH) == batch_id:
            return snapshot
    return None


def fence(lake: Lake, dataset: TableDefinition) -> Table:
    """The table after one more commit, which changes no row: none that is still under way can come through now.

    An answer that did not come leaves open whether a commit will yet take place. Each is made against the version
    it was planned on, which is gone afterwards.

    Raises:
        CommitLost: other writers were faster, again and again.
    """
    for _ in range(lake.settings.commit_attempts):
        table = load_table(lake, dataset)
        assert table is not None
        with suppress(CommitFailedException, ValidationException):
            with told_by_catalog("fence", dataset.name), table.transaction() as transaction:
                transaction.set_properties({FENCE: uuid.uuid4().hex})
            return table
    raise CommitLost(
        f"Clearing up in {dataset.name!r}: other writers committed first {lake.settings.commit_attempts} times."
    )


def _manifests(table: Table) -> list[ManifestFile]:
    snapshot = table.current_snapshot()
    return snapshot.manifests(table.io) if snapshot else []


def _without_history(table: Table) -> Table:
    """The table with no snapshot but its current one.

    A transaction copies the metadata some sixteen times over, which a thousand snapshots make slow. What it
    commits is applied to the whole metadata by the catalog, and is all of it in the table afterwards.
    """
    current = table.metadata.current_snapshot()
    slim = table.metadata.model_copy(update={"snapshots": [current] if current else [], "snapshot_log": []})
    return Table(table.name(), slim, table.metadata_location, table.io, table.catalog)


def local_path(uri: str) -> str:
    return uri.removeprefix("file://")
