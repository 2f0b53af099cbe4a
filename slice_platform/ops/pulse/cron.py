"""Cron expressions as Heartbeat reads them: 5 to 7 fields, with L, W and #."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeAlias

OnDay: TypeAlias = Callable[[date], bool]
_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_RANGE = re.compile(r"(?P<first>\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")


@dataclass(frozen=True)
class Cron:
    """When an expression is due, to the minute; seconds are checked, and no more."""

    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    years: frozenset[int]
    days: tuple[OnDay, ...]  # of the month, or of the week where both are restricted

    def matches(self, moment: datetime) -> bool:
        """Whether it is due within the minute of `moment`."""
        is_time = moment.minute in self.minutes and moment.hour in self.hours
        is_month = moment.month in self.months and moment.year in self.years
        return is_time and is_month and any(is_day(moment.date()) for is_day in self.days)


def cron(text: str) -> Cron:
    """The expression.

    Raises:
        ValueError: it is none; the message names the field.
    """
    fields = _MACROS.get(text, text).lower().split()
    if not 5 <= len(fields) <= 7:
        raise ValueError(f"{text!r} is no schedule: expected '@every 30s', or a cron expression of 5 to 7 fields")
    if len(fields) == 7:
        _numbers("second", fields.pop(0), range(60))
    year = fields[5] if len(fields) == 6 else "*"
    minute, hour, day, month, weekday = fields[:5]
    return Cron(
        minutes=_numbers("minute", minute, range(60)),
        hours=_numbers("hour", hour, range(24)),
        months=_numbers("month", month, range(1, 13), _MONTHS),
        years=_numbers("year", year, range(1970, 2100)),
        days=_days(day, weekday),
    )


def _days(day: str, weekday: str) -> tuple[OnDay, ...]:
    """Both restricted: either does. One restricted: that one."""
    of_month = [_day_of_month(part) for part in day.split(",")]
    of_week = [_day_of_week(part) for part in weekday.split(",")]
    chosen = [*(of_month if day not in ("*", "?") else []), *(of_week if weekday not in ("*", "?") else [])]
    return tuple(chosen) or (lambda _day: True,)


def _day_of_month(text: str) -> OnDay:
    if text == "l":
        return lambda day: day.day == _length(day)
    if text == "lw":
        return lambda day: day.day == _nearest_weekday(day, _length(day))
    if found := re.fullmatch(r"(\d+)w", text):
        number = _number("day of month", found[1], range(1, 32))
        return lambda day: day.day == _nearest_weekday(day, number)
    numbers = _numbers("day of month", text, range(1, 32))
    return lambda day: day.day in numbers


def _day_of_week(text: str) -> OnDay:
    if found := re.fullmatch(r"(\w+)l", text):
        last = _number("day of week", found[1], range(8), _DAYS) % 7
        return lambda day: day.isoweekday() % 7 == last and day.day > _length(day) - 7
    if found := re.fullmatch(r"(\w+)#([1-5])", text):
        which, nth = _number("day of week", found[1], range(8), _DAYS) % 7, int(found[2])
        return lambda day: day.isoweekday() % 7 == which and (day.day - 1) // 7 + 1 == nth
    numbers = {number % 7 for number in _numbers("day of week", text, range(8), _DAYS)}
    return lambda day: day.isoweekday() % 7 in numbers


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest_weekday(day: date, number: int) -> int:
    """The weekday of the month that is nearest to its day `number`; never one of another month."""
    number = min(number, _length(day))
    match day.replace(day=number).isoweekday():
        case 6:
            return number - 1 if number > 1 else number + 2
        case 7:
            return number + 1 if number < _length(day) else number - 2
        case _:
            return number


def _numbers(field: str, text: str, allowed: range, names: dict[str, int] | None = None) -> frozenset[int]:
    found = set[int]()
    for part in text.split(","):
        found.update(_span(field, part, allowed, names or {}))
    return frozenset(found)


def _span(field: str, text: str, allowed: range, names: dict[str, int]) -> range:
    stepped = re.fullmatch(r"[*?](?:/(\d+))?", text)
    if stepped:
        return allowed[:: _step(field, stepped[1])]
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"its field {field!r} is {text!r}: expected numbers such as 5, 1-10, */15 or 1,31")
    first = _number(field, found["first"], allowed, names)
    last = _number(field, found["last"], allowed, names) if found["last"] else first
    if found["step"] and not found["last"]:
        last = allowed[-1]
    if last < first:
        raise ValueError(f"its field {field!r} is {text!r}: expected the smaller number first")
    return range(first, last + 1, _step(field, found["step"]))


def _step(field: str, text: str | None) -> int:
    if text is not None and int(text) == 0:
        raise ValueError(f"its field {field!r} has the step 0: expected 1 or more")
    return int(text or 1)


def _number(field: str, text: str, allowed: range, names: dict[str, int] | None = None) -> int:
    number = (names or {}).get(text[:3]) if text.isalpha() else int(text) if text.isdecimal() else None
    if number is None or number not in allowed:
        raise ValueError(f"its field {field!r} is {text!r}: expected {allowed[0]} to {allowed[-1]}")
    return number
