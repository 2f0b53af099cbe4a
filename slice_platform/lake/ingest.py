"""The main job without Dagster: take what lies in landing, publish it, in as many commits as it needs."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from slice_platform.errors import RebuildRefused
from slice_platform.lake.accounts import Published
from slice_platform.lake.attempts import recover
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import RAW, Lake
from slice_platform.lake.landing import look
from slice_platform.lake.publish import publish
from slice_platform.lake.publish_sets import publish_sets
from slice_platform.lake.rebuild import rebuild
from slice_platform.lake.receive import Received, receive
from slice_platform.records import FileRow, FileStatus

_NOT_IN_RAW = (FileStatus.ARRIVING, FileStatus.REPEATED)  # not yet, or only as an earlier delivery
Progress: TypeAlias = Callable[[str, int, int], None]  # what is done, how many are done, of how many


@dataclass
class Ingested:
    """What one run did for one dataset."""

    received: Received
    batches: list[Published] = field(default_factory=list)


def silent(_what: str, _done: int, _of: int) -> None:
    return None


def ingest(lake: Lake, name: str, progress: Progress = silent) -> Ingested:
    """Afterwards every object that was complete in landing is published, repeated or quarantined. Idempotent."""
    received = receive_pending(lake, name, progress)
    return Ingested(received, list(publish_pending(lake, name, progress)))


def receive_pending(lake: Lake, name: str, progress: Progress = silent) -> Received:
    """Landing to raw for one dataset; waits one tick for files that are still being written."""
    dataset = lake.dataset(name)
    with lake.ledger.exclusive(dataset.name):
        landing = look(lake, dataset.name)
        if landing.still_written:
            time.sleep(lake.settings.landing_tick_seconds)
            landing = look(lake, dataset.name)
        entries = landing.pending.get(dataset.name, [])
        return receive(lake, dataset.name, entries, counter(progress, "received", len(entries)))


def publish_pending(lake: Lake, name: str, progress: Progress = silent) -> Iterator[Published]:
    """Raw to curated for everything received; one `Published` per commit, as it happens.

    What a crash kept from being booked comes first.
    """
    dataset = lake.dataset(name)
    with lake.ledger.exclusive(dataset.name):
        yield from recover(lake, dataset)
        if dataset.spec.sets:
            yield from publish_sets(lake, dataset, counter(progress, "read", 0))
            return
        waiting = lake.ledger.list_files(dataset.name, statuses=[FileStatus.RECEIVED])
        count = counter(progress, "read", len(waiting))
        for batch in batches(lake, waiting):
            yield from _published(lake, dataset, batch, count)


def _published(lake: Lake, dataset: Dataset, batch: list[FileRow], count: Callable[[int], None]) -> Iterator[Published]:
    """One commit; or one per file, where one of them cannot be published before a person decides.

    Raises:
        RebuildRefused: such a file is left received; all others are published first.
    """
    try:
        whole = publish(lake, dataset, batch, count)
    except RebuildRefused:
        if len(batch) == 1:
            raise
    else:
        yield whole
        return
    refused: RebuildRefused | None = None
    for file in batch:
        try:
            yield publish(lake, dataset, [file], count)
        except RebuildRefused as error:
            refused = error
    if refused:
        raise refused


def rebuild_partitions(
    lake: Lake, name: str, partition_keys: list[str] | None = None, progress: Progress = silent
) -> Published:
    """Make exactly these partitions, or the whole table, again from raw, in one commit. Idempotent."""
    dataset = lake.dataset(name)
    with lake.ledger.exclusive(dataset.name):
        recover(lake, dataset)
        return rebuild(lake, dataset, partition_keys, counter(progress, "read", 0))


def altered_files(lake: Lake, name: str) -> list[str]:
    """Raw files that are gone or no longer have the sha256 they were received with; empty when all is well."""
    altered = []
    for file in lake.ledger.list_files(name):
        if file.status in _NOT_IN_RAW or file.raw_key is None or not file.raw_key.startswith(f"{RAW}/"):
            continue
        there = lake.store.stat(file.raw_key)
        if there is None:
            altered.append(f"{file.raw_key} is gone")
        elif lake.store.digest(file.raw_key).sha256 != file.sha256:
            altered.append(f"{file.raw_key} has other bytes than it was received with")
    return altered


def batches(lake: Lake, files: list[FileRow]) -> Iterator[list[FileRow]]:
    """Cut a backlog into batches bounded by files and bytes; a file larger than the bound is a batch alone."""
    batch: list[FileRow] = []
    for file in files:
        bytes_with_it = sum(one.size_bytes for one in batch) + file.size_bytes
        if batch and (len(batch) >= lake.settings.batch_files or bytes_with_it > lake.settings.batch_bytes):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def counter(progress: Progress, what: str, of: int) -> Callable[[int], None]:
    done = 0

    def count(step: int) -> None:
        nonlocal done
        done += step
        progress(what, done, of)

    return count
