"""Durations as Heartbeat reads them: Go's spelling such as `1m30s`, or a number of seconds."""

import re
from datetime import timedelta
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LONGEST = timedelta(days=366)


def duration(text: str) -> timedelta:
    """A duration of Go, longer than nothing.

    Raises:
        ValueError: it is none, is zero or negative, or longer than a year.
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration: expected one such as 30s, 1m30s or 500ms")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return _checked(text, seconds)


def _checked(text: object, seconds: float) -> timedelta:
    if not 0 < seconds <= _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is not between nothing and a year")
    return timedelta(seconds=seconds)


def _read(value: object) -> object:
    if isinstance(value, str):
        return duration(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _checked(value, float(value))
    if isinstance(value, timedelta):
        return value
    raise ValueError(f"{value!r} is no duration: expected one such as 30s, 1m30s or 500ms")


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(_read)]
