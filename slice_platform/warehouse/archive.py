"""Files that were worked off are put away: to succeeded/ or failed/ of their table, under the time and their name.

What says why a file failed is written before the file moves, so a crash never loses a reason. Just the version that was
worked off moves: what a producer put in its place meanwhile stays.
"""

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from slice_platform.errors import PermanentError
from slice_platform.store import Store, StoredObject
from slice_platform.warehouse.pending import FAILED, Dropped, Stray
from slice_platform.warehouse.refusal import FileRefused, Finding

MOST_LISTED = 1_000  # findings in the .csv
_MOST_TOLD = 20  # findings in the .json
_ERROR, _ERRORS = ".error.json", ".errors.csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet runs what begins so
_ODD = re.compile(r"[^A-Za-z0-9._=-]+")


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


_REPORT = TypeAdapter(Report)


def archive_succeeded(store: Store, dropped: Dropped, at: datetime, set_aside: Sequence[Finding] = ()) -> str:
    """The file lies in succeeded/, with a list of rows that were left out; its key there."""
    key = f"{dropped.path.table.folder}/succeeded/{_stamp(at)}-{dropped.path.name}"
    if set_aside:
        store.write(f"{key}{_ERRORS}", _csv(set_aside))
    return _move(store, dropped.entry, key)


def archive_failed(
    store: Store, dropped: Dropped, refused: FileRefused, at: datetime, *, sha256: str | None, run_id: str
) -> str:
    """The file lies in failed/, with the reason beside it; its key there."""
    key = f"{dropped.path.table.folder}/failed/{_stamp(at)}-{dropped.path.name}"
    listed = [finding for finding in refused.findings if finding.line is not None]
    if listed:
        store.write(f"{key}{_ERRORS}", _csv(refused.findings[:MOST_LISTED]))
    report = _report(refused, dropped.path.key, at)
    listed_in = f"{key}{_ERRORS}" if listed else None
    told = replace(report, table=str(dropped.path.table), sha256=sha256, run_id=run_id, listed_in=listed_in)
    _write(store, key, told)
    return _move(store, dropped.entry, key)


def archive_stray(store: Store, stray: Stray, at: datetime) -> str:
    """The object lies in failed/ at the root, with the reason beside it; its key there."""
    key = f"{FAILED}/{_stamp(at)}-{_ODD.sub('_', stray.entry.text.replace('/', '__'))[-180:]}"
    _write(store, key, _report(stray.refused, stray.entry.text, at))
    return _move(store, stray.entry, key)


def return_to_inbox(store: Store, key: str) -> str:
    """Put a file that failed back to where it was dropped; its key there. What lay beside it is removed.

    Raises:
        PermanentError: no report lies beside it, or something else lies there.
    """
    what = f"Putting {key!r} back to where it was dropped"
    try:
        with store.open(f"{key}{_ERROR}") as source:
            report = _REPORT.validate_json(source.read())
    except (FileNotFoundError, ValidationError) as error:
        raise PermanentError(
            f"{what}: there is no {_ERROR} beside it that says where that was. Give the key of a file in failed/, "
            f"below {store.root!r}."
        ) from error
    entry = store.stat(key)
    if entry is None or store.stat(report.file) is not None:
        found = "it is not there any more" if entry is None else f"another file lies at {report.file!r} by now"
        raise PermanentError(f"{what}: {found}.")
    _move(store, entry, report.file)
    store.remove(f"{key}{_ERRORS}")
    store.remove(f"{key}{_ERROR}")
    return report.file


def _report(refused: FileRefused, file: str, at: datetime) -> Report:
    return Report(
        file=file,
        at=at.isoformat(),
        reason=str(refused.findings[0]),
        findings=tuple(map(str, refused.findings[:_MOST_TOLD])),
        findings_total=refused.total,
        next_step="Mend the file and drop it again. Where the file is right and something else was mended: "
        "slice propagate retry, with the key of this file without .error.json",
    )


def _write(store: Store, key: str, report: Report) -> None:
    store.write(f"{key}{_ERROR}", _REPORT.dump_json(report, indent=2))


def _csv(findings: Sequence[Finding]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("line", "column", "value", "reason"))
    for one in findings[:MOST_LISTED]:
        writer.writerow((one.line, one.column, _harmless(one.value), one.reason))
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
