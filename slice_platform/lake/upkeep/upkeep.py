"""The upkeep of one table, from small files to forgotten objects; cheap where nothing is to do."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from slice_platform.lake.attempts import recover
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import LostRaceError, data_files, load_table
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.upkeep.compaction import Compacted, compact
from slice_platform.lake.upkeep.expiry import expire, expired_snapshots
from slice_platform.lake.upkeep.orphans import Orphans, find_orphans, remove_abandoned_spill, remove_orphans
from slice_platform.lake.upkeep.small_files import SmallFiles, small_files


@dataclass(frozen=True)
class Upkept:
    """What one upkeep did to one table."""

    compacted: Compacted
    expired_snapshots: int
    removed: Orphans
    removed_spill: int
    seconds: float


@dataclass(frozen=True)
class UpkeepPlan:
    """What an upkeep would do to one table now. Files of snapshots that are expired first are not in `orphans`."""

    small_files: tuple[SmallFiles, ...]
    expired_snapshots: int
    orphans: Orphans


def upkeep(lake: Lake, name: str, now: datetime | None = None) -> Upkept:
    """Compact, expire and clean up one table; safe beside ingest and queries, and safe to repeat.

    A business table has no small files: each build writes its partitions whole.

    Raises:
        UpkeepRefused: it cannot be told for sure what the table needs; nothing was deleted.
        ContractError, AccountingError, TransientError: as for an ingest.
    """
    started, table = time.monotonic(), lake.table(name)
    moment = now or datetime.now(UTC)
    compacted = compact(lake, table) if isinstance(table, Dataset) else Compacted()
    expired = _expire(lake, table, moment)
    removed = remove_orphans(lake, table, moment)
    spill = remove_abandoned_spill(lake, moment)
    return Upkept(compacted, expired, removed, len(spill), time.monotonic() - started)


def plan_upkeep(lake: Lake, name: str, now: datetime | None = None) -> UpkeepPlan:
    """Look only: nothing is written or deleted."""
    definition, moment = lake.table(name), now or datetime.now(UTC)
    table = load_table(lake, definition)
    is_gathered = table is not None and isinstance(definition, Dataset)
    files = data_files(table, definition.partition) if table and is_gathered else []
    expired = expired_snapshots(table, lake.settings, moment) if table else []
    return UpkeepPlan(tuple(small_files(lake.settings, files)), len(expired), find_orphans(lake, definition, moment))


def _expire(lake: Lake, dataset: TableDefinition, now: datetime) -> int:
    with lake.ledger.exclusive(dataset.ledger_key):
        recover(lake, dataset)
        try:
            return expire(lake, dataset, now)
        except LostRaceError:  # by a writer who does not take the lock; the next upkeep finds them again
            return 0
