"""Raw to curated: read, audit, merge and commit a batch of files, and tell what became of every row.

What a crash leaves behind is found by `recover`: a batch is finished if its snapshot is there, else removed.
"""

import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import duckdb

from slice_platform.errors import CommitLost, RebuildRefused
from slice_platform.lake.audit import AuditedFile, audit
from slice_platform.lake.batch import Batch, abandon, count_by_file, partitions_now
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine, run
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import existing_rows
from slice_platform.lake.merge import MergePlan, key_bounds, plan_merge
from slice_platform.lake.reader import StagedFile, drop_staged, rejects_of, stage
from slice_platform.lake.rejects import write_reason, write_rejects
from slice_platform.lake.table import DataFile, LostRaceError, data_files, ensure_table, load_table, snapshot_of_batch
from slice_platform.lake.types import literal, quoted
from slice_platform.records import BatchReceipt, FileAccount, FileRow, FileStatus, PartitionRow, PartitionRows

Progress: TypeAlias = Callable[[int], None]
RowCounts: TypeAlias = dict[tuple[str, int], int]  # rows by partition and file


@dataclass(frozen=True)
class PartitionChange:
    """What one batch did to one partition, and how the partition stands afterwards."""

    rows: PartitionRows
    now: PartitionRow | None  # None where only refused files had rows
    rows_by_file: dict[int, int] = field(default_factory=dict)  # good rows, those of refused files included

    @property
    def key(self) -> str:
        return self.rows.partition_key


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

    def once(batch_id: str) -> Published:
        with engine(lake) as connection:
            batch = Batch(batch_id, lake, connection, dataset, ensure_table(lake, dataset), tuple(files))
            return _publish_once(batch, progress)

    return _with_attempts(lake, dataset, once)


def rebuild(lake: Lake, dataset: Dataset, partition_keys: list[str], progress: Progress = lambda _: None) -> Published:
    """Make exactly these partitions again from raw, in one commit. Idempotent; same guarantees as `publish`.

    Raises:
        RebuildRefused: a file that was published no longer passes its checks; nothing changed.
    """
    files = tuple(lake.ledger.files_of_partitions(dataset.name, partition_keys))

    def once(batch_id: str) -> Published:
        with engine(lake) as connection:
            batch = Batch(batch_id, lake, connection, dataset, ensure_table(lake, dataset), files)
            return _rebuild_once(batch, frozenset(partition_keys), progress)

    return _with_attempts(lake, dataset, once)


def recover(lake: Lake, dataset: Dataset) -> list[Published]:
    """Finish what a crash left: book batches that were committed, remove the data files of those that were not.

    Returns the batches that were booked, as far as their receipts tell: the files' checks are not in them.
    """
    open_batches = lake.ledger.open_batches(dataset.name)
    table = load_table(lake, dataset) if open_batches else None
    booked = []
    for batch in open_batches:
        snapshot = snapshot_of_batch(table, batch.id)
        if table is None or snapshot is None or batch.receipt is None:
            abandon(lake, dataset, batch.id)
            continue
        receipt = batch.receipt
        now = partitions_now(table, dataset, receipt.partitions)
        lake.ledger.settle_batch(batch.id, dataset.name, receipt, snapshot.snapshot_id, now)
        accounts = {account.file_id: account for account in receipt.files}
        booked.append(Published((), accounts, _changes(receipt.rows, {}, now), snapshot.snapshot_id))
    return booked


def _with_attempts(lake: Lake, dataset: Dataset, once: Callable[[str], Published]) -> Published:
    started = time.monotonic()
    for attempt in range(lake.settings.commit_attempts):
        batch_id = uuid.uuid4().hex
        try:
            done = once(batch_id)
        except LostRaceError:
            # Asked, not assumed: a catalog may report as lost what a retry inside its client has committed.
            if booked := recover(lake, dataset):
                return booked[-1]
            time.sleep(min(0.1 * 2**attempt, 5.0))
            continue
        except BaseException:
            # What was committed stays and is booked by `recover`; what was not leaves no files behind.
            recover(lake, dataset)
            raise
        return replace(done, seconds=time.monotonic() - started)
    raise CommitLost(
        f"Publishing into {dataset.name!r}: other writers committed first {lake.settings.commit_attempts} times. "
        "Run the job again, or raise SLICE_COMMIT_ATTEMPTS."
    )


