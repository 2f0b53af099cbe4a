"""Raw to curated: read, audit, merge and commit a batch of files, and book what became of every row.

Order of the steps: announce the batch in the ledger, write data files named after it, verify them, keep
the receipt, commit, book the receipt. A crash anywhere leaves either nothing visible or a snapshot that
carries the batch's id, and `recover` tells which.
"""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import duckdb
from pyiceberg.table import Table

from slice_platform.errors import AccountingError, CommitLost, RebuildRefused
from slice_platform.lake.audit import UNIQUE_KEY, AuditedFile, audit
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine, run
from slice_platform.lake.lake import CURATED, Lake
from slice_platform.lake.merge import MergePlan, existing_rows, key_bounds, plan_merge, write_partitions
from slice_platform.lake.reader import StagedFile, drop_staged, rejects_of, stage
from slice_platform.lake.rejects import write_reason, write_rejects
from slice_platform.lake.table import (
    DataFile,
    LostRaceError,
    commit,
    data_files,
    ensure_table,
    field_ids,
    load_table,
    snapshot_of_batch,
)
from slice_platform.lake.types import literal, quoted
from slice_platform.records import BatchReceipt, FileAccount, FileRow, FileStatus, PartitionRow

Progress: TypeAlias = Callable[[int], None]
_PLAIN_TEXT_SHRINKS_TO = 0.15  # stored size of zstd Parquet against text that is not compressed


@dataclass(frozen=True)
class PartitionChange:
    """What one batch did to one partition, and how the partition stands afterwards."""

    key: str
    rows_read: int  # good rows of the batch's files
    rows_published: int
    rows_duplicate: int
    now: PartitionRow | None  # None where only refused files had rows
    rows_by_file: dict[int, int]  # good rows of the batch's files here, those of refused files included


@dataclass(frozen=True)
class Published:
    """The outcome of one batch."""

    files: tuple[AuditedFile, ...]
    accounts: dict[int, FileAccount] = field(default_factory=dict)
    partitions: tuple[PartitionChange, ...] = ()
    snapshot_id: int | None = None
    seconds: float = 0.0


def publish(lake: Lake, dataset: Dataset, files: list[FileRow], progress: Progress = lambda _: None) -> Published:
    """Publish the good rows of the files in one commit; files that fail a blocking check are quarantined.

    Atomic, and safe to repeat. The caller holds `lake.ledger.exclusive(dataset.name)` and has called `recover`.

    Raises:
        CommitLost: other writers won every attempt.
        AccountingError: the rows do not add up; nothing was committed.
        StoreUnavailable: disk, memory or store gave way; nothing was committed.
    """
    return _with_attempts(lake, dataset, lambda batch_id: _publish_once(lake, dataset, files, batch_id, progress))


def rebuild(
    lake: Lake, dataset: Dataset, partition_keys: list[str], progress: Progress = lambda _: None
) -> Published:
    """Make exactly these partitions again from raw, in one commit. Idempotent; same guarantees as `publish`.

    Raises:
        RebuildRefused: a file that was published no longer passes its checks; nothing changed.
    """
    files = lake.ledger.files_of_partitions(dataset.name, partition_keys)
    wanted = frozenset(partition_keys)
    return _with_attempts(lake, dataset, lambda batch_id: _rebuild_once(lake, dataset, files, wanted, batch_id, progress))


def recover(lake: Lake, dataset: Dataset) -> None:
    """Finish what a crash left: book batches that were committed, remove the data files of those that were not."""
    open_batches = lake.ledger.open_batches(dataset.name)
    if not open_batches:
        return
    table = load_table(lake, dataset)
    for batch in open_batches:
        snapshot = snapshot_of_batch(table, batch.id)
        if table is None or snapshot is None or batch.receipt is None:
            _abandon(lake, dataset, batch.id)
        else:
            now = _partitions_now(table, dataset, batch.receipt.partitions)
            lake.ledger.settle_batch(batch.id, dataset.name, batch.receipt, snapshot.snapshot_id, now)


