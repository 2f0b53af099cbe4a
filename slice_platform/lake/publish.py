"""Raw to curated: read, audit, merge and commit a batch of files, and tell what became of every row."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from slice_platform.lake.accounts import (
    Published,
    RowCounts,
    accounts_of,
    changes,
    counted_by_file,
    good_rows,
    partition_rows,
    rejected_rows,
)
from slice_platform.lake.attempts import with_attempts
from slice_platform.lake.audit import AuditedFile, audit
from slice_platform.lake.batch import Batch, count_by_file, load_known_keys, outgrows_memory, write_rejects_of
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine
from slice_platform.lake.hidden import holding, stage_returning
from slice_platform.lake.lake import Lake
from slice_platform.lake.merge import Leaving, MergePlan, key_bounds, plan_merge
from slice_platform.lake.reader import drop_staged, stage
from slice_platform.lake.rejects import write_reason
from slice_platform.lake.table import DataFile, data_files, ensure_table
from slice_platform.lake.versions import succession, versions_by_file
from slice_platform.records import BatchReceipt, FileRow, FileStatus, Withdrawal

Progress: TypeAlias = Callable[[int], None]
Refuses: TypeAlias = Callable[[list[AuditedFile]], bool]


def publish(
    lake: Lake,
    dataset: Dataset,
    files: list[FileRow],
    progress: Progress = lambda _: None,
    *,
    retracted: Iterable[int] = (),
    refuses: Refuses = lambda _: False,
) -> Published:
    """Publish the good rows of the files in one commit; files that fail a blocking check are quarantined.

    Earlier versions of their names, and the files in `retracted`, leave the table in the same commit, and
    rows that these had hidden come back. A file that is published already is published anew (a replay).
    `refuses` is asked before any file is set aside, and may say that nothing is published; good files stay received.
    Atomic, and safe to repeat. The caller holds `lake.ledger.exclusive(dataset.name)` and has called `recover`.

    Raises:
        CommitLost: other writers won every attempt.
        AccountingError: the rows do not add up; nothing was committed.
        RebuildRefused: rows that come back are in a file that no longer passes its audit; nothing was committed.
        StoreUnavailable: disk, memory or store gave way; nothing was committed.
    """
    withdrawn = tuple(retracted)

    def once(batch_id: str) -> Published:
        read = (*files, *_may_return(lake, dataset, files, withdrawn))
        with engine(lake, on_disk=outgrows_memory(dataset, read)) as connection:
            batch = Batch(batch_id, lake, connection, dataset, ensure_table(lake, dataset), tuple(files))
            return _publish_once(batch, withdrawn, refuses, progress)

    return with_attempts(lake, dataset, once)


@dataclass(frozen=True)
class _Judged:
    """What the files of a batch have, and which of them pass."""

    audited: tuple[AuditedFile, ...]
    accepted: tuple[AuditedFile, ...]
    everywhere: RowCounts  # good rows, those of refused files included
    rejected: Counter[str]

    @property
    def partitions(self) -> set[str]:
        return {key for key, _ in self.everywhere}


def _publish_once(batch: Batch, retracted: tuple[int, ...], refuses: Refuses, progress: Progress) -> Published:
    judged = _judge(batch, refuses, progress)
    if judged.accepted or retracted:
        return _put(batch, judged, retracted)
    rows = partition_rows({}, MergePlan((), (), {}, {}), Counter(), judged.partitions)
    return Published(judged.audited, {}, changes(rows, judged.everywhere, []))


def _judge(batch: Batch, refuses: Refuses, progress: Progress) -> _Judged:
    """Read and audit the files; those that fail are set aside, and their rows are out of the stage."""
    lake, connection, dataset = batch.lake, batch.connection, batch.dataset
    staged = stage(lake, connection, dataset, list(batch.files), progress)
    if dataset.spec.mode == "append":
        load_known_keys(batch, data_files(batch.table, dataset.partition))
    audited = audit(connection, dataset, staged, versions_by_file(lake, dataset.name, batch.files))
    everywhere, rejected = good_rows(connection), rejected_rows(connection)
    is_refused = refuses(audited)
    accepted = _set_bad_ones_aside(batch, audited)
    return _Judged(tuple(audited), () if is_refused else tuple(accepted), everywhere, rejected)


def _put(batch: Batch, judged: _Judged, retracted: tuple[int, ...]) -> Published:
    """Merge what is staged into the table, let what is withdrawn go, and commit."""
    lake, connection, dataset = batch.lake, batch.connection, batch.dataset
    accepted = list(judged.accepted)
    named = succession(lake, dataset.name, [one.staged.file for one in accepted])
    withdrawn = (*named.withdrawn, *map(Withdrawal, retracted))
    outdated = _take_outdated(batch, named.outdated)
    again = {one.staged.file.id for one in accepted if one.staged.file.status is FileStatus.PUBLISHED}
    leaving = frozenset(again | {one.file_id for one in withdrawn})
    returning = stage_returning(batch, leaving, {one.staged.file.id for one in accepted})
    accepted += returning.reread
    good = {place: rows for place, rows in good_rows(connection).items() if place[1] not in returning.files}
    held = holding(batch, returning.withdrawn)
    plan = plan_merge(connection, dataset, _rivals(batch, held), withdrawn=Leaving(returning.withdrawn, tuple(held)))
    written = batch.write(plan)
    for one in accepted:
        write_rejects_of(batch, one.staged)
    accounts = accounts_of(accepted, plan, good | outdated, count_by_file(connection, written), named.outdated)
    batch.prove(plan, accounts.values(), written)
    came_back = counted_by_file(good_rows(connection), returning.files)
    rows = partition_rows(good, plan, judged.rejected, judged.partitions)
    receipt = BatchReceipt(
        files=tuple(accounts.values()),
        superseded=_moved(plan, came_back, accounts.keys() | {one.file_id for one in withdrawn}),
        partitions=plan.partitions,
        rows=rows,
        withdrawn=withdrawn,
        hidden=plan.hidden,
    )
    snapshot_id, now = batch.commit(plan, written, receipt)
    return Published(judged.audited, accounts, changes(rows, judged.everywhere, now), snapshot_id, withdrawn)


def _may_return(lake: Lake, dataset: Dataset, files: list[FileRow], retracted: tuple[int, ...]) -> list[FileRow]:
    """Files that are likely to be read, too: rows of theirs are hidden by what is to leave the table."""
    versions = versions_by_file(lake, dataset.name, files).values()
    leaving = {*retracted, *(file_id for ids in versions for file_id in ids)}
    return lake.ledger.hidden_below(leaving) if dataset.spec.mode != "append" else []


def _take_outdated(batch: Batch, outdated: dict[int, int]) -> RowCounts:
    """Take the good rows of files of which a later version counts out of the stage; how many there were."""
    rows = {place: count for place, count in good_rows(batch.connection).items() if place[1] in outdated}
    drop_staged(batch.connection, list(outdated), only_good=True)
    return rows


def _rivals(batch: Batch, held: list[DataFile]) -> list[DataFile]:
    """The data files with rows that staged rows may meet, and those with rows that leave."""
    dataset = batch.dataset
    if dataset.spec.mode == "append" or not good_rows(batch.connection):
        return held
    met = data_files(batch.table, dataset.partition, key_bounds(batch.connection, dataset))
    return list({file.path: file for file in (*met, *held)}.values())


def _moved(plan: MergePlan, came_back: Counter[int], booked_otherwise: Iterable[int]) -> dict[int, int]:
    """Rows that files of earlier batches lost by this one; less than none where rows came back."""
    skip = set(booked_otherwise)
    moved = {file: plan.superseded.get(file, 0) - came_back[file] for file in plan.superseded.keys() | came_back.keys()}
    return {file: count for file, count in sorted(moved.items()) if count and file not in skip}


def _set_bad_ones_aside(batch: Batch, audited: list[AuditedFile]) -> list[AuditedFile]:
    """Quarantine refused files; the files that go on. A replay takes nothing away: what was published stays."""
    refused = [one for one in audited if one.refusal is not None]
    for one in refused:
        if one.staged.file.status is not FileStatus.PUBLISHED:
            _quarantine(batch, one, one.refusal or "")
    drop_staged(batch.connection, [one.staged.file.id for one in refused])
    return [one for one in audited if one.refusal is None]


def _quarantine(batch: Batch, one: AuditedFile, reason: str) -> None:
    """Nothing of the file is published; raw keeps its bytes, so all its rows count as set aside."""
    file_id, read = one.staged.file.id, one.staged.rows_read
    batch.lake.ledger.update_file(file_id, error=reason)  # first: whoever publishes it after a crash clears quarantine
    write_reason(batch.lake.store, one.staged.file, reason)
    write_rejects_of(batch, one.staged, is_refused=True)
    batch.lake.ledger.update_file(file_id, status=FileStatus.QUARANTINED, rows_read=read, rows_rejected=read)
