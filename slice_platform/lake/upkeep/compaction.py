"""Small files of a partition become sorted files of the target size. No row changes, and no reader breaks.

Every commit goes the way of an ingest: announced, written, proved, committed, booked; a crash is made good by
`recover`. What was replaced stays stored until its snapshot expires, so whoever planned on it reads on.
"""

import time
from dataclasses import dataclass, replace

from slice_platform.engine import run
from slice_platform.errors import AccountingError
from slice_platform.lake.accounts import Published
from slice_platform.lake.attempts import recover, with_attempts
from slice_platform.lake.batch import Batch
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine
from slice_platform.lake.evolution import refuse_contradictions
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import OWN_COLUMNS, existing_rows
from slice_platform.lake.merge import plan_merge
from slice_platform.lake.reader import stage
from slice_platform.lake.table import data_files, load_table
from slice_platform.lake.upkeep.small_files import SmallFiles, one_commit, small_files
from slice_platform.records import BatchReceipt
from slice_platform.sql_text import quoted

_GIVE_WAY_SECONDS = 0.5  # between commits: longer than those who wait for the dataset sleep between their tries


@dataclass(frozen=True)
class Compacted:
    """What compaction did to one table."""

    commits: int = 0
    files_before: int = 0  # that were replaced
    files_after: int = 0  # that replaced them
    bytes_before: int = 0
    bytes_after: int = 0
    partitions: frozenset[str] = frozenset()

    def __add__(self, other: "Compacted") -> "Compacted":
        return Compacted(
            self.commits + other.commits,
            self.files_before + other.files_before,
            self.files_after + other.files_after,
            self.bytes_before + other.bytes_before,
            self.bytes_after + other.bytes_after,
            self.partitions | other.partitions,
        )


def compact(lake: Lake, dataset: Dataset) -> Compacted:
    """Rewrite small files until no partition has too many of them; safe beside ingest, and safe to repeat.

    The dataset is held for one commit of bounded size at a time, and let go in between.

    Raises:
        ContractError: the contract contradicts the table; nothing was rewritten.
        AccountingError: the rows written are not those read; that commit was not made.
        CommitLost, DatasetBusy, StoreUnavailable: as for an ingest; commits made before stay.
    """
    total = Compacted()
    while True:
        with lake.ledger.exclusive(dataset.name):
            recover(lake, dataset)
            done = _compact_once(lake, dataset)
        total += done
        if not done.commits or done.files_after >= done.files_before:
            return total
        time.sleep(_GIVE_WAY_SECONDS)


def _compact_once(lake: Lake, dataset: Dataset) -> Compacted:
    table = load_table(lake, dataset)
    if table is None or not small_files(lake.settings, data_files(table, dataset.partition)):
        return Compacted()  # without announcing a batch, as most days
    made = Compacted()

    def once(batch_id: str) -> Published:
        nonlocal made
        with engine(lake) as connection:
            now = load_table(lake, dataset)
            assert now is not None
            refuse_contradictions(now, dataset)
            chosen = one_commit(small_files(lake.settings, data_files(now, dataset.partition)))
            if not chosen:
                return Published(())
            snapshot_id, made = _rewrite(Batch(batch_id, lake, connection, dataset, now, ()), chosen)
        return Published((), snapshot_id=snapshot_id)

    with_attempts(lake, dataset, once)
    return made


def _rewrite(batch: Batch, chosen: list[SmallFiles]) -> tuple[int | None, Compacted]:
    dataset, connection = batch.dataset, batch.connection
    stage(batch.lake, connection, dataset, [])
    files = tuple(file for one in chosen for file in one.files)
    keys = tuple(sorted(one.partition_key for one in chosen))
    plan = replace(plan_merge(connection, dataset, []), remove=files, partitions=keys)
    written = batch.write(plan)
    batch.prove(plan, (), written)
    _prove_same_rows(batch, [file.path for file in files], written)
    snapshot_id, _ = batch.commit(plan, written, BatchReceipt(partitions=keys, keeps_versions=True))
    before = sum(file.size_bytes for file in files)
    now = {file.path: file.size_bytes for file in data_files(batch.table, dataset.partition)}
    after = sum(now[path] for path in written)
    return snapshot_id, Compacted(1, len(files), len(written), before, after, frozenset(keys))


def _prove_same_rows(batch: Batch, before: list[str], after: list[str]) -> None:
    """Of every source file as many rows, with the same values: read back from Parquet, both times."""
    columns = ", ".join(quoted(name) for name in (*batch.dataset.contract.names, *OWN_COLUMNS))

    def told(paths: list[str]) -> list[tuple[int, int, int]]:
        rows = existing_rows(batch.dataset, paths)
        counted = f"select _file_id, count(*), sum(hash({columns})) from {rows} group by 1 order by 1"
        return run(batch.connection, counted)

    if told(before) != told(after):
        raise AccountingError(
            f"Compacting {batch.dataset.name!r}: the {len(after)} files that were written do not hold the rows of the "
            f"{len(before)} files they replace; nothing was committed. This is a fault of the platform: keep the "
            "run's log and report it."
        )
