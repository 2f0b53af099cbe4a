"""Wall seconds and peak memory of a whole process, from its start to its end, imports included."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

_BLOCK_BYTES = 512  # of st_blocks, whatever the file system
_MAXRSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Cost:
    seconds: float
    peak_bytes: int


def run_measured(command: list[str], environment: Mapping[str, str]) -> tuple[Cost, str]:
    """Run a program to its end; what it cost, and what it printed.

    The peak of a child counts what its parent held when it was started: keep the caller small.

    Raises:
        RuntimeError: the program failed; what it said has gone to stderr.
    """
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(environment), text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"Running {command!r}: exit code {process.returncode}, expected 0. See its message above.")
    return Cost(seconds, usage.ru_maxrss * _MAXRSS_UNIT_BYTES), printed


class Watch:
    """How large a folder became while it was watched, by the blocks of its files."""

    def __init__(self, folder: Path) -> None:
        self.peak_bytes = 0
        self._folder = folder

    def look(self) -> None:
        found = 0
        for path in self._folder.rglob("*"):
            try:
                found += path.stat().st_blocks * _BLOCK_BYTES
            except FileNotFoundError:  # gone since it was listed
                continue
        self.peak_bytes = max(self.peak_bytes, found)


@contextmanager
def watched(folder: Path) -> Iterator[Watch]:
    """Look at a folder five times a second, for as long as the context lasts."""
    watch, is_over = Watch(folder), Event()

    def keep_looking() -> None:
        while not is_over.wait(0.2):
            watch.look()

    thread = Thread(target=keep_looking, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        is_over.set()
        thread.join()
