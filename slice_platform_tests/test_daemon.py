"""The real thing: `slice dev` with its daemon and web server, a dropped file, the table, the UI, and Slack."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slice_platform.lake.lake import LANDING, open_lake
from slice_platform.lake.query import query
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.slack import FakeSlack, running_slack
from slice_platform_tests.tools import require_tool

pytestmark = pytest.mark.daemon
PLANES = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
PLANES += "N100,2004,Fixed wing multi engine,BOEING,737,2,150,NA,Turbo-fan\n"
TICKS = """{sensorOrError(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "slice_platform",
sensorName: "alerts_sensor"}) {... on Sensor {sensorState {ticks(limit: 1) {status}}}}}"""
RUNNING = "{runsOrError(filter: {statuses: [QUEUED, STARTING, STARTED]}) {... on Runs {results {runId}}}}"
START_SECONDS, TABLE_SECONDS = 120, 120


@dataclass(frozen=True)
class Dev:
    url: str
    home: Path
    environment: dict[str, str]
    slack: FakeSlack


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`slice dev` on a free port, with a home of its own; its whole process group ends with the module."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLICE_", "DAGSTER_"))}
    url = f"http://127.0.0.1:{port}"
    with running_slack("data-platform", "data-loader-notification", "jarvis-error-notifications") as slack:
        environment |= {
            "SLICE_HOME": str(home), "SLICE_LANDING_TICK_SECONDS": "2", "SLICE_DAGSTER_URL": url,
            "SLICE_SLACK_TOKEN": slack.token, "SLICE_SLACK_BASE_URL": slack.url,
        }  # fmt: skip
        yield from _running(Dev(url, home, environment, slack), port)


def _running(dev: Dev, port: int) -> Iterator[Dev]:
    log_file = dev.home / "log"
    command = [sys.executable, "-m", "slice_platform.cli.main", "dev", "--port", str(port)]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=PACKAGE_DIR.parent, env=dev.environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(f"{dev.url}/server_info", log_file)
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


@pytest.fixture(scope="module")
def dropped(dev: Dev) -> Dev:
    """A file was dropped; nobody asked for anything since, and no run is under way any more."""
    with open_lake(load_settings(home=dev.home)) as lake:
        lake.store.write(f"{LANDING}/planes/planes.csv", PLANES.encode())
        _until(lambda: query(lake, "SELECT tailnum FROM curated.planes").table.num_rows, "the table", dev.home / "log")
    _until(lambda: not _ask(dev, RUNNING)["runsOrError"]["results"], "the end of the run")
    return dev


def test_a_dropped_file_becomes_a_table_with_nobody_asking(dropped: Dev) -> None:
    with open_lake(load_settings(home=dropped.home)) as lake:
        assert query(lake, "SELECT tailnum, seats FROM curated.planes").table.to_pylist() == [
            {"tailnum": "N100", "seats": 150}
        ]


def test_an_asset_that_fails_is_one_message_in_slack_with_a_link_to_its_run(dropped: Dev) -> None:
    dev = dropped
    _until(lambda: _ask(dev, TICKS)["sensorOrError"]["sensorState"]["ticks"], "the first look of alerts_sensor")
    (raw,) = (dev.home / "lake" / "raw" / "planes").rglob("*planes.csv")
    raw.rename(raw.with_name("hidden"))
    try:
        command = [sys.executable, "-m", "slice_platform.cli.main", "rebuild", "planes"]
        done = subprocess.run(command, cwd=PACKAGE_DIR.parent, env=dev.environment, capture_output=True, check=False)
    finally:
        raw.with_name("hidden").rename(raw)
    assert done.returncode != 0
    _until(lambda: dev.slack.messages("data-platform"), "a message")
    time.sleep(15)  # long enough for a second one
    told = dev.slack.messages("data-platform")
    (message,) = [one for one in told if "failed" in one.text]
    assert not [one for one in told if "good again" in one.text]
    link = message.text.splitlines()[-1]
    run_id = link.removeprefix(f"{dev.url}/runs/")
    with urllib.request.urlopen(link, timeout=10) as page:  # noqa: S310  # loopback
        assert page.status == 200
    assert (
        _ask(dev, f'{{runOrError(runId: "{run_id}") {{... on Run {{status}}}}}}')["runOrError"]["status"] == "FAILURE"
    )


def _until(is_there: Callable[[], object], what: str, log: Path | None = None) -> None:
    deadline = time.monotonic() + TABLE_SECONDS
    while not is_there():
        said = f":\n{log.read_text()[-3000:]}" if log is not None else ""
        assert time.monotonic() < deadline, f"{what} did not come within {TABLE_SECONDS} s{said}"
        time.sleep(0.5)


def _ask(dev: Dev, query: str) -> dict[str, Any]:
    """The UI's own interface."""
    asked = urllib.request.Request(  # noqa: S310  # loopback
        f"{dev.url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  # loopback
        found: dict[str, Any] = json.load(answer)["data"]
        return found


@pytest.mark.ui
def test_the_browser_shows_the_asset_with_its_columns_and_the_files_it_was_made_from(
    dropped: Dev, tmp_path: Path
) -> None:
    chromium = require_tool("chromium")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        f"--disable-component-update --disable-sync --virtual-time-budget=30000 --user-data-dir={tmp_path / 'profile'}"
    )
    page = f"{dropped.url}/assets/curated/planes?view=overview"
    done = subprocess.run(
        [chromium, *flags.split(), "--dump-dom", page], capture_output=True, text=True, timeout=120, check=True
    )
    source_files = ("rows here", "planes.csv", "published", "arrived_on")
    for words in ("tailnum", "the plane's registration", "non-nullable", "Iceberg", *source_files):
        assert words in done.stdout, words
