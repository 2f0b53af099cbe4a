"""A sweep as people are told of it: a message, and all that is open as a table to open in a spreadsheet."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slice_platform.ops.custodian.policies import Severity
from slice_platform.ops.custodian.standing import Standing, Status
from slice_platform.ops.custodian.sweep import SweepReport

_MOST = 15  # findings of a kind in the message; all are in the table
_COLUMNS = (
    "standing", "severity", "policy", "account", "account_id", "region", "resource_type", "resource_id", "name", "arn",
    "open_since", "exception_owner", "exception_until", "tags",
)  # fmt: skip
_WORST_FIRST = {severity: number for number, severity in enumerate(reversed(Severity))}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute


@dataclass(frozen=True)
class Digest:
    """`text` is plain, a line each; `table` is a CSV of everything open, excepted or fixed just now."""

    heading: str
    text: str
    table: str
    file_name: str

    @property
    def is_worth_telling(self) -> bool:
        """Whether there is anything but that all is well."""
        return bool(self.text)


def digest_of(report: SweepReport, more_problems: Iterable[str] = ()) -> Digest:
    """What a sweep comes to. The same sweep gives the same digest."""
    diff = report.diff
    counts = f"{len(diff.new)} new, {len(diff.fixed)} fixed, {len(diff.still_open)} still open"
    problems = (*report.problems(), *more_problems)
    failed = f", {len(problems)} {'problem' if len(problems) == 1 else 'problems'}" if problems else ""
    text = "\n".join(_lines(report, problems))
    return Digest(f"Cloud Custodian: {counts}{failed}", text, _table(report), f"findings_{report.sweep_id}.csv")


def _lines(report: SweepReport, problems: Iterable[str]) -> Iterator[str]:
    diff = report.diff
    yield from _group("New", diff.new)
    yield from _group("Fixed", diff.fixed)
    if diff.still_open:
        yield f"Still open: {len(diff.still_open)} ({_by_severity(diff.still_open)})"
    if diff.not_looked_at:
        yield f"Not looked at this time, as they stood: {len(diff.not_looked_at)}"
    if diff.excepted:
        yield f"Excepted: {len(diff.excepted)}"
    for one in report.applied:
        if said := one.said:
            yield f"{one.target}: {said}"
    yield from (f"Expired exception, which hides nothing any more: {one}" for one in report.expired)
    yield from (f"Problem: {one}" for one in problems)


def _group(title: str, standings: tuple[Standing, ...]) -> Iterator[str]:
    if not standings:
        return
    yield f"{title}: {len(standings)} ({_by_severity(standings)})"
    yield from (f"  {one.finding.severity.value} {one.finding}" for one in _worst_first(standings)[:_MOST])
    if len(standings) > _MOST:
        yield f"  and {len(standings) - _MOST} more, in the table"


def _by_severity(standings: Iterable[Standing]) -> str:
    counts = Counter(one.finding.severity for one in standings)
    return ", ".join(f"{counts[severity]} {severity.value}" for severity in _WORST_FIRST if counts[severity])


def _worst_first(standings: Iterable[Standing]) -> list[Standing]:
    return sorted(standings, key=lambda one: (_WORST_FIRST[one.finding.severity], one.key))


def _table(report: SweepReport) -> str:
    diff, text = report.diff, io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    groups = (
        ("new", diff.new), ("fixed", diff.fixed), ("still open", diff.still_open),
        ("not looked at", diff.not_looked_at), ("excepted", diff.excepted),
    )  # fmt: skip
    for name, standings in groups:
        writer.writerows([_cell(value) for value in _row(name, one)] for one in _worst_first(standings))
    return text.getvalue()


def _row(name: str, one: Standing) -> tuple[object, ...]:
    finding, (policy, account, region, resource) = one.finding, one.key
    since = f"{one.opened_at:%Y-%m-%d}" if one.opened_at and one.status is Status.OPEN else None
    return (
        name, finding.severity.value, policy, finding.account_name, account, region, finding.resource_type, resource,
        finding.resource_name, finding.arn, since, one.exception_owner, one.exception_until, finding.tags,
    )  # fmt: skip


def _cell(value: object) -> str:
    """Text that a spreadsheet shows and does not compute: names and tags are written by anybody."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
