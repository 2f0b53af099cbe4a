"""How findings stand after a sweep: what is new, what was fixed, what is open still, and what nobody could look at."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from slice_platform.ops.custodian.exceptions import Exceptions
from slice_platform.ops.custodian.findings import Finding, FindingKey, Look, Scope

KEPT_CLOSED = timedelta(days=7)  # so long Security Hub is told again that a finding is closed


class Status(StrEnum):
    """How a finding stands."""

    OPEN = "open"
    EXCEPTED = "excepted"
    CLOSED = "closed"


@dataclass(frozen=True)
class Standing:
    """A finding as of the last sweep.

    `opened_at` and `closed_at` are when it last became open, and ceased to be: fixed or excepted. What comes back on
    the day on which it went, UTC, counts as never gone.
    """

    finding: Finding
    status: Status
    since: datetime  # when it came to stand so
    seen_at: datetime  # when it was last found
    opened_at: datetime | None = None  # None: it was excepted from the first
    closed_at: datetime | None = None
    exception_owner: str | None = None
    exception_until: date | None = None

    @property
    def key(self) -> FindingKey:
        return self.finding.key


@dataclass(frozen=True)
class Diff:
    """All that stands after a sweep, by what became of it. Each is in one of them."""

    new: tuple[Standing, ...] = ()
    fixed: tuple[Standing, ...] = ()
    still_open: tuple[Standing, ...] = ()
    excepted: tuple[Standing, ...] = ()
    not_looked_at: tuple[Standing, ...] = ()  # open or excepted before, and as far as is known still
    closed_before: tuple[Standing, ...] = ()

    def all(self) -> Iterator[Standing]:
        yield from (
            *self.new, *self.fixed, *self.still_open, *self.excepted, *self.not_looked_at, *self.closed_before
        )  # fmt: skip


_GROUPS = tuple(one.name for one in fields(Diff))


def both(first: Diff, second: Diff) -> Diff:
    """A sweep that looked a second time, after it acted: what it found and fixed was new, and is fixed."""
    was = {one.key: name for name in _GROUPS for one in getattr(first, name)}
    found: dict[str, list[Standing]] = {}
    for name in _GROUPS:
        for one in getattr(second, name):
            found.setdefault(name if name == "fixed" else was.get(one.key, name), []).append(one)
    return _diff(found)


def compared(
    before: Iterable[Standing], looks: Iterable[Look], swept: Collection[Scope], exceptions: Exceptions, now: datetime
) -> Diff:
    """What the looks of a sweep make of how things stood.

    `swept` are all policies and places there are: what lies beyond, of a policy or an account that was taken out, is
    closed. Where a policy was not asked, or not answered, everything stands as before.
    """
    known = {one.key: one for one in before}
    answered = [look for look in looks if look.error is None]
    found = {finding.key: finding for look in answered for finding in look.findings}
    asked = {look.scope for look in answered}
    diff: dict[str, list[Standing]] = {}
    for key, finding in found.items():
        stands = _found(known.get(key), finding, exceptions, now)
        diff.setdefault(_became(known.get(key), stands), []).append(stands)
    for key, old in known.items():
        if key not in found:
            is_gone = key.scope in asked or key.scope not in swept
            where, stands = _gone(old, now) if is_gone else _unknown(old)
            if old.status is not Status.CLOSED or now - old.since < KEPT_CLOSED:
                diff.setdefault(where, []).append(stands)
    return _diff(diff)


def _diff(groups: Mapping[str, Iterable[Standing]]) -> Diff:
    return Diff(**{name: tuple(sorted(each, key=lambda one: one.key)) for name, each in groups.items()})


def _found(old: Standing | None, finding: Finding, exceptions: Exceptions, now: datetime) -> Standing:
    excuse = exceptions.of(finding)
    status = Status.OPEN if excuse is None else Status.EXCEPTED
    stands = replace(old, finding=finding, seen_at=now) if old else Standing(finding, status, now, now)
    if old is None or old.status is not status:
        stands = replace(stands, status=status, since=now)
    if status is Status.OPEN and (old is None or old.status is not Status.OPEN):
        came_back = old is not None and old.closed_at is not None and old.closed_at.date() == now.date()
        stands = replace(stands, opened_at=stands.opened_at if came_back else now, closed_at=None)
    if status is Status.EXCEPTED and old is not None and old.status is Status.OPEN:
        stands = replace(stands, closed_at=now)
    if excuse is None:
        return replace(stands, exception_owner=None, exception_until=None)
    return replace(stands, exception_owner=excuse.owner, exception_until=excuse.until)


def _became(old: Standing | None, stands: Standing) -> str:
    if stands.status is Status.EXCEPTED:
        return "excepted"
    return "still_open" if old is not None and old.status is Status.OPEN else "new"


def _gone(old: Standing, now: datetime) -> tuple[str, Standing]:
    if old.status is Status.CLOSED:
        return "closed_before", old
    closed = replace(old, status=Status.CLOSED, since=now)
    return "fixed", replace(closed, closed_at=now) if old.status is Status.OPEN else closed


def _unknown(old: Standing) -> tuple[str, Standing]:
    return ("closed_before" if old.status is Status.CLOSED else "not_looked_at"), old
