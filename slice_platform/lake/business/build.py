"""Partitions of a business table made from its inputs: selected, judged, and published in one commit.

What a partition was made from is booked with the commit. The versions are read before the snapshots are, so that what
is booked is never newer than what was read: a change in between is built once more, and never missed.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import duckdb
from pyiceberg.table import Table

from slice_platform.engine import run
from slice_platform.errors import ModelFailed
from slice_platform.lake.accounts import Published
from slice_platform.lake.attempts import recover, with_attempts
from slice_platform.lake.audit import Verdict
from slice_platform.lake.batch import abandon, folder_of, settle
from slice_platform.lake.business.behind import Standing, behind, standing
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.judging import failed, judge, same_rows
from slice_platform.lake.business.selecting import MADE, prepare, select_into
from slice_platform.lake.business.sources import Sources
from slice_platform.lake.engine import engine
from slice_platform.lake.evolution import adopted_schema, can_follow
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import Target, write_sorted
from slice_platform.lake.table import DataFile, commit, data_files, ensure_table
from slice_platform.lake.table_definition import names_of
from slice_platform.lake.table_schema import field_ids
from slice_platform.records import BatchReceipt, PartitionRow, PartitionRows

_USUAL_ROW_BYTES = 40  # stored, of a table that has no row yet
Progress: TypeAlias = Callable[[int, int], None]  # partitions made, of how many


@dataclass(frozen=True)
class PartitionBuild:
    """What became of one partition. `verdicts` is empty where a crash came between the commit and the telling of it."""

    key: str
    rows: int
    verdicts: tuple[Verdict, ...] = ()
    is_changed: bool = True  # False: it has the rows that it had, and nothing downstream is behind
    now: PartitionRow | None = None  # None: refused, and as it was before

    @property
    def refusal(self) -> str | None:
        """Why the partition was not published, or None."""
        reasons = [f"{v.check}: {v.message}" for v in self.verdicts if v.is_blocking and not v.passed]
        return "; ".join(reasons) or None


@dataclass(frozen=True)
class Build:
    """The outcome of one build."""

    partitions: tuple[PartitionBuild, ...] = ()
    snapshot_id: int | None = None
    seconds: float = 0.0

    @property
    def refused(self) -> tuple[PartitionBuild, ...]:
        return tuple(one for one in self.partitions if one.refusal)


def refresh(lake: Lake, table: BusinessTable, progress: Progress = lambda _done, _of: None) -> list[Build]:
    """Every partition that is behind is built, in one commit; nothing happens where none is.

    Atomic, and safe to repeat: a partition is never built twice for one version of its inputs.

    Raises: as `build`.
    """
    with lake.ledger.exclusive(table.ledger_key):
        finished = [_recovered(one) for one in recover(lake, table)]
        keys = [one.partition_key for one in behind(lake, table)]
        return [*finished, _build(lake, table, keys, progress)] if keys else finished


def build(
    lake: Lake, table: BusinessTable, keys: Sequence[str], progress: Progress = lambda _done, _of: None
) -> list[Build]:
    """These partitions are built, behind or not, in one commit.

    A partition that fails a blocking check stays as it was, and is in `refused`; the others are published.

    Raises:
        SettingsError: personal data is to be hashed and there is no key.
        CommitLost: other writers won every attempt.
        DatasetBusy, StoreUnavailable, TransientError: the same may succeed later; nothing was committed.
    """
    with lake.ledger.exclusive(table.ledger_key):
        finished = [_recovered(one) for one in recover(lake, table)]
        return [*finished, _build(lake, table, keys, progress)]


def _build(lake: Lake, table: BusinessTable, keys: Sequence[str], progress: Progress) -> Build:
    started, made = time.monotonic(), Build()

    def once(batch_id: str) -> Published:
        nonlocal made
        stands = standing(lake, table)
        with engine(lake) as connection:
            attempt = _Attempt(batch_id, lake, connection, table, ensure_table(lake, table, anew=True), stands)
            made = attempt.run(keys, progress)
        return Published((), snapshot_id=made.snapshot_id)

    done = with_attempts(lake, table, once)
    # A commit that only seemed lost was booked by `recover`, which knows what it did.
    told = made if made.partitions else _recovered(done)
    return replace(told, snapshot_id=done.snapshot_id, seconds=time.monotonic() - started)


def _recovered(done: Published) -> Build:
    parts = tuple(PartitionBuild(one.key, one.rows.good, now=one.now) for one in done.partitions)
    return Build(parts, done.snapshot_id)


@dataclass(frozen=True)
class _Attempt:
    """One attempt: what is written is named after the batch, and visible once it is committed."""

    batch_id: str
    lake: Lake
    connection: duckdb.DuckDBPyConnection
    table: BusinessTable
    stored: Table
    stands: Standing

    def run(self, keys: Sequence[str], progress: Progress) -> Build:
        before = _by_partition(data_files(self.stored, self.table.partition))
        # Rows of a definition that the table cannot follow may not stay beside new ones.
        anew = not can_follow(self.stored, self.table)
        wanted = sorted({*keys, *self.stands.due(), *before}) if anew else sorted(set(keys))
        self.lake.ledger.open_batch(self.batch_id, self.table.ledger_key)
        target = self._target(before, anew=anew)
        sources = Sources.load(self.lake, self.connection, self.table)
        prepare(self.connection, self.table, self.lake.settings)
        made, written = list[PartitionBuild](), list[str]()
        for number, key in enumerate(wanted):
            sources.offer(self.stands.keys_read(key))
            one = self._make(key, before.get(key, []), is_new_shape=anew)
            if one.refusal is None and one.is_changed:
                written += write_sorted(self.connection, f"select * from {MADE}", self.table.cluster_by, number, target)
            made.append(one)
            progress(number + 1, len(wanted))
        if all(one.refusal for one in made) or (anew and any(one.refusal for one in made)):
            abandon(self.lake, self.table, self.batch_id)
            return Build(tuple(made))  # anew, all rows are replaced or none
        return self._publish(made, before, written, anew=anew)

    def _make(self, key: str, before: list[DataFile], *, is_new_shape: bool) -> PartitionBuild:
        """The rows of a partition are in the table `MADE`, and judged; one that fails keeps no other back."""
        try:
            select_into(self.connection, self.table, key, self.lake.settings)
        except ModelFailed as error:
            return PartitionBuild(key, 0, (failed(error),))
        (rows,) = run(self.connection, f"select count(*) from {MADE}")[0]
        verdicts = tuple(judge(self.connection, self.table, key))
        same = not is_new_shape and same_rows(self.connection, self.table, [file.path for file in before])
        return PartitionBuild(key, rows, verdicts, is_changed=not same)

    def _publish(
        self, made: list[PartitionBuild], before: dict[str, list[DataFile]], written: list[str], *, anew: bool
    ) -> Build:
        accepted = [one for one in made if one.refusal is None]
        changed = [one.key for one in accepted if one.is_changed]
        remove = [file for key, files in before.items() if anew or key in changed for file in files]
        receipt = BatchReceipt(
            partitions=tuple(changed),
            rows=tuple(PartitionRows(one.key, one.rows, 0, 0) for one in accepted),
            built=tuple(self.stands.made_from(one.key) for one in accepted),
            makes_snapshot=bool(remove or written),
        )
        self.lake.ledger.promise_batch(self.batch_id, receipt)
        snapshot_id = None
        if receipt.makes_snapshot:
            snapshot_id = commit(
                self.stored, remove=remove, add=written, batch_id=self.batch_id, dataset=self.table, anew=anew
            ).snapshot_id
        settle(self.lake, self.table, self.stored, self.batch_id, receipt, snapshot_id)
        now = {row.partition_key: row for row in self.lake.ledger.list_partitions(self.table.ledger_key)}
        told = (one if one.refusal else replace(one, now=now.get(one.key)) for one in made)
        return Build(tuple(told), snapshot_id)

    def _target(self, before: dict[str, list[DataFile]], *, anew: bool) -> Target:
        folder, files = folder_of(self.table, self.batch_id), [file for one in before.values() for file in one]
        self.lake.store.make_dir(folder)
        rows = sum(file.rows for file in files)
        return Target(
            folder=self.lake.store.path(folder),
            field_ids=field_ids(adopted_schema(self.stored, self.table, anew=anew)),
            file_bytes=self.lake.settings.target_file_bytes,
            bytes_per_row=sum(file.size_bytes for file in files) / rows if rows else _USUAL_ROW_BYTES,
            threads=self.lake.settings.duckdb_threads,
            columns=len(names_of(self.table)),
        )


def _by_partition(files: Iterable[DataFile]) -> dict[str, list[DataFile]]:
    found: dict[str, list[DataFile]] = {}
    for file in files:
        found.setdefault(file.partition_key, []).append(file)
    return found
