"""Time windows: of a partition, and of what a query reads of a table at most."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, reduce
from typing import TypeAlias

from pyiceberg.expressions import (
    And,
    BooleanExpression,
    BoundPredicate,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    LessThan,
    LessThanOrEqual,
    Or,
    UnboundPredicate,
)

from slice_platform.lake.partitions import FORMATS, Grain, PartitionBy, beginning

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_LONGEST: dict[Grain, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "month": timedelta(days=31),
    "year": timedelta(days=366),
}
_OF_ONE_VALUE = (EqualTo, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual)


@dataclass(frozen=True)
class Window:
    """Moments from `start` up to and without `end`, UTC."""

    start: datetime = _FIRST
    end: datetime = _LAST

    @property
    def is_bounded(self) -> bool:
        return self.start > _FIRST and self.end < _LAST

    def meets(self, other: "Window") -> bool:
        return self.start < other.end and other.start < self.end

    def within(self, other: "Window") -> "Window":
        return Window(max(self.start, other.start), min(self.end, other.end))


ALWAYS = Window()


def window_of(by: PartitionBy, key: str) -> Window:
    """The moments of the partition of that key."""
    return _window(by.grain, key)


@lru_cache(maxsize=200_000)  # the sensor asks for all partitions of all tables at every tick, and texts parse slowly
def _window(grain: Grain, key: str) -> Window:
    start = datetime.strptime(key, FORMATS[grain]).replace(tzinfo=UTC)
    return Window(start, next_beginning(grain, start))


def is_key(by: PartitionBy, key: str) -> bool:
    """Whether a partition can be called so."""
    try:
        window_of(by, key)
    except ValueError:
        return False
    return True


def next_beginning(grain: Grain, start: datetime) -> datetime:
    """Where the period that begins at `start` ends."""
    if _LAST - start < _LONGEST[grain]:
        return _LAST
    # No period is longer, and none so short that this would pass over it.
    return beginning(grain, start + _LONGEST[grain])


def keys_between(by: PartitionBy, window: Window) -> list[str]:
    """The keys of the partitions that have moments in the window, in order; the window is bounded."""
    keys, start = [], beginning(by.grain, window.start)
    while start < window.end:
        keys.append(by.key_of(start))
        start = next_beginning(by.grain, start)
    return keys


@dataclass(frozen=True)
class Every:
    """Moments that lie in all of the parts."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Some:
    """Moments that lie in one of the parts."""

    parts: tuple["Condition", ...]


Condition: TypeAlias = Window | Every | Some


def condition_of(row_filter: BooleanExpression, column: str) -> Condition:
    """What the filter says of `column`, and nothing that it does not say for sure."""
    match row_filter:
        case And():
            return Every((condition_of(row_filter.left, column), condition_of(row_filter.right, column)))
        case Or():
            return Some((condition_of(row_filter.left, column), condition_of(row_filter.right, column)))
        case UnboundPredicate() if _column(row_filter) == column:
            return _of_predicate(row_filter)
        case _:
            return ALWAYS


def windows_in(condition: Condition, moved: Callable[[Window], Window] = lambda window: window) -> list[Window]:
    """The windows that the condition comes to, each that it is made of having been moved before."""
    match condition:
        case Every():
            left, right = (windows_in(part, moved) for part in condition.parts)
            return _merged(one.within(other) for one in left for other in right if one.meets(other))
        case Some():
            return _merged(window for part in condition.parts for window in windows_in(part, moved))
        case _:
            return [moved(condition)]


def _of_predicate(predicate: UnboundPredicate) -> Condition:
    if isinstance(predicate, In):
        moments = [_moment(one.value) for one in predicate.literals]
        return Some(tuple(Window(moment, _just_after(moment)) for moment in moments))
    if not isinstance(predicate, _OF_ONE_VALUE):
        return ALWAYS
    moment = _moment(predicate.literal.value)
    match predicate:
        case EqualTo():
            return Window(moment, _just_after(moment))
        case GreaterThan() | GreaterThanOrEqual():
            return Window(start=moment)
        case LessThan():
            return Window(end=moment)
        case _:
            return Window(end=_just_after(moment))


def _column(predicate: UnboundPredicate | BoundPredicate) -> str:
    return str(getattr(predicate.term, "name", ""))


def _moment(text: object) -> datetime:
    read = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    if isinstance(text, date) and not isinstance(text, datetime):
        read = datetime(text.year, text.month, text.day)  # noqa: DTZ001 -- the next line gives it its zone
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _just_after(moment: datetime) -> datetime:
    return min(moment, _LAST - timedelta(microseconds=1)) + timedelta(microseconds=1)


def _merged(windows: Iterable[Window]) -> list[Window]:
    def joined(found: list[Window], one: Window) -> list[Window]:
        if found and one.start <= found[-1].end:
            return [*found[:-1], Window(found[-1].start, max(found[-1].end, one.end))]
        return [*found, one]

    empty: list[Window] = []
    return reduce(joined, sorted(windows, key=lambda one: one.start), empty)
