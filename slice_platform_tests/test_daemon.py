"""The real thing: `slice dev` with its daemon and web server, a dropped file, the table, the UI, and Slack."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from slice_platform.lake.lake import LANDING, open_lake
from slice_platform.lake.query import query
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.dev_server import Dev, running_dev
from slice_platform_tests.tools import require_tool

pytestmark = pytest.mark.daemon
PLANES = "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
PLANES += "N100,2004,Fixed wing multi engine,BOEING,737,2,150,NA,Turbo-fan\n"
TICKS = """{sensorOrError(sensorSelector: {repositoryName: "__repository__", repositoryLocationName: "slice_platform",
sensorName: "alerts_sensor"}) {... on Sensor {sensorState {ticks(limit: 1) {status}}}}}"""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with running_dev(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(scope="module")
def dropped(dev: Dev) -> Dev:
    """A file was dropped; nobody asked for anything since, and no run is under way any more."""
    with open_lake(load_settings(home=dev.home)) as lake:
        lake.store.write(f"{LANDING}/planes/planes.csv", PLANES.encode())
        dev.until(lambda: query(lake, "SELECT tailnum FROM curated.planes").table.num_rows, "the table")
    dev.until_no_run()
    return dev


def test_a_dropped_file_becomes_a_table_with_nobody_asking(dropped: Dev) -> None:
    with open_lake(load_settings(home=dropped.home)) as lake:
        assert query(lake, "SELECT tailnum, seats FROM curated.planes").table.to_pylist() == [
            {"tailnum": "N100", "seats": 150}
        ]


def test_an_asset_that_fails_is_one_message_in_slack_with_a_link_to_its_run(dropped: Dev) -> None:
    dev = dropped
    dev.until(lambda: dev.ask(TICKS)["sensorOrError"]["sensorState"]["ticks"], "the first look of alerts_sensor")
    (raw,) = (dev.home / "lake" / "raw" / "planes").rglob("*planes.csv")
    raw.rename(raw.with_name("hidden"))
    try:
        command = [sys.executable, "-m", "slice_platform.cli.main", "rebuild", "planes"]
        done = subprocess.run(command, cwd=PACKAGE_DIR.parent, env=dev.environment, capture_output=True, check=False)
    finally:
        raw.with_name("hidden").rename(raw)
    assert done.returncode != 0
    dev.until(lambda: dev.slack.messages("data-platform"), "a message")
    time.sleep(15)  # long enough for a second one
    told = dev.slack.messages("data-platform")
    (message,) = [one for one in told if "failed" in one.text]
    assert not [one for one in told if "good again" in one.text]
    link = message.text.splitlines()[-1]
    run_id = link.removeprefix(f"{dev.url}/runs/")
    with urllib.request.urlopen(link, timeout=10) as page:  # noqa: S310  # loopback
        assert page.status == 200
    assert dev.ask(f'{{runOrError(runId: "{run_id}") {{... on Run {{status}}}}}}')["runOrError"]["status"] == "FAILURE"


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
