"""A commit is tried until it succeeds or cannot; what a crash left is finished before the next one.

A batch whose snapshot is there is booked, the data files of any other are removed.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from slice_platform.errors import CommitLost
from slice_platform.lake.accounts import Published, changes
from slice_platform.lake.batch import abandon, settle
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import LostRaceError, fence, load_table, snapshot_of_batch
from slice_platform.lake.table_definition import TableDefinition


def recover(lake: Lake, dataset: TableDefinition) -> list[Published]:
    """Finish what a crash left: book batches that were committed, remove the data files of those that were not.

    Returns the batches that were booked, as far as their receipts tell: the files' checks are not in them.
    """
    open_batches = lake.ledger.open_batches(dataset.ledger_key)
    table = load_table(lake, dataset) if open_batches else None
    booked = []
    for batch in open_batches:
        snapshot, receipt = snapshot_of_batch(table, batch.id), batch.receipt
        if table is not None and receipt is not None and receipt.makes_snapshot and snapshot is None:
            table = fence(lake, dataset)  # its commit may be under way yet
            snapshot = snapshot_of_batch(table, batch.id)
        if table is None or receipt is None or (snapshot is None and receipt.makes_snapshot):
            abandon(lake, dataset, batch.id)
            continue
        snapshot_id = snapshot.snapshot_id if snapshot else None
        now = settle(lake, dataset, table, batch.id, receipt, snapshot_id)
        accounts = {account.file_id: account for account in receipt.files}
        booked.append(Published((), accounts, changes(receipt.rows, {}, now), snapshot_id, receipt.withdrawn))
    return booked


def with_attempts(lake: Lake, dataset: TableDefinition, once: Callable[[str], Published]) -> Published:
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
