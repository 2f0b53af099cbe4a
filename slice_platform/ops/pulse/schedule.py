"""When a monitor is to be checked: `@every 30s`, or a cron expression."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from slice_platform.ops.pulse.cron import Cron, cron
from slice_platform.ops.pulse.durations import duration

_EVERY = "@every"
_LATEST = timedelta(days=1)  # looked back for a minute that cron named; a monitor that was never due since is not due
_SHOWN_MINUTES = 32 * 24 * 60
_EARLY = timedelta(seconds=30)  # of a clock that ticks every minute: one second early is no reason to skip a minute


@dataclass(frozen=True)
class Schedule:
    """One of `every` and `cron`; `text` is how it was written."""

    text: str
    every: timedelta | None
    cron: Cron | None = None

    def is_due(self, last: datetime | None, now: datetime) -> bool:
        """Whether a check is to be made now, where the last was made at `last`. Both in UTC."""
        if last is None:
            return True
        if self.every is not None:
            return now - last >= self.every - min(_EARLY, self.every / 2)
        assert self.cron is not None
        minute = max(last, now - _LATEST).replace(second=0, microsecond=0) + timedelta(minutes=1)
        while minute <= now:
            if self.cron.matches(minute):
                return True
            minute += timedelta(minutes=1)
        return False

    def longest_gap(self) -> timedelta:
        """How far apart two checks lie at most; of cron as the next 32 days show it, and no more than these."""
        if self.every is not None:
            return self.every
        assert self.cron is not None
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        moments = [begun + timedelta(minutes=n) for n in range(_SHOWN_MINUTES)]
        hits = [one for one in moments if self.cron.matches(one)]
        ends = [begun, *hits] if hits else [begun, moments[-1]]
        return max(later - earlier for earlier, later in pairwise(ends))


def schedule(text: str) -> Schedule:
    """Raises ValueError where it is none."""
    if text.startswith(_EVERY):
        return Schedule(text, duration(text.removeprefix(_EVERY).strip()))
    try:
        return Schedule(text, None, cron(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is no schedule: {str(error).removeprefix(f'{text!r} is no schedule: ')}") from error


def _read(value: object) -> object:
    if isinstance(value, Schedule):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no schedule: expected '@every 30s', or a cron expression of 5 to 7 fields")  # noqa: TRY004 -- pydantic tells of ValueErrors alone
    return schedule(value.strip())


When: TypeAlias = Annotated[Schedule, BeforeValidator(_read)]
