"""Files that were worked off are put away: to succeeded/ or failed/ of their table, under the time and their name.

What says why a file failed is written before the file moves, so a crash never loses a reason. Just the version that was
worked off moves: what a producer put in its place meanwhile stays.
"""

import csv
import io
import re
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import TypeAdapter

from slice_platform.store import Store, StoredObject
from slice_platform.warehouse.claim import Claim
from slice_platform.warehouse.pending import FAILED, STAGING, Dropped, Stray
from slice_platform.warehouse.refusal import FileRefused, Finding

MOST_LISTED = 1_000  # findings in the .csv
_MOST_TOLD = 20  # findings in the .json
ERROR, ERRORS = ".error.json", ".errors.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs what begins so
_ODD = re.compile(r"[^A-Za-z0-9._=-]+")
Fault: TypeAlias = Literal["file", "platform"]  # the latter: of the platform, or of the database


@dataclass(frozen=True)
class Attempt:
    """When a file was worked off, and by which run; `sha256` is None where it was not read."""

    at: datetime
    run_id: str
    sha256: str | None


@dataclass(frozen=True)
class Report:
    """Why a file failed, as it lies beside it."""

    file: str  # its key when it was dropped
    at: str  # ISO 8601, UTC
    reason: str
    findings: tuple[str, ...]  # the first of `findings_total`
    findings_total: int
    next_step: str
    listed_in: str | None = None  # the .csv beside, with up to 1 000 of them
    table: str | None = None
    sha256: str | None = None
    run_id: str | None = None
    at_fault: Fault = "file"


REPORT = TypeAdapter(Report)


def stage_list(store: Store, claim: Claim, set_aside: Sequence[Finding]) -> None:
    """The list of rows that are left out lies ready before the others are committed: a crash behind that loses none."""
    if set_aside:
        store.write(_staged_list(claim), _csv(set_aside))


def drop_list(store: Store, claim: Claim) -> None:
    """No list lies ready: of this file nothing was loaded."""
    store.remove(_staged_list(claim))


def archive_succeeded(store: Store, dropped: Dropped, at: datetime, list_of: Claim | None = None) -> str:
    """The file lies in succeeded/, with the list of rows that were left out of `list_of`; its key there."""
    key = f"{dropped.path.table.folder}/succeeded/{_stamp(at)}-{dropped.path.name}"
    if list_of is not None and (staged := store.stat(_staged_list(list_of))) is not None:
        _move(store, staged, f"{key}{ERRORS}")
    return _move(store, dropped.entry, key)


def archive_failed(
    store: Store, dropped: Dropped, refused: FileRefused, attempt: Attempt, *, at_fault: Fault = "file"
) -> str:
    """The file lies in failed/, with the reason beside it; its key there."""
    key = f"{dropped.path.table.folder}/failed/{_stamp(attempt.at)}-{dropped.path.name}"
    listed = [finding for finding in refused.findings if finding.line is not None]
    if listed:
        store.write(f"{key}{ERRORS}", _csv(refused.findings[:MOST_LISTED]))
    report = _report(refused, dropped.path.key, attempt.at, _next_step(key, at_fault))
    listed_in = f"{key}{ERRORS}" if listed else None
    about = replace(report, table=str(dropped.path.table), sha256=attempt.sha256, run_id=attempt.run_id)
    _write(store, key, replace(about, listed_in=listed_in, at_fault=at_fault))
    return _move(store, dropped.entry, key)


def archive_stray(store: Store, stray: Stray, at: datetime) -> str:
    """The object lies in failed/ at the root, with the reason beside it; its key there."""
    key = f"{FAILED}/{_stamp(at)}-{_ODD.sub('_', stray.entry.text.replace('/', '__'))[-180:]}"
    next_step = "Drop the file again, in one of the folders of a table that docs/propagator.md lists."
    _write(store, key, _report(stray.refused, stray.entry.text, at, next_step))
    return _move(store, stray.entry, key)


def _report(refused: FileRefused, file: str, at: datetime, next_step: str) -> Report:
    return Report(
        file=file,
        at=at.isoformat(),
        reason=str(refused.findings[0]),
        findings=tuple(map(str, refused.findings[:_MOST_TOLD])),
        findings_total=refused.total,
        next_step=next_step,
    )


def _next_step(key: str, at_fault: Fault) -> str:
    again = f"slice propagate retry {shlex.quote(key)}"
    if at_fault == "platform":
        return (
            "The platform or the database is at fault, not the file: report this, and leave the file as it is. Once "
            f"the fault is mended: {again}"
        )
    return f"Mend the file and drop it again. Where the file is right and something else was mended: {again}"


def _write(store: Store, key: str, report: Report) -> None:
    store.write(f"{key}{ERROR}", REPORT.dump_json(report, indent=2))


def _staged_list(claim: Claim) -> str:
    return f"{STAGING}/set_aside/{claim.id}{ERRORS}"  # apart from rows on their way, which go by their age


def _csv(findings: Sequence[Finding]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("line", "column", "value", "reason"))
    for one in findings[:MOST_LISTED]:
        counts = f" (row {one.line}, counted from 1)" if one.place == "row" else ""
        writer.writerow((one.line, one.column, _harmless(one.value), f"{one.reason}{counts}"))
    return text.getvalue().encode("utf-8", "backslashreplace")


def _harmless(value: str | None) -> str | None:
    return f"'{value}" if value is not None and value.startswith(_FORMULA) else value


def _stamp(at: datetime) -> str:
    """UTC, to the microsecond: files of one table are worked off one after the other."""
    return f"{at:%Y%m%dT%H%M%S%fZ}"


def _move(store: Store, entry: StoredObject, key: str) -> str:
    with suppress(FileNotFoundError):  # another process that was told of it too has put it away
        store.move_version(entry, key)
    return key
