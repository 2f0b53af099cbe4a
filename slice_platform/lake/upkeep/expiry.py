"""Snapshots let go: which a table keeps, and the commit that forgets the others. No file is deleted here."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import AssertRefSnapshotId, AssertTableUUID, RemoveSnapshotsUpdate

from slice_platform.lake.catalog import told_by_catalog
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import LostRaceError, load_table
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.settings import Settings

_NEWEST_KEPT = 3  # whatever their age


def expire(lake: Lake, dataset: TableDefinition, now: datetime) -> int:
    """Forget the snapshots that nobody needs any more, in one commit; how many.

    The caller holds `lake.ledger.exclusive(dataset.ledger_key)` and has called `recover`, which may need the
    snapshots of open batches.

    Raises:
        LostRaceError: another writer was faster; nothing changed.
    """
    table = load_table(lake, dataset)
    expired = expired_snapshots(table, lake.settings, now) if table else []
    if table is None or not expired:
        return 0
    # pyiceberg's `maintenance.expire_snapshots` copies all metadata twice for each snapshot: minutes for a thousand.
    current = table.current_snapshot()
    held = AssertRefSnapshotId(ref=MAIN_BRANCH, snapshot_id=current.snapshot_id if current else None)
    try:
        with told_by_catalog("expire snapshots of", dataset.name):
            table.catalog.commit_table(
                table,
                (AssertTableUUID(uuid=table.metadata.table_uuid), held),
                (RemoveSnapshotsUpdate(snapshot_ids=[one.snapshot_id for one in expired]),),
            )
    except CommitFailedException as error:
        raise LostRaceError(str(error)) from error
    return len(expired)


def expired_snapshots(table: Table, settings: Settings, now: datetime) -> list[Snapshot]:
    """Snapshots to let go. One's age counts from when the next replaced it: until then queries began on it.

    All are kept for `reader_hours`, then the last of each hour for `snapshot_hours`; and always the newest few,
    and those that a branch or tag names.
    """
    history = sorted(table.metadata.snapshots, key=lambda one: one.sequence_number or 0)
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    kept = named | {one.snapshot_id for one in history[-_NEWEST_KEPT:]} | _kept_by_age(history, settings, now)
    return [one for one in history if one.snapshot_id not in kept]


def _kept_by_age(history: list[Snapshot], settings: Settings, now: datetime) -> set[int]:
    kept: set[int] = set()
    hours: set[datetime] = set()
    for one, successor in reversed(list(pairwise(history))):
        replaced_at = datetime.fromtimestamp(successor.timestamp_ms / 1000, UTC)
        made_at = datetime.fromtimestamp(one.timestamp_ms / 1000, UTC)
        hour = made_at.replace(minute=0, second=0, microsecond=0)
        hours_kept = settings.reader_hours if hour in hours else max(settings.reader_hours, settings.snapshot_hours)
        hours.add(hour)
        if now - replaced_at < timedelta(hours=hours_kept):
            kept.add(one.snapshot_id)
    return kept
