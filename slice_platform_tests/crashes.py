"""Crashes at any step: a lake whose store and ledger die before or after their n-th call."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

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


def die(*_args: object, **_options: object) -> None:
    """In the place of a call: the process dies before it."""
    raise SimulatedCrash


def dying_after(call: Callable[..., object]) -> Callable[..., object]:
    """In the place of `call`: the process dies after it."""

    def called(*args: object, **options: object) -> None:
        call(*args, **options)
        raise SimulatedCrash

    return called


_KILLED = """
import os, signal, sys
from slice_platform.lake import batch
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import open_lake
from slice_platform.lake.upkeep.compaction import compact
from slice_platform.settings import load_settings

step, work, home = sys.argv[1:]
call = getattr(batch, step)

def killed(*args, **options):
    call(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(batch, step, killed)
with open_lake(load_settings(home=home, defs_dir=home + "/defs", landing_tick_seconds=0)) as lake:
    ingest(lake, "feed") if work == "ingest" else compact(lake, lake.dataset("feed"))
"""


def kill_after(step: str, work: Literal["ingest", "compact"], home: Path) -> None:
    """Do the work on the feed of a lake in a process of its own, which is killed after that step of its batch."""
    ended = subprocess.run([sys.executable, "-c", _KILLED, step, work, str(home)], check=False)
    assert ended.returncode == -signal.SIGKILL