def _with_attempts(lake: Lake, dataset: Dataset, once: Callable[[str], Published]) -> Published:
    started = time.monotonic()
    for attempt in range(lake.settings.commit_attempts):
        batch_id = uuid.uuid4().hex
        try:
            done = once(batch_id)
        except LostRaceError:
            _abandon(lake, dataset, batch_id)
            time.sleep(min(0.1 * 2**attempt, 5.0))
            continue
        except BaseException:
            # What was committed stays and is booked by `recover`; what was not leaves no files behind.
            recover(lake, dataset)
            raise
        return Published(done.files, done.accounts, done.partitions, done.snapshot_id, time.monotonic() - started)
    raise CommitLost(
        f"Publishing into {dataset.name!r}: other writers committed first {lake.settings.commit_attempts} times. "
        "Run the job again, or raise SLICE_COMMIT_ATTEMPTS."
    )


def _publish_once(lake: Lake, dataset: Dataset, files: list[FileRow], batch_id: str, progress: Progress) -> Published:
    with engine(lake) as connection:
        table = ensure_table(lake, dataset)
        staged = stage(lake, connection, dataset, files, progress)
        if dataset.spec.mode == "append":
            _load_known_keys(connection, dataset, data_files(table, dataset.partition))
        audited = audit(connection, dataset, staged)
        everywhere = _good_rows(connection)
        refused = [one for one in audited if one.refusal is not None]
        for one in refused:
            _quarantine(lake, connection, dataset, one)
        drop_staged(connection, [one.staged.file.id for one in refused])
        accepted = [one for one in audited if one.refusal is None]
        for one in accepted:
            if one.staged.rows_rejected:
                write_rejects(lake, one.staged.file, rejects_of(lake, connection, dataset, one.staged))
        if not accepted:
            return Published(tuple(audited), {}, _changes(everywhere, {}, MergePlan((), (), {}, {}), []))
        good = _good_rows(connection)
        existing = data_files(table, dataset.partition, key_bounds(connection, dataset))
        plan = plan_merge(connection, dataset, [] if dataset.spec.mode == "append" else existing)
        lake.ledger.open_batch(batch_id, dataset.name)
        written = _write(lake, connection, dataset, table, plan, batch_id, files)
        published = _count_by_file(connection, dataset, written)
        accounts = {
            one.staged.file.id: _account(one.staged, plan, good, published.get(one.staged.file.id, 0)) for one in accepted
        }
        _prove(connection, dataset, plan, accounts, published, written)
        receipt = BatchReceipt(tuple(accounts.values()), plan.superseded, plan.partitions)
        snapshot_id, now = _commit(lake, dataset, table, plan, written, batch_id, receipt)
        changes = _changes(everywhere, good, plan, now)
        return Published(tuple(audited), accounts, changes, snapshot_id)


def _rebuild_once(
    lake: Lake, dataset: Dataset, files: list[FileRow], wanted: frozenset[str], batch_id: str, progress: Progress
) -> Published:
    with engine(lake) as connection:
        table = ensure_table(lake, dataset)
        staged = stage(lake, connection, dataset, files, progress)
        if broken := [one for one in staged if one.problem is not None]:
            raise RebuildRefused(
                f"Rebuilding {sorted(wanted)} of {dataset.name!r}: {broken[0].file.raw_key!r} was published and now "
                f"cannot be read: {broken[0].problem}. Restore the contract or the object; nothing was changed."
            )
        _refuse_other_rejects(dataset, staged)
        _load_known_keys(connection, dataset, [])
        audited = audit(connection, dataset, staged)
        keys = ", ".join(literal(key) for key in wanted)
        run(connection, f"delete from stage where _errors is not null or _partition not in ({keys})")
        good = _good_rows(connection)
        replaced = [file for file in data_files(table, dataset.partition) if file.partition_key in wanted]
        rivals = data_files(table, dataset.partition, key_bounds(connection, dataset))
        elsewhere = [file for file in rivals if file.partition_key not in wanted and dataset.spec.mode == "merge"]
        plan = plan_merge(connection, dataset, replaced + elsewhere, wanted)
        lake.ledger.open_batch(batch_id, dataset.name)
        written = _write(lake, connection, dataset, table, plan, batch_id, files, wanted)
        before = _count_by_file(connection, dataset, [file.path for file in plan.remove])
        after = _count_by_file(connection, dataset, written)
        moved = {f: before.get(f, 0) - after.get(f, 0) for f in before.keys() | after.keys()}
        _prove(connection, dataset, plan, {}, after, written, wanted)
        receipt = BatchReceipt((), {f: n for f, n in moved.items() if n}, tuple(sorted({*plan.partitions, *wanted})))
        snapshot_id, now = _commit(lake, dataset, table, plan, written, batch_id, receipt)
        return Published(tuple(audited), {}, _changes(good, good, plan, now, wanted), snapshot_id)