def _publish_once(batch: Batch, progress: Progress) -> Published:
    connection, dataset = batch.connection, batch.dataset
    staged = stage(batch.lake, connection, dataset, list(batch.files), progress)
    if dataset.spec.mode == "append":
        _load_known_keys(batch, data_files(batch.table, dataset.partition))
    audited = audit(connection, dataset, staged)
    everywhere, rejected = _good_rows(connection), _rejected_rows(connection)
    accepted = _set_bad_ones_aside(batch, audited)
    if not accepted:
        rows = _partition_rows({}, MergePlan((), (), {}, {}), Counter(), {key for key, _ in everywhere})
        return Published(tuple(audited), {}, _changes(rows, everywhere, []))
    good = _good_rows(connection)
    rivals = data_files(batch.table, dataset.partition, key_bounds(connection, dataset))
    plan = plan_merge(connection, dataset, [] if dataset.spec.mode == "append" else rivals)
    written = batch.write(plan)
    accounts = _accounts(accepted, plan, good, count_by_file(connection, written))
    batch.prove(plan, accounts.values(), written)
    rows = _partition_rows(good, plan, rejected, {key for key, _ in everywhere})
    receipt = BatchReceipt(tuple(accounts.values()), plan.superseded, plan.partitions, rows)
    snapshot_id, now = batch.commit(plan, written, receipt)
    return Published(tuple(audited), accounts, _changes(rows, everywhere, now), snapshot_id)


def _rebuild_once(batch: Batch, wanted: frozenset[str], progress: Progress) -> Published:
    connection, dataset = batch.connection, batch.dataset
    staged = stage(batch.lake, connection, dataset, list(batch.files), progress)
    _refuse_what_reads_otherwise(dataset, staged)
    _load_known_keys(batch, [])
    audited = audit(connection, dataset, staged)
    rejected = _rejected_rows(connection)
    keys = ", ".join(literal(key) for key in wanted)
    run(connection, f"delete from stage where _errors is not null or _partition not in ({keys})")
    good = _good_rows(connection)
    replaced = [file for file in data_files(batch.table, dataset.partition) if file.partition_key in wanted]
    rivals = data_files(batch.table, dataset.partition, key_bounds(connection, dataset))
    elsewhere = [file for file in rivals if file.partition_key not in wanted and dataset.spec.mode == "merge"]
    plan = plan_merge(connection, dataset, replaced + elsewhere, wanted)
    written = batch.write(plan)
    batch.prove(plan, (), written)
    before, after = count_by_file(connection, [file.path for file in plan.remove]), count_by_file(connection, written)
    moved = {file: before.get(file, 0) - after.get(file, 0) for file in before.keys() | after.keys()}
    partitions = tuple(sorted({*plan.partitions, *wanted}))
    rows = _partition_rows(good, plan, rejected, wanted)
    receipt = BatchReceipt((), {file: count for file, count in moved.items() if count}, partitions, rows)
    snapshot_id, now = batch.commit(plan, written, receipt)
    return Published(tuple(audited), {}, _changes(rows, good, now), snapshot_id)


def _refuse_what_reads_otherwise(dataset: Dataset, staged: list[StagedFile]) -> None:
    """A rebuild from files that read otherwise than when they were published would lose rows."""
    for one in staged:
        file = one.file
        now = one.problem or f"{one.rows_rejected} rejects of {one.rows_read} rows"
        if now != f"{file.rows_rejected} rejects of {file.rows_read} rows":
            raise RebuildRefused(
                f"Rebuilding {dataset.name!r}: {file.raw_key!r} was published with {file.rows_rejected} rejects of "
                f"{file.rows_read} rows, and now: {now}. Restore the contract or the object; nothing was changed."
            )


