"""What became of the rows of a batch, counted by file and by partition."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

import duckdb

from slice_platform.engine import run
from slice_platform.lake.audit import AuditedFile
from slice_platform.lake.merge import MergePlan
from slice_platform.records import FileAccount, PartitionRow, PartitionRows, Withdrawal

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
    withdrawn: tuple[Withdrawal, ...] = ()
    seconds: float = 0.0


def good_rows(connection: duckdb.DuckDBPyConnection) -> RowCounts:
    rows = run(connection, "select _partition, _file_id, count(*) from stage where _errors is null group by all")
    return {(key, file_id): count for key, file_id, count in rows}


def rejected_rows(connection: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Rejects by partition, as far as their partition can be told."""
    rows = "select _partition, count(*) from stage where _errors is not null and _partition is not null group by 1"
    return Counter(dict(run(connection, rows)))


def accounts_of(
    accepted: list[AuditedFile], plan: MergePlan, good: RowCounts, published: dict[int, int], outdated: dict[int, int]
) -> dict[int, FileAccount]:
    """One account per file; `outdated` files have all their good rows hidden by the later version of their name."""
    duplicate: Counter[int] = Counter()
    for (_, file_id), count in plan.duplicates.items():
        duplicate[file_id] += count
    for file_id, count in counted_by_file(good, outdated).items():
        duplicate[file_id] = count
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
            read_as=one.staged.read_as,
            superseded_by=outdated.get(one.staged.file.id),
            was_set_aside=one.staged.file.error is not None or one.staged.file.rows_rejected > 0,
        )
        for one in accepted
    }


def partition_rows(
    good: RowCounts, plan: MergePlan, rejected: Counter[str], also: Iterable[str]
) -> tuple[PartitionRows, ...]:
    read: Counter[str] = Counter()
    duplicate: Counter[str] = Counter()
    for (key, _), count in good.items():
        read[key] += count
    for (key, file_id), count in plan.duplicates.items():
        if (key, file_id) in good:  # not of files whose hidden rows competed anew
            duplicate[key] += count
    keys = sorted({*read, *plan.partitions, *also})
    return tuple(PartitionRows(key, read[key], duplicate[key], rejected[key]) for key in keys)


def changes(
    rows: Iterable[PartitionRows], everywhere: RowCounts, now: list[PartitionRow]
) -> tuple[PartitionChange, ...]:
    standing = {row.partition_key: row for row in now}
    by_file: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for (key, file_id), count in everywhere.items():
        by_file[key][file_id] = count
    return tuple(PartitionChange(one, standing.get(one.partition_key), by_file[one.partition_key]) for one in rows)


def counted_by_file(rows: RowCounts, file_ids: Iterable[int]) -> Counter[int]:
    wanted, found = set(file_ids), Counter[int]()
    for (_, file_id), count in rows.items():
        if file_id in wanted:
            found[file_id] += count
    return found
