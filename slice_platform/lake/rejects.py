"""Quarantine: why a file or a row was set aside, kept so that a person can read it and a program replay it."""

import json
from collections.abc import Iterable
from csv import writer
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

from slice_platform.lake.lake import QUARANTINE, STRAYS, Lake
from slice_platform.records import FileAccount, FileRow
from slice_platform.store import Store

HEADER = ("file", "line", "column", "reason", "raw")


@dataclass(frozen=True)
class Reject:
    """One reason why one row was set aside. `line` is the row's first line in the file, from 1; None if unknown."""

    row: int
    line: int | None
    raw: str
    column: str | None
    reason: str


def folder_of(file: FileRow) -> str:
    return _folder(file.dataset, file.id)


def write_reason(store: Store, file: FileRow, why: str) -> None:
    """Leave `reason.json`: the file as the ledger knows it, and why it was set aside as a whole."""
    facts: dict[str, str | int | list[str] | None] = {
        "dataset": file.dataset,
        "file": file.source_key,
        "file_id": file.id,
        "kept_at": file.raw_key,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "received_at": file.received_at.isoformat(),
        "reason": why,
    }
    if "\n" in why:
        facts["reason_lines"] = why.splitlines()  # as a person reads it, who opens the file
    store.remove_unfinished(folder_of(file))  # of a writer that died: only the holder of the dataset writes here
    store.write(f"{folder_of(file)}/reason.json", (json.dumps(facts, indent=2) + "\n").encode())


def write_rejects(lake: Lake, file: FileRow, rejects: Iterable[Reject], batch_id: str | None = None) -> None:
    """Leave `rejects.csv`: one line per reason, in the order of the rows. Written as it is read, never held whole.

    With a batch it waits aside until `settle_rejects`: what readers find belongs to what is committed.
    """
    key = f"{folder_of(file)}/rejects.csv" if batch_id is None else _waiting(file.dataset, batch_id, file.id)
    lake.settings.spill_dir.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=lake.settings.spill_dir, newline="", encoding="utf-8", errors="replace") as aside:
        lines = writer(aside)
        lines.writerow(HEADER)
        for reject in rejects:
            lines.writerow((file.source_key, reject.line, reject.column, reject.reason, reject.raw))
        aside.flush()
        lake.store.copy_in(aside.name, key)


def settle_rejects(store: Store, dataset: str, batch_id: str, accounts: Iterable[FileAccount]) -> None:
    """Make quarantine what a committed batch says: its rejects are there, what passed has left. Idempotent."""
    settled = list(accounts)
    for account in settled:
        folder, waiting = _folder(dataset, account.file_id), _waiting(dataset, batch_id, account.file_id)
        if account.was_set_aside:
            store.remove_tree(_folder(STRAYS, account.file_id))
        if account.was_set_aside and not account.rejected:
            store.remove_tree(folder)
        elif account.was_set_aside:
            store.remove(f"{folder}/reason.json")
            store.remove_tree(f"{folder}/file")
        if account.rejected and store.stat(waiting) is not None:
            store.remove_unfinished(folder)
            store.copy(waiting, f"{folder}/rejects.csv")
    if any(account.rejected for account in settled):
        drop_waiting_rejects(store, dataset, batch_id)


def drop_waiting_rejects(store: Store, dataset: str, batch_id: str) -> None:
    """Forget the rejects of a batch that was not committed."""
    store.remove_tree(f"{QUARANTINE}/{dataset}/_waiting/{batch_id}")


def _folder(dataset: str, file_id: int) -> str:
    return f"{QUARANTINE}/{dataset}/{file_id:08d}"


def _waiting(dataset: str, batch_id: str, file_id: int) -> str:
    return f"{QUARANTINE}/{dataset}/_waiting/{batch_id}/{file_id:08d}.csv"
