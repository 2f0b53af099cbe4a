"""Quarantine: why a file or a row was set aside, kept so that a person can read it and a program replay it."""

import json
from collections.abc import Iterable
from csv import writer
from dataclasses import dataclass
from tempfile import NamedTemporaryFile

from slice_platform.lake.lake import QUARANTINE, Lake
from slice_platform.records import FileRow
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
    return f"{QUARANTINE}/{file.dataset}/{file.id:08d}"


def write_reason(store: Store, file: FileRow, why: str) -> None:
    """Leave `reason.json`: the file as the ledger knows it, and why it was set aside as a whole."""
    facts = {
        "dataset": file.dataset,
        "file": file.source_key,
        "file_id": file.id,
        "kept_at": file.raw_key,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
        "received_at": file.received_at.isoformat(),
        "reason": why,
    }
    store.write(f"{folder_of(file)}/reason.json", (json.dumps(facts, indent=2) + "\n").encode())


def write_rejects(lake: Lake, file: FileRow, rejects: Iterable[Reject]) -> None:
    """Leave `rejects.csv`: one line per reason, in the order of the rows. Written as it is read, never held whole."""
    lake.settings.spill_dir.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=lake.settings.spill_dir, newline="", encoding="utf-8", errors="replace") as aside:
        lines = writer(aside)
        lines.writerow(HEADER)
        for reject in rejects:
            lines.writerow((file.source_key, reject.line, reject.column, reject.reason, reject.raw))
        aside.flush()
        lake.store.copy_in(aside.name, f"{folder_of(file)}/rejects.csv")