def _set_bad_ones_aside(batch: Batch, audited: list[AuditedFile]) -> list[AuditedFile]:
    """Quarantine refused files and rejected rows; the files that go on."""
    refused = [one for one in audited if one.refusal is not None]
    for one in refused:
        _quarantine(batch, one, one.refusal or "")
    drop_staged(batch.connection, [one.staged.file.id for one in refused])
    accepted = [one for one in audited if one.refusal is None]
    for one in accepted:
        _write_rejects(batch, one.staged)
    return accepted


def _quarantine(batch: Batch, one: AuditedFile, reason: str) -> None:
    """Nothing of the file is published; raw keeps its bytes, so all its rows count as set aside."""
    write_reason(batch.lake.store, one.staged.file, reason)
    _write_rejects(batch, one.staged)
    read = one.staged.rows_read
    batch.lake.ledger.update_file(
        one.staged.file.id, status=FileStatus.QUARANTINED, error=reason, rows_read=read, rows_rejected=read
    )


def _write_rejects(batch: Batch, staged: StagedFile) -> None:
    if staged.rows_rejected:
        write_rejects(batch.lake, staged.file, rejects_of(batch.lake, batch.connection, staged))


def _load_known_keys(batch: Batch, existing: list[DataFile]) -> None:
    """Make `known_key`, the keys that mode append must not meet again."""
    if not batch.dataset.key:
        return
    key = ", ".join(quoted(name) for name in batch.dataset.key)
    rows = existing_rows(batch.dataset, [file.path for file in existing]) if existing else "stage where false"
    run(batch.connection, f"create or replace temp view known_key as select {key} from {rows}")


def _good_rows(connection: duckdb.DuckDBPyConnection) -> RowCounts:
    rows = run(connection, "select _partition, _file_id, count(*) from stage where _errors is null group by all")
    return {(key, file_id): count for key, file_id, count in rows}


def _rejected_rows(connection: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Rejects by partition, as far as their partition can be told."""
    rows = "select _partition, count(*) from stage where _errors is not null and _partition is not null group by 1"
    return Counter(dict(run(connection, rows)))


def _accounts(
    accepted: list[AuditedFile], plan: MergePlan, good: RowCounts, published: dict[int, int]
) -> dict[int, FileAccount]:
    duplicate: Counter[int] = Counter()
    for (_, file_id), count in plan.duplicates.items():
        duplicate[file_id] += count
    partitions: defaultdict[int, list[str]] = defaultdict(list)
    for key, file_id in sorted(good):
        partitions[file_id].append(key)
    return {
        one.staged.file.id: FileAccount(
            file_id=one.staged.file.id,
            read=one.staged.rows_read,
            published=published.get(one.staged.file.id, 0),
            duplicate=duplicate[one.staged.file.id],
            rejected=one.staged.rows_rejected,
            plain_bytes=one.staged.plain_bytes,
            partitions=tuple(partitions[one.staged.file.id]),
        )
        for one in accepted
    }


def _partition_rows(
    good: RowCounts, plan: MergePlan, rejected: Counter[str], also: Iterable[str]
) -> tuple[PartitionRows, ...]:
    read: Counter[str] = Counter()
    duplicate: Counter[str] = Counter()
    for (key, _), count in good.items():
        read[key] += count
    for (key, _), count in plan.duplicates.items():
        duplicate[key] += count
    keys = sorted({*read, *plan.partitions, *also})
    return tuple(PartitionRows(key, read[key], duplicate[key], rejected[key]) for key in keys)


def _changes(
    rows: Iterable[PartitionRows], everywhere: RowCounts, now: list[PartitionRow]
) -> tuple[PartitionChange, ...]:
    standing = {row.partition_key: row for row in now}
    by_file: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for (key, file_id), count in everywhere.items():
        by_file[key][file_id] = count
    return tuple(PartitionChange(one, standing.get(one.partition_key), by_file[one.partition_key]) for one in rows)
