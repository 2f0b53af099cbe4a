"""Wall seconds and peak memory of a whole process, from its start to its end, imports included."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

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
