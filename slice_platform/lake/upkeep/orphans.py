"""Objects that no snapshot of a table refers to: left by crashes, by expired snapshots, by lost races.

Only what has the names of our data and metadata is ever touched, only below <tier>/<table>/, only when it is
older than the grace period, and only while everything the table needs can be read and is there.
"""

import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from slice_platform.errors import UpkeepRefused
from slice_platform.lake.attempts import recover
from slice_platform.lake.batch import folder_of
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import load_table
from slice_platform.lake.table_definition import TableDefinition, folder_in_lake
from slice_platform.lake.upkeep.references import References
from slice_platform.store import StoredObject

# Data files as DuckDB names them until they are whole and after, manifests, metadata, our own temporary files.
_OURS = re.compile(
    r"data/[0-9a-f]{32}/(tmp_)?[^/]+\.parquet|metadata/[^/]+\.(avro|metadata\.json)|(.*/)?\.[0-9a-f]{32}\.tmp"
)


@dataclass(frozen=True)
class Orphans:
    """Objects that nothing refers to, and what they take."""

    objects: tuple[StoredObject, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(one.size_bytes for one in self.objects)


def find_orphans(lake: Lake, dataset: TableDefinition, now: datetime) -> Orphans:
    """What `remove_orphans` would delete. Changes nothing, and needs no lock."""
    return _find(lake, dataset, now, References(lake, dataset))


def remove_orphans(lake: Lake, dataset: TableDefinition, now: datetime) -> Orphans:
    """Delete what nothing refers to; what was deleted. Raw, quarantine and landing are never looked at.

    Looks without holding the dataset, as reading all metadata may take long, and once more, quickly, while it
    holds it.

    Raises:
        UpkeepRefused: it cannot be told for sure what the table needs; nothing was deleted.
    """
    references = References(lake, dataset)
    suspects = _find(lake, dataset, now, references).objects
    if not suspects:
        return Orphans()
    with lake.ledger.exclusive(dataset.ledger_key):
        recover(lake, dataset)  # from here on there is no open batch, and nobody commits
        table = load_table(lake, dataset)
        needed = references.of(table) if table else {one.key for one in suspects}
        orphans = tuple(one for one in suspects if one.key not in needed)
        for one in orphans:
            lake.store.remove(one.key)
        for folder in sorted({one.key.rpartition("/")[0] for one in orphans if "/data/" in one.key}):
            lake.store.remove_empty_dir(folder)
    return Orphans(orphans)


def remove_abandoned_spill(lake: Lake, now: datetime) -> list[str]:
    """Delete what runs that died left in the spill folder; the names."""
    spill, removed = lake.settings.spill_dir, []
    for entry in sorted(spill.iterdir()) if spill.exists() else []:
        if _newest(entry) < (now - _grace(lake)).timestamp():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
            removed.append(entry.name)
    return removed


def _find(lake: Lake, dataset: TableDefinition, now: datetime, references: References) -> Orphans:
    before = load_table(lake, dataset)
    there = list(lake.store.list(f"{folder_in_lake(dataset)}/"))
    if before is None:
        if there:
            raise UpkeepRefused(
                f"Looking for objects of {dataset.name!r} that nothing refers to: the catalog knows no table "
                f"{dataset.tier}.{dataset.name}, but {folder_in_lake(dataset)}/ holds {len(there)} objects. Nothing "
                "was deleted. Restore the catalog; if the table was dropped on purpose, remove the folder by hand."
            )
        return Orphans()
    if lost := references.current_data(before) - {one.key for one in there}:
        raise UpkeepRefused(
            f"Looking for objects of {dataset.name!r} that nothing refers to: the table needs {min(lost)!r} and "
            f"{len(lost) - 1} others that its folder does not list. Nothing was deleted. Restore them, or rebuild "
            "the partitions they belong to."
        )
    # After the listing: what a commit made meanwhile is not listed, or is referred to by now, or its batch is open.
    open_now = [folder_of(dataset, batch.id) for batch in lake.ledger.open_batches(dataset.ledger_key)]
    table = load_table(lake, dataset)
    needed = references.of(table) if table else {one.key for one in there}
    old = [one for one in there if one.key not in needed and _is_old(lake, one, now) and _is_ours(dataset, one)]
    return Orphans(tuple(one for one in old if not _lies_in(one.key, open_now)))


def _is_old(lake: Lake, one: StoredObject, now: datetime) -> bool:
    return one.written_at is not None and one.written_at < now - _grace(lake)


def _is_ours(dataset: TableDefinition, one: StoredObject) -> bool:
    return _OURS.fullmatch(one.key.removeprefix(f"{folder_in_lake(dataset)}/")) is not None


def _lies_in(key: str, folders: Iterable[str]) -> bool:
    return any(key.startswith(f"{folder}/") for folder in folders)


def _grace(lake: Lake) -> timedelta:
    return timedelta(hours=lake.settings.orphan_hours)


def _newest(entry: Path) -> float:
    """When anything in the folder was last written; now, where it vanishes while it is looked at."""
    try:
        return max(one.stat().st_mtime for one in (entry, *entry.rglob("*")))
    except FileNotFoundError:
        return time.time()
