"""The local AWS as a process beside another, which ends with it however that ends.

The starter holds the only writing end of a pipe, also after it became another program; when it ends, the operating
system closes it, and whoever reads from it here knows.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping

from slice_platform.errors import SettingsError
from slice_platform.local.aws import environment_at, listening_on, running_local_aws

PORT = 5555
STEP_SECONDS = 3.0  # of an instance refresh or of a build: slow enough to be watched


def start_beside() -> Mapping[str, str]:
    """The variables with which the local AWS is found. It need not be ready: a request waits until it is.

    It listens on PORT, or on a free port if that is taken.
    """
    try:
        listening = listening_on(PORT)
    except SettingsError:
        listening = listening_on(0)
    with listening:
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)  # noqa: FBT003 -- it outlives what we become; other children close it
        subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-m", __spec__.name, str(listening.fileno())],
            stdin=reading,
            pass_fds=[listening.fileno()],
        )
        os.close(reading)
        return environment_at(listening.getsockname()[1])


def forget_real_aws() -> None:
    """Nothing that this process is configured with can lead it to a real account."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]


def serve_until_the_end(listening: socket.socket) -> None:
    """Serve until the starter has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the starter, whose last requests we answer
    forget_real_aws()
    with running_local_aws(listening=listening, step_seconds=STEP_SECONDS):
        sys.stdin.buffer.read()


if __name__ == "__main__":
    serve_until_the_end(socket.socket(fileno=int(sys.argv[1])))
