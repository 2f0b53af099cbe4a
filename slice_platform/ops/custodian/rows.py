"""A sweep as rows for the lake: how every finding stands, and which policies were answered where.

One file holds all that is known at the end of its sweep, also of what it was not about. So of several sweeps of a day
the file of the last one is the whole day, and a day on which nothing was found has rows as well.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TypeAlias

from slice_platform.ops.custodian.standing import Standing, Status
from slice_platform.ops.custodian.state import LastLook
from slice_platform.ops.custodian.sweep import SweepReport
from slice_platform.store import Store

Row: TypeAlias = Mapping[str, str | int | None]
NO_RESOURCE = "-"  # the resource of a row about a look
CLEAN, FOUND, FAILED = "clean", "found", "failed"  # how a look ended


def write_rows(report: SweepReport, store: Store, prefix: str) -> str:
    """The key of the file, which is there as a whole or not at all. A second time it is the same file."""
    key = f"{prefix.rstrip('/')}/sweep_{report.sweep_id}.jsonl"
    lines = [json.dumps(row, sort_keys=True) for row in rows_of(report)]
    store.write(key, "".join(f"{line}\n" for line in lines).encode())
    return key


def rows_of(report: SweepReport) -> Iterator[Row]:
    """A row for each look, and one for each finding that is open, excepted, or closed on the day of the sweep."""
    day = report.at.astimezone(UTC).date()
    of_sweep = {"day": day.isoformat(), "sweep_id": report.sweep_id, "swept_at": _moment(report.at)}
    yield from ({**of_sweep, **_look(one)} for one in report.last_looks)
    for one in sorted(report.diff.all(), key=lambda each: each.key):
        if one.status is not Status.CLOSED or one.since.astimezone(UTC).date() == day:
            yield {**of_sweep, **_finding(one)}


def _look(one: LastLook) -> Row:
    status = FAILED if one.error is not None else (FOUND if one.found else CLEAN)
    return {
        **one.scope._asdict(),
        "account_name": one.account_name,
        "severity": one.severity.value,
        "resource_type": one.resource_type,
        "resource_id": NO_RESOURCE,
        "status": status,
        "found": one.found,
        "seen_at": _moment(one.answered_at),
        "error": one.error,
    }


def _finding(one: Standing) -> Row:
    finding = one.finding
    return {
        **finding.key._asdict(),
        "account_name": finding.account_name,
        "severity": finding.severity.value,
        "resource_type": finding.resource_type,
        "resource_name": finding.resource_name,
        "arn": finding.arn,
        "status": one.status.value,
        "opened_at": _moment(one.opened_at),
        "closed_at": _moment(one.closed_at),
        "seen_at": _moment(one.seen_at),
        "exception_owner": one.exception_owner,
        "exception_until": _day(one.exception_until),
        "tags": finding.tags,
        "details": finding.details,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _day(on: date | None) -> str | None:
    return None if on is None else on.isoformat()
