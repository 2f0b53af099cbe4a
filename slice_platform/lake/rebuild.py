"""Curated from raw once more: some partitions as they were, or the whole table under the contract as it is now."""

from collections import defaultdict
from collections.abc import Callable
from typing import TypeAlias

from slice_platform.engine import run
from slice_platform.errors import RebuildRefused
from slice_platform.lake.accounts import Published, accounts_of, changes, good_rows, partition_rows, rejected_rows
from slice_platform.lake.attempts import with_attempts
from slice_platform.lake.audit import AuditedFile, audit
from slice_platform.lake.batch import Batch, count_by_file, load_known_keys, outgrows_memory, write_rejects_of
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.merge import key_bounds, plan_merge
from slice_platform.lake.reader import StagedFile, stage
from slice_platform.lake.table import data_files, ensure_table
from slice_platform.records import BatchReceipt, FileStatus
from slice_platform.sql_text import literal

Progress: TypeAlias = Callable[[int], None]


def rebuild(
    lake: Lake, dataset: Dataset, partition_keys: list[str] | None = None, progress: Progress = lambda _: None
) -> Published:
    """Make exactly these partitions again from raw, in one commit. Idempotent; same guarantees as `publish`.

    Without `partition_keys` it is the whole table, under the contract as it is now: every published file is
    read, judged and accounted for anew, and a changed key or order takes effect.

    Raises:
        RebuildRefused: a file that was published no longer passes its checks; nothing changed.
    """
    whole = partition_keys is None
    if whole:
        files = lake.ledger.list_files(dataset.name, statuses=[FileStatus.PUBLISHED])
    else:
        files = lake.ledger.files_of_partitions(dataset.name, partition_keys or [])

    def once(batch_id: str) -> Published:
        with engine(lake, on_disk=outgrows_memory(dataset, files)) as connection:
            table = ensure_table(lake, dataset, anew=whole)
            batch = Batch(batch_id, lake, connection, dataset, table, tuple(files), anew=whole)
            if whole:
                return _rebuild_whole(batch, progress)
            return _rebuild_once(batch, frozenset(partition_keys or ()), progress)

    return with_attempts(lake, dataset, once)


def _rebuild_once(batch: Batch, wanted: frozenset[str], progress: Progress) -> Published:
    connection, dataset = batch.connection, batch.dataset
    staged = stage(batch.lake, connection, dataset, list(batch.files), progress)
    _refuse_what_reads_otherwise(batch, staged)
    load_known_keys(batch, [])
    audited = audit(connection, dataset, staged)
    rejected = rejected_rows(connection)
    keys = ", ".join(literal(key) for key in wanted)
    run(connection, f"delete from stage where _errors is not null or _partition not in ({keys})")
    good = good_rows(connection)
    replaced = [file for file in data_files(batch.table, dataset.partition) if file.partition_key in wanted]
    rivals = data_files(batch.table, dataset.partition, key_bounds(connection, dataset))
    elsewhere = [file for file in rivals if file.partition_key not in wanted and dataset.spec.mode == "merge"]
    plan = plan_merge(connection, dataset, replaced + elsewhere, wanted)
    written = batch.write(plan)
    batch.prove(plan, (), written)
    before, after = count_by_file(connection, [file.path for file in plan.remove]), count_by_file(connection, written)
    moved = {file: before.get(file, 0) - after.get(file, 0) for file in before.keys() | after.keys()}
    partitions = tuple(sorted({*plan.partitions, *wanted}))
    rows = partition_rows(good, plan, rejected, wanted)
    superseded = {file: count for file, count in moved.items() if count}
    receipt = BatchReceipt((), superseded, partitions, rows, hidden=plan.hidden)
    snapshot_id, now = batch.commit(plan, written, receipt)
    return Published(tuple(audited), {}, changes(rows, good, now), snapshot_id)


def _rebuild_whole(batch: Batch, progress: Progress) -> Published:
    connection, dataset = batch.connection, batch.dataset
    staged = stage(batch.lake, connection, dataset, list(batch.files), progress)
    load_known_keys(batch, [])
    audited = audit(connection, dataset, staged)
    _refuse_what_fails(dataset, audited)
    good, rejected = good_rows(connection), rejected_rows(connection)
    replaced = data_files(batch.table, dataset.partition)
    everything = frozenset({file.partition_key for file in replaced} | {key for key, _ in good})
    plan = plan_merge(connection, dataset, replaced, everything)
    written = batch.write(plan)
    for one in audited:
        write_rejects_of(batch, one.staged)
    accounts = accounts_of(audited, plan, good, count_by_file(connection, written), {})
    batch.prove(plan, accounts.values(), written)
    rows = partition_rows(good, plan, rejected, everything)
    partitions = tuple(sorted(everything))
    receipt = BatchReceipt(tuple(accounts.values()), {}, partitions, rows, hidden=plan.hidden)
    snapshot_id, now = batch.commit(plan, written, receipt)
    return Published(tuple(audited), accounts, changes(rows, good, now), snapshot_id)


def _refuse_what_reads_otherwise(batch: Batch, staged: list[StagedFile]) -> None:
    """A rebuild from files that read otherwise than when they were published would lose rows."""
    name = batch.dataset.name
    booked = batch.lake.ledger.partitions_of_files(one.file.id for one in staged)
    now: defaultdict[int, set[str]] = defaultdict(set)
    for key, file_id in good_rows(batch.connection):
        now[file_id].add(key)
    for one in staged:
        otherwise = one.reads_otherwise
        if moved := sorted(now[one.file.id] ^ booked.get(one.file.id, frozenset())):
            otherwise = otherwise or f"has its rows in other partitions than when it was published: {moved[:5]}"
        if otherwise:
            raise RebuildRefused(
                f"Rebuilding partitions of {name!r}: {one.file.raw_key!r} {otherwise}. "
                "The contract, the object or the platform is another since. Restore it, or rebuild the whole table as "
                f"files are read now: slice rebuild {name}. Nothing was changed."
            )


def _refuse_what_fails(dataset: Dataset, audited: list[AuditedFile]) -> None:
    for one in audited:
        if one.refusal:
            raise RebuildRefused(
                f"Rebuilding {dataset.name!r}: {one.staged.file.source_key!r} is refused under the contract as it is "
                f"now: {one.refusal}. Mend the contract, or take the file out of the table: "
                f"slice retract {dataset.name} {one.staged.file.id}. Nothing was changed."
            )
