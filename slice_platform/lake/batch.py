"""One attempt to change a table: write data files, prove them, commit, book.

The batch is announced in the ledger before its first data file, which is named after it; its receipt is kept
before the commit and booked after it. A crash leaves nothing visible, or a snapshot with the batch's id.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import duckdb
from pyiceberg.table import Table

from slice_platform.engine import run
from slice_platform.errors import AccountingError
from slice_platform.lake.audit import ROWS_ACCOUNTED, UNIQUE_KEY
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.evolution import adopted_schema
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import path_below_dataset
from slice_platform.lake.layout import Target, existing_rows, write_partitions, written_rows
from slice_platform.lake.merge import MergePlan
from slice_platform.lake.reader import StagedFile, rejects_of
from slice_platform.lake.rejects import drop_waiting_rejects, settle_rejects, write_rejects
from slice_platform.lake.table import DataFile, commit, data_files
from slice_platform.lake.table_definition import TableDefinition, folder_in_lake
from slice_platform.lake.table_schema import field_ids
from slice_platform.records import BatchReceipt, FileAccount, FileRow, PartitionRow
from slice_platform.sql_text import quoted

_IN_MEMORY_BYTES = 192 * 1024**2  # stored; compressed text of this size takes some 600 MB as a table in memory
_USUAL_COLUMNS = 20
_PLAIN_TEXT_SHRINKS_TO = 0.15  # stored size of zstd Parquet against text that is not compressed


@dataclass(frozen=True)
class Batch:
    """What an attempt works with: a connection that holds the stage, the table as it was planned on, the files."""

    id: str
    lake: Lake
    connection: duckdb.DuckDBPyConnection
    dataset: Dataset
    table: Table
    files: tuple[FileRow, ...]
    anew: bool = False  # every row of the table is replaced, so that it can follow any change of its contract

    def write(self, plan: MergePlan) -> list[str]:
        """Announce the batch and write its data files; their paths."""
        self.lake.ledger.open_batch(self.id, self.dataset.ledger_key)
        folder = folder_of(self.dataset, self.id)
        self.lake.store.make_dir(folder)
        target = Target(
            folder=self.lake.store.path(folder),
            field_ids=field_ids(adopted_schema(self.table, self.dataset, anew=self.anew)),
            file_bytes=self.lake.settings.target_file_bytes,
            bytes_per_row=self._bytes_per_row(plan),
            threads=self.lake.settings.duckdb_threads,
            columns=len(self.dataset.columns),
        )
        return write_partitions(self.connection, self.dataset, plan.rewritten, target)

    def prove(self, plan: MergePlan, accounts: Iterable[FileAccount], written: list[str]) -> None:
        """The checks `rows_accounted` and `unique_key`, on what was really written.

        Raises:
            AccountingError: they failed, which is a fault of ours; nothing was committed.
        """
        for account in accounts:
            counts = (account.published, account.duplicate, account.rejected)
            if account.read != sum(counts) or min(counts) < 0:
                raise self._error(f"{account!r} does not add up")
        (staged,) = run(self.connection, "select count(*) from stage where _errors is null")[0]
        found = sum(count_by_file(self.connection, written).values())
        if found != staged + plan.kept_rows:
            raise self._error(f"{found} rows were written, expected {staged} new and {plan.kept_rows} kept ones")
        if self.dataset.key and written and self._has_key_twice(written):
            raise self._error(f"{UNIQUE_KEY} failed", check=UNIQUE_KEY)

    def commit(
        self, plan: MergePlan, written: list[str], receipt: BatchReceipt
    ) -> tuple[int | None, list[PartitionRow]]:
        """Make the data files visible and book the receipt; the snapshot, and how the partitions stand then.

        Nothing is committed where nothing changed.

        Raises:
            LostRaceError: another writer was faster; nothing changed.
        """
        snapshot_id = None
        changes_table = bool(written or plan.remove)
        self.lake.ledger.promise_batch(self.id, replace(receipt, makes_snapshot=changes_table))
        if changes_table:
            snapshot_id = commit(
                self.table, remove=plan.remove, add=written, batch_id=self.id, dataset=self.dataset, anew=self.anew
            ).snapshot_id
        return snapshot_id, settle(self.lake, self.dataset, self.table, self.id, receipt, snapshot_id)

    def _bytes_per_row(self, plan: MergePlan) -> float:
        (rows,) = run(self.connection, "select count(*) from stage")[0]
        stored = sum(file.size_bytes * _shrinks_to(self.dataset, file) for file in self.files)
        stored += sum(file.size_bytes for file in plan.remove)
        return float(stored / max(rows + sum(file.rows for file in plan.remove), 1))

    def _has_key_twice(self, written: list[str]) -> bool:
        key = ", ".join(quoted(name) for name in self.dataset.key)
        if self.dataset.spec.mode == "replace" and self.dataset.partition:
            key += f", {self.dataset.partition.key_sql}"
        # Hashes first: cheap, and only a collision would need the exact count to clear it.
        count = "select count(*) - count(distinct {}) from " + written_rows(written)
        return all(run(self.connection, count.format(what))[0][0] > 0 for what in (f"hash({key})", f"({key})"))

    def _error(self, problem: str, *, check: str = ROWS_ACCOUNTED) -> AccountingError:
        return AccountingError(
            f"Publishing {self.dataset.name!r}: {problem}; nothing was committed. This is a fault of the platform: "
            "keep the run's log and report it.",
            check=check,
        )


def outgrows_memory(dataset: Dataset, files: Iterable[FileRow]) -> bool:
    """Whether these files are so large that their stage should be a file itself.

    Judged from stored bytes, and columns: in memory a field takes sixteen bytes even where it is empty.
    """
    width = max(len(dataset.contract.columns) / _USUAL_COLUMNS, 1.0)
    return sum(file.size_bytes * _shrinks_to(dataset, file) for file in files) * width > _IN_MEMORY_BYTES


def write_rejects_of(batch: Batch, staged: StagedFile, *, is_refused: bool = False) -> None:
    """Put the rejected rows of a staged file into quarantine: at once, or where it is published with the commit."""
    if staged.rows_rejected:
        write_rejects(
            batch.lake, staged.file, rejects_of(batch.lake, batch.connection, staged), None if is_refused else batch.id
        )


def load_known_keys(batch: Batch, existing: list[DataFile]) -> None:
    """Make `known_key`, the keys that mode append must not meet again."""
    if not batch.dataset.key:
        return
    key = ", ".join((*(quoted(name) for name in batch.dataset.key), "_file_id"))
    rows = (
        existing_rows(batch.dataset, [file.path for file in existing])
        if existing
        else "(select * from stage where false)"
    )
    mine = ", ".join(quoted(name) for name in batch.dataset.key)
    met = f"semi join (select {mine} from stage where _errors is null) using ({mine})"
    run(batch.connection, f"create or replace table known_key as select {key} from {rows} {met}")


def count_by_file(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> dict[int, int]:
    """Rows by source file, read back from Parquet."""
    return dict(run(connection, f"select _file_id, count(*) from {written_rows(paths)} group by 1")) if paths else {}


def partitions_now(table: Table, dataset: TableDefinition, keys: Iterable[str]) -> list[PartitionRow]:
    """The named partitions as the table's current snapshot has them; an empty one has zero rows."""
    by_key: dict[str, list[DataFile]] = {key: [] for key in keys}
    snapshot = table.current_snapshot()
    version = (snapshot.sequence_number or 0) if snapshot else 0
    for file in data_files(table, dataset.partition) if by_key else []:
        if file.partition_key in by_key:
            by_key[file.partition_key].append(file)
    return [
        PartitionRow(key, version, sum(f.rows for f in files), sum(f.size_bytes for f in files), len(files))
        for key, files in by_key.items()
    ]


