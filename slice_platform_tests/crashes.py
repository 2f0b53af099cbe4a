"""Crashes at any step: a lake whose store and ledger die before or after their n-th call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from slice_platform.lake.lake import Lake
from slice_platform.ledger import Ledger
from slice_platform.store import Store


class SimulatedCrash(BaseException):
    """The process ends here. No `except Exception` can catch it, as none catches a kill."""


@dataclass
class Countdown:
    """Dies at moment `last`. Every call has two moments: before it did anything, and after it did all."""

    last: int
    moment: int = 0

    def step(self) -> None:
        self.moment += 1
        if self.moment == self.last:
            raise SimulatedCrash


class _Mortal:
    """Stands before a store or ledger and counts its calls."""

    def __init__(self, inner: object, countdown: Countdown) -> None:
        self._inner = inner
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name == "exclusive":  # the lock is let go by the death itself
            return found
        return self._counted(found)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **options: Any) -> Any:
            self._countdown.step()
            result = call(*args, **options)
            self._countdown.step()
            return result

        return counted


def mortal(lake: Lake, countdown: Countdown) -> Lake:
    """The same lake, whose next calls die when the countdown ends."""
    store = cast(Store, _Mortal(lake.store, countdown))
    return replace(lake, store=store, ledger=cast(Ledger, _Mortal(lake.ledger, countdown)))


@contextmanager
def crash_at(lake: Lake, moment: int) -> Iterator[tuple[Lake, list[bool]]]:
    """A lake that dies at `moment`; the list holds True once it died."""
    died: list[bool] = []
    try:
        yield mortal(lake, Countdown(moment)), died
    except SimulatedCrash:
        died.append(True)
