"""Landing to raw: each object is copied byte for byte, verified, booked, and only then removed from landing.

The steps are ordered so that a crash between any two is repaired by the next call: a copy whose row
says `arriving` is started again, an object whose row says `received` is only removed from landing.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from slice_platform.errors import StoreUnavailable
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import QUARANTINE, RAW, STRAYS, Lake
from slice_platform.lake.landing import dataset_of_key
from slice_platform.lake.landing_sets import completes_a_set, refusal_at_the_door
from slice_platform.lake.rejects import folder_of, write_reason
from slice_platform.ledger import KeyOf
from slice_platform.records import FileRow, FileStatus
from slice_platform.store import Digest, StoredObject

Progress: TypeAlias = Callable[[int], None]
_NAME_BYTES = 200
_LIVE = (FileStatus.RECEIVED, FileStatus.PUBLISHED)


@dataclass
class Received:
    """What one call took from landing; every object is in exactly one list."""

    accepted: list[FileRow] = field(default_factory=list)
    repeated: list[FileRow] = field(default_factory=list)
    quarantined: list[FileRow] = field(default_factory=list)
    changed_meanwhile: list[str] = field(default_factory=list)  # left in landing for the next call

    def of(self, status: FileStatus) -> list[FileRow]:
        if status is FileStatus.REPEATED:
            return self.repeated
        return self.quarantined if status is FileStatus.QUARANTINED else self.accepted


def receive(lake: Lake, dataset: str, entries: list[StoredObject], progress: Progress = lambda _: None) -> Received:
    """Take the objects from landing. Afterwards raw holds each one and the ledger knows it.

    Idempotent and safe to repeat after a crash. The caller holds `lake.ledger.exclusive(dataset)`.

    Raises:
        StoreUnavailable: storage failed; what was not taken is still in landing.
    """
    _repair(lake, dataset)
    received = Received()
    for entry in entries:
        if received.changed_meanwhile and completes_a_set(lake.dataset(dataset), entry.text):
            received.changed_meanwhile.append(entry.key)  # a file of its set may not have been taken
        else:
            _take(lake, dataset, entry, received)
        progress(1)
    return received


def set_aside_strays(lake: Lake, strays: list[StoredObject]) -> list[FileRow]:
    """Move objects of no known dataset to quarantine, with the reason; their bytes are kept."""
    known = ", ".join(sorted(lake.datasets)) or "none"
    with lake.ledger.exclusive(STRAYS):
        _repair(lake, STRAYS)
        received = Received()
        for entry in strays:
            if leftover := _leftover(lake, STRAYS, entry):
                _leave_landing(lake, leftover, entry, received)
                continue
            folder = dataset_of_key(entry.key)
            where = f"landing/{folder}/ belongs to no dataset" if folder else "it lies in landing/ itself, in no folder"
            _quarantine_unread(lake, STRAYS, entry, f"{where}; datasets: {known}", received)
        return received.quarantined


def readmit(lake: Lake, dataset: Dataset, row: FileRow) -> FileRow:
    """Receive a file anew that was set aside; raw holds it afterwards. Idempotent.

    The caller holds `lake.ledger.exclusive(dataset.name)`.
    """
    assert row.raw_key is not None
    if row.raw_key.startswith(f"{RAW}/"):
        return lake.ledger.update_file(row.id, status=FileStatus.RECEIVED)
    # It was refused unread, and lies in quarantine alone.
    raw_key = _raw_key(dataset.name, row.id, row.received_at, row.name)
    lake.store.copy(row.raw_key, raw_key)
    _prove_copy(lake, row.raw_key, raw_key, Digest(row.size_bytes, row.sha256))
    booked = lake.ledger.update_file(row.id, dataset=dataset.name, raw_key=raw_key, status=FileStatus.RECEIVED)
    lake.store.remove_tree(folder_of(row))
    return booked


def _repair(lake: Lake, dataset: str) -> None:
    """Make good what a crash left: unfinished copies go, and what has left landing is booked as such."""
    for row in lake.ledger.files_in_landing(dataset):
        now = lake.store.stat(row.source_key)
        if now is None or now.version != row.version:
            lake.ledger.update_file(row.id, left_landing=True)
    for row in lake.ledger.list_files(dataset, statuses=[FileStatus.ARRIVING]):
        if row.raw_key:
            lake.store.remove(row.raw_key)
            lake.store.remove_unfinished(row.raw_key.rsplit("/", 1)[0])
        lake.store.remove_tree(folder_of(row))
        lake.ledger.forget_file(row.id)


def _leftover(lake: Lake, dataset: str, entry: StoredObject) -> FileRow | None:
    """The row of an object that a crash kept from leaving landing, though it was kept and booked."""
    rows = lake.ledger.list_files(dataset, source_key=entry.text)
    return next((row for row in rows if row.version == entry.version and not row.left_landing), None)


def _take(lake: Lake, dataset: str, entry: StoredObject, received: Received) -> None:
    if leftover := _leftover(lake, dataset, entry):
        _leave_landing(lake, leftover, entry, received)
        return
    if why := refusal_at_the_door(lake, lake.dataset(dataset), entry):
        _quarantine_unread(lake, dataset, entry, why, received)
        return
    earlier = lake.ledger.list_files(dataset, source_key=entry.text)
    row = _copy(lake, dataset, entry, _raw_key)
    if row is None:
        received.changed_meanwhile.append(entry.key)
    elif repeat := _same_as_before(earlier, row):
        # The bytes are in raw already: this delivery is remembered, its copy is not kept.
        if row.raw_key:
            lake.store.remove(row.raw_key)
        booked = lake.ledger.update_file(
            row.id, status=FileStatus.REPEATED, repeat_of=repeat.id, raw_key=repeat.raw_key, sha256=row.sha256
        )
        _leave_landing(lake, booked, entry, received)
    else:
        booked = lake.ledger.update_file(row.id, status=FileStatus.RECEIVED, sha256=row.sha256)
        _leave_landing(lake, booked, entry, received)


def _same_as_before(earlier: list[FileRow], row: FileRow) -> FileRow | None:
    """The version that the name stands for now, if these are its bytes again.

    One that was quarantined is no match: it is dropped once more because the contract was mended.
    """
    latest = next((old for old in reversed(earlier) if old.status is not FileStatus.REPEATED), None)
    return latest if latest and latest.status in _LIVE and latest.sha256 == row.sha256 else None


def _copy(lake: Lake, dataset: str, entry: StoredObject, key_of: KeyOf) -> FileRow | None:
    """Copy an object and verify the copy; None where the object changed under our hands."""
    row = lake.ledger.announce_file(dataset, entry, key_of)
    assert row.raw_key is not None
    try:
        written = lake.store.copy(entry.key, row.raw_key)
    except FileNotFoundError:
        written = None
    now = lake.store.stat(entry.key)
    if written is None or now is None or now.version != entry.version or written.size_bytes != entry.size_bytes:
        lake.store.remove(row.raw_key)
        lake.ledger.forget_file(row.id)
        return None
    return replace(row, sha256=_prove_copy(lake, entry.key, row.raw_key, written).sha256)


def _prove_copy(lake: Lake, source_key: str, key: str, written: Digest) -> Digest:
    """What the store gives back of a copy; raises where it is not what was read."""
    stored = lake.store.digest(key)
    if not stored.agrees_with(written):
        lake.store.remove(key)
        raise StoreUnavailable(
            f"Copying {source_key!r} to {key!r}: what was stored differs from what was read. "
            f"{source_key!r} stays where it is; check the disk or bucket, then run the job again."
        )
    return stored


def _quarantine_unread(lake: Lake, dataset: str, entry: StoredObject, why: str, received: Received) -> None:
    row = _copy(lake, dataset, entry, _quarantine_key)
    if row is None:
        received.changed_meanwhile.append(entry.key)
        return
    write_reason(lake.store, row, why)
    booked = lake.ledger.update_file(row.id, status=FileStatus.QUARANTINED, error=why, sha256=row.sha256)
    _leave_landing(lake, booked, entry, received)


def _leave_landing(lake: Lake, row: FileRow, entry: StoredObject, received: Received) -> None:
    lake.store.remove_version(entry)
    booked = lake.ledger.update_file(row.id, left_landing=True)
    received.of(booked.status).append(booked)


def _raw_key(dataset: str, file_id: int, received_at: datetime, name: str) -> str:
    # Engines would read these characters as a pattern; the ledger keeps the name as it was.
    plain = re.sub(r"[*?\[\]{}]", "_", _shortened(name))
    return f"{RAW}/{dataset}/arrived={received_at:%Y-%m-%d}/{file_id:08d}-{plain}"


def _quarantine_key(dataset: str, file_id: int, _received_at: datetime, name: str) -> str:
    return f"{QUARANTINE}/{dataset}/{file_id:08d}/file/{_shortened(name)}"


def _shortened(name: str) -> str:
    """The end of a name that leaves room for what is put before it: file systems allow 255 bytes."""
    return name.encode()[-_NAME_BYTES:].decode(errors="ignore")