def _refuse_other_rejects(dataset: Dataset, staged: list[StagedFile]) -> None:
    for one in staged:
        if one.rows_rejected != one.file.rows_rejected or one.rows_read != one.file.rows_read:
            raise RebuildRefused(
                f"Rebuilding {dataset.name!r}: {one.file.raw_key!r} was published with {one.file.rows_rejected} rejects "
                f"of {one.file.rows_read} rows, and now has {one.rows_rejected} of {one.rows_read}: the contract changed "
                "since. Restore it, or land the file again under a new name; nothing was changed."
            )


def _quarantine(lake: Lake, connection: duckdb.DuckDBPyConnection, dataset: Dataset, one: AuditedFile) -> None:
    """Nothing of the file is published; raw keeps its bytes, so all its rows count as set aside."""
    file, reason = one.staged.file, one.refusal or ""
    write_reason(lake.store, file, reason)
    if one.staged.rows_rejected:
        write_rejects(lake, file, rejects_of(lake, connection, dataset, one.staged))
    read = one.staged.rows_read
    lake.ledger.update_file(file.id, status=FileStatus.QUARANTINED, error=reason, rows_read=read, rows_rejected=read)


def _load_known_keys(connection: duckdb.DuckDBPyConnection, dataset: Dataset, existing: list[DataFile]) -> None:
    if not dataset.key:
        return
    key = ", ".join(quoted(name) for name in dataset.key)
    rows = existing_rows(dataset, [file.path for file in existing]) if existing else "stage where false"
    run(connection, f"create or replace temp view known_key as select {key} from {rows}")


def _good_rows(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, int], int]:
    """Good staged rows by partition and file."""
    rows = run(connection, "select _partition, _file_id, count(*) from stage where _errors is null group by all")
    return {(key, file_id): count for key, file_id, count in rows}


def _write(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    table: Table,
    plan: MergePlan,
    batch_id: str,
    files: list[FileRow],
    rebuilt: frozenset[str] = frozenset(),
) -> list[str]:
    folder = _batch_folder(dataset, batch_id)
    lake.store.make_dir(folder)
    (rows,) = run(connection, "select count(*) from stage")[0]
    stored = sum(f.size_bytes * _shrinks(dataset, f) for f in files) + sum(f.size_bytes for f in plan.remove)
    return write_partitions(
        connection,
        dataset,
        plan,
        folder=lake.store.path(folder),
        field_ids=field_ids(table),
        target_file_bytes=lake.settings.target_file_bytes,
        stored_bytes_per_row=stored / max(rows + sum(f.rows for f in plan.remove), 1),
        rebuilt=rebuilt,
        threads=lake.settings.duckdb_threads,
    )


def _shrinks(dataset: Dataset, file: FileRow) -> float:
    spec = dataset.file_spec(file.source_key.split("/", 2)[2])
    plain = spec is not None and spec.format != "parquet" and spec.compression_of(file.name) == "none"
    return _PLAIN_TEXT_SHRINKS_TO if plain else 1.0


def _count_by_file(connection: duckdb.DuckDBPyConnection, dataset: Dataset, paths: list[str]) -> dict[int, int]:
    """Rows by source file, read back from Parquet."""
    if not paths:
        return {}
    listed = ", ".join(literal(path) for path in paths)
    rows = f"read_parquet([{listed}], hive_partitioning = false)"
    return dict(run(connection, f"select _file_id, count(*) from {rows} group by 1"))


def _account(
    staged: StagedFile, plan: MergePlan, good: dict[tuple[str, int], int], published: int
) -> FileAccount:
    file_id = staged.file.id
    duplicate = sum(count for (_, loser), count in plan.duplicates.items() if loser == file_id)
    partitions = tuple(sorted(key for key, owner in good if owner == file_id))
    return FileAccount(
        file_id, staged.rows_read, published, duplicate, staged.rows_rejected, staged.plain_bytes, partitions
    )


