"""The real thing: `slice dev` with its daemon and web server, a dropped file, the table, and the UI in a browser."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from slice_platform.lake.lake import LANDING, open_lake
from slice_platform.lake.query import query
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.tools import require_tool

pytestmark = pytest.mark.daemon
PLANES = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
PLANES += "N100,2004,Fixed wing multi engine,BOEING,737,2,150,NA,Turbo-fan\n"
START_SECONDS, TABLE_SECONDS = 120, 120


@dataclass(frozen=True)
class Dev:
    url: str
    home: Path


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`slice dev` on a free port, with a home of its own; its whole process group ends with the module."""
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLICE_", "DAGSTER_"))}
    environment |= {"SLICE_HOME": str(home), "SLICE_LANDING_TICK_SECONDS": "2"}
    command = [sys.executable, "-m", "slice_platform.cli.main", "dev", "--port", str(port)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=PACKAGE_DIR.parent, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/server_info", home / "log")
        yield Dev(f"http://127.0.0.1:{port}", home)
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


def test_a_dropped_file_becomes_a_table_with_nobody_asking(dev: Dev) -> None:
    with open_lake(load_settings(home=dev.home)) as lake:
        lake.store.write(f"{LANDING}/planes/planes.csv", PLANES.encode())
        deadline = time.monotonic() + TABLE_SECONDS
        while time.monotonic() < deadline:
            if query(lake, "SELECT tailnum FROM curated.planes").table.num_rows:
                return
            time.sleep(1)
    pytest.fail(f"no table within {TABLE_SECONDS} s:\n{(dev.home / 'log').read_text()[-3000:]}")


@pytest.mark.ui
def test_the_browser_shows_the_asset_with_its_columns_and_the_files_it_was_made_from(dev: Dev, tmp_path: Path) -> None:
    chromium = require_tool("chromium")
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        f"--disable-component-update --disable-sync --virtual-time-budget=30000 --user-data-dir={tmp_path / 'profile'}"
    )
    page = f"{dev.url}/assets/curated/planes?view=overview"
    done = subprocess.run(
        [chromium, *flags.split(), "--dump-dom", page], capture_output=True, text=True, timeout=120, check=True
    )
    source_files = ("rows here", "planes.csv", "published", "arrived_on")
    for words in ("tailnum", "the plane's registration", "non-nullable", "Iceberg", *source_files):
        assert words in done.stdout, words
