"""`slice dev` as a user starts it, with a port and a home of its own, and the few verbs with which it is met."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.slack import FakeSlack, running_slack

RUNNING = "{runsOrError(filter: {statuses: [QUEUED, STARTING, STARTED]}) {... on Runs {results {runId}}}}"
START_SECONDS, TABLE_SECONDS = 120, 120


@dataclass(frozen=True)
class Dev:
    url: str
    home: Path
    environment: dict[str, str]
    slack: FakeSlack

    @property
    def log(self) -> Path:
        return self.home / "log"

    def ask(self, query: str) -> dict[str, Any]:
        """The UI's own interface."""
        asked = urllib.request.Request(  # noqa: S310  # loopback
            f"{self.url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  # loopback
            found: dict[str, Any] = json.load(answer)["data"]
            return found

    def until(self, is_there: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + TABLE_SECONDS
        while not is_there():
            said = self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, f"{what} did not come within {TABLE_SECONDS} s:\n{said}"
            time.sleep(0.5)

    def until_no_run(self) -> None:
        self.until(lambda: not self.ask(RUNNING)["runsOrError"]["results"], "the end of the runs")


@contextmanager
def running_dev(home: Path, **settings: str) -> Iterator[Dev]:
    """Its whole process group ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLICE_", "DAGSTER_"))}
    url = f"http://127.0.0.1:{port}"
    with running_slack("data-platform", "data-loader-notification", "jarvis-error-notifications") as slack:
        environment |= {
            "SLICE_HOME": str(home), "SLICE_LANDING_TICK_SECONDS": "2", "SLICE_DAGSTER_URL": url,
            "SLICE_SLACK_TOKEN": slack.token, "SLICE_SLACK_BASE_URL": slack.url, **settings,
        }  # fmt: skip
        with _started(Dev(url, home, environment, slack), port) as dev:
            yield dev


@contextmanager
def _started(dev: Dev, port: int) -> Iterator[Dev]:
    command = [sys.executable, "-m", "slice_platform.cli.main", "dev", "--port", str(port)]
    with dev.log.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=PACKAGE_DIR.parent, env=dev.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(f"{dev.url}/server_info", dev.log)
        yield dev
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)  # on a busy machine
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # loopback
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(1)
    pytest.fail(f"slice dev did not answer within {START_SECONDS} s:\n{log.read_text()[-3000:]}")