def settle(
    lake: Lake, dataset: TableDefinition, table: Table, batch_id: str, receipt: BatchReceipt, snapshot_id: int | None
) -> list[PartitionRow]:
    """Bring quarantine and ledger in step with a committed batch; how its partitions stand now. Idempotent."""
    now = partitions_now(table, dataset, receipt.partitions)
    settle_rejects(lake.store, dataset.ledger_key, batch_id, receipt.files)
    lake.ledger.settle_batch(batch_id, dataset.ledger_key, receipt, snapshot_id, now)
    return now


def abandon(lake: Lake, dataset: TableDefinition, batch_id: str) -> None:
    """Remove the data files and the rejects of a batch that was not committed."""
    lake.store.remove_tree(folder_of(dataset, batch_id))
    drop_waiting_rejects(lake.store, dataset.ledger_key, batch_id)
    lake.ledger.abandon_batch(batch_id)


def folder_of(table: TableDefinition, batch_id: str) -> str:
    return f"{folder_in_lake(table)}/data/{batch_id}"


def _shrinks_to(dataset: Dataset, file: FileRow) -> float:
    spec = dataset.file_spec(path_below_dataset(file.source_key))
    is_plain = spec is not None and spec.format != "parquet" and spec.compression_of(file.name) == "none"
    return _PLAIN_TEXT_SHRINKS_TO if is_plain else 1.0
