"""A command that is run as it is, so that people can be told afterwards how it ended."""

import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from slice_platform.notify.redact import redact

_TAIL_LINES, _TAIL_BYTES = 200, 1_000_000
_LOOK_SECONDS = 0.2  # between two looks whether it has ended while something else holds its output open
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as a shell has it
_FORWARDED = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Ended:
    """What became of a command. `tail` are the last lines of what it printed."""

    command: str
    code: int
    seconds: float
    tail: str


def run(command: Sequence[str]) -> Ended:
    """Its output is shown as it comes; who ends us ends it. A command that cannot be started ends as in a shell."""
    started, shown = time.monotonic(), redact(shlex.join(command))
    with _signals() as signals:
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except OSError as error:
            code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
            return Ended(shown, code, 0.0, f"{command[0]}: {error.strerror}\n")
        signals.go_to(process)
        tail = _show_output(process)
        code = process.wait()
    lines = tail.decode("utf-8", "replace").splitlines(keepends=True)[-_TAIL_LINES:]
    return Ended(shown, code if code >= 0 else 128 - code, time.monotonic() - started, "".join(lines))


def _show_output(process: "subprocess.Popen[bytes]") -> bytes:
    """The end of its output, once all is shown. What it leaves behind in the background is not waited for."""
    assert process.stdout is not None
    tail = b""
    with process.stdout as output:
        while True:
            if select.select([output], [], [], _LOOK_SECONDS)[0]:
                if not (piece := os.read(output.fileno(), 65_536)):
                    return tail
                sys.stdout.buffer.write(piece)
                sys.stdout.buffer.flush()
                tail = (tail + piece)[-_TAIL_BYTES:]
            elif process.poll() is not None:
                return tail


class _Signals:
    """Those that were meant for us go on to the process, also where they came before it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []

    def go_to(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _is_in_front():
            return  # a terminal sends Ctrl-C to the process as well
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


@contextmanager
def _signals() -> Iterator[_Signals]:
    signals = _Signals()
    before = {number: signal.signal(number, signals.take) for number in _FORWARDED}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_in_front() -> bool:
    """Whether a terminal's keys send signals to us."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