def _prove(
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    plan: MergePlan,
    accounts: dict[int, FileAccount],
    published: dict[int, int],
    written: list[str],
    rebuilt: frozenset[str] = frozenset(),
) -> None:
    """The checks `rows_accounted` and `unique_key`, on what was really written; failing is a fault of ours."""
    for account in accounts.values():
        if account.read != account.published + account.duplicate + account.rejected:
            raise AccountingError(f"Publishing {dataset.name!r}: {account!r} does not add up; nothing was committed.")
    (staged,) = run(connection, "select count(*) from stage where _errors is null")[0]
    rewritten = sum(file.rows for file in plan.remove if file.partition_key not in rebuilt)
    kept = rewritten - sum(plan.superseded.values())
    if sum(published.values()) != staged + kept:
        raise AccountingError(
            f"Publishing {dataset.name!r}: {sum(published.values())} rows were written, expected {staged} new and "
            f"{kept} kept ones; nothing was committed."
        )
    if dataset.key and written:
        key = ", ".join(quoted(name) for name in dataset.key)
        if dataset.spec.mode == "replace" and dataset.partition:
            key += f", {dataset.partition.key_sql}"
        listed = ", ".join(literal(path) for path in written)
        rows = f"read_parquet([{listed}], hive_partitioning = false)"
        # Hashes first: cheap, and only a collision would need the exact count to clear it.
        sql = "select count(*) - count(distinct {}) from " + rows
        if run(connection, sql.format(f"hash({key})"))[0][0] and run(connection, sql.format(f"({key})"))[0][0]:
            raise AccountingError(f"Publishing {dataset.name!r}: {UNIQUE_KEY} failed; nothing was committed.")


def _commit(
    lake: Lake,
    dataset: Dataset,
    table: Table,
    plan: MergePlan,
    written: list[str],
    batch_id: str,
    receipt: BatchReceipt,
) -> tuple[int | None, list[PartitionRow]]:
    snapshot_id = None
    if written or plan.remove:
        lake.ledger.promise_batch(batch_id, receipt)
        snapshot_id = commit(table, remove=plan.remove, add=written, batch_id=batch_id).snapshot_id
    now = _partitions_now(table, dataset, receipt.partitions)
    lake.ledger.settle_batch(batch_id, dataset.name, receipt, snapshot_id, now)
    return snapshot_id, now


def _partitions_now(table: Table, dataset: Dataset, keys: tuple[str, ...]) -> list[PartitionRow]:
    snapshot = table.current_snapshot()
    version = (snapshot.sequence_number or 0) if snapshot else 0
    by_key: dict[str, list[DataFile]] = {key: [] for key in keys}
    for file in data_files(table, dataset.partition) if keys else []:
        if file.partition_key in by_key:
            by_key[file.partition_key].append(file)
    return [
        PartitionRow(key, version, sum(f.rows for f in files), sum(f.size_bytes for f in files), len(files))
        for key, files in by_key.items()
    ]


def _changes(
    everywhere: dict[tuple[str, int], int],
    good: dict[tuple[str, int], int],
    plan: MergePlan,
    now: list[PartitionRow],
    rebuilt: frozenset[str] = frozenset(),
) -> tuple[PartitionChange, ...]:
    standing = {row.partition_key: row for row in now}
    read: Counter[str] = Counter()
    duplicate: Counter[str] = Counter()
    by_file: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for (key, _), count in good.items():
        read[key] += count
    for (key, _), count in plan.duplicates.items():
        duplicate[key] += count
    for (key, file_id), count in everywhere.items():
        by_file[key][file_id] = count
    keys = sorted(by_file.keys() | set(plan.partitions) | rebuilt)
    return tuple(
        PartitionChange(key, read[key], read[key] - duplicate[key], duplicate[key], standing.get(key), by_file[key])
        for key in keys
    )


def _abandon(lake: Lake, dataset: Dataset, batch_id: str) -> None:
    lake.store.remove_tree(_batch_folder(dataset, batch_id))
    lake.ledger.abandon_batch(batch_id)


def _batch_folder(dataset: Dataset, batch_id: str) -> str:
    return f"{CURATED}/{dataset.name}/data/{batch_id}"
