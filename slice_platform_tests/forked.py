"""Work in a forked process that is killed while it is at it: no import is paid twice, so sixty deaths cost seconds."""

import os
import signal
import sys
import time
from collections.abc import Callable


def killed(work: Callable[[], None], seconds: float) -> bool:
    """Whether a process that does the work was still at it after so many seconds; then it is killed."""
    child = os.fork()
    if not child:
        _end_with(work)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _end_with(work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:  # noqa: BLE001 -- it must not go on as its parent
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)
