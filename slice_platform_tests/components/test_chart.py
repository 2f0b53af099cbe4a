"""The small picture of a table: a PNG that opens, of what may be shown, whatever the values are."""

import base64
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import dagster as dg
import duckdb
import matplotlib.image
import pytest

from slice_platform.components.chart import drawn
from slice_platform.lake.business.spec import ChartSpec
from slice_platform_tests.components.tables import Deployment, deployed
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, WHOLE, ModelText, land, trip
from slice_platform_tests.samples import TRIPS, DatasetText, changed

IMAGE = re.compile(r"!\[([^\]\n]*)\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)")
LINE = ChartSpec(x="day", y="trips", by="distance", title="Trips [per day] in $ and $x_")
BAR = ChartSpec(kind="bar", x="day", y="trips")
SIZE = (308, 770, 4)
MadeOf = Callable[..., Deployment]


def with_chart(chart: str, model: ModelText = DAILY) -> ModelText:
    return ModelText(model.sql, model.defs + f"  chart: {chart}\n")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def opened(shown: str | None) -> tuple[str, tuple[int, ...]] | None:
    """The title of a picture, and its size."""
    if shown is None:
        return None
    found = IMAGE.fullmatch(shown)
    assert found, shown[:200]
    return found[1], matplotlib.image.imread(io.BytesIO(base64.b64decode(found[2]))).shape


@pytest.fixture
def made_of(
    make_lake: MakeLake, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> MadeOf:
    return lambda models, trips=TRIPS: deployed(make_lake, tmp_path, instance, monkeypatch, models, trips)


def test_the_latest_partition_shows_a_picture_that_opens(made_of: MadeOf) -> None:
    world = made_of({"daily": with_chart("{x: day, y: trips, title: Trips per day}")})
    land(world.lake, "a.jsonl", *(trip(f"2013-01-0{day}", f"t{day}", day) for day in range(1, 6)))
    assert world.refresh("daily").success
    assert opened(str(world.shown("business/daily", "2013-01-05")["chart"].value)) == ("Trips per day", SIZE)
    assert "chart" not in world.shown("business/daily", "2013-01-04")
    assert world.shown("business/daily")["chart"].value  # what the page of the table begins with


@pytest.mark.parametrize(
    "rows",
    [
        "select 'category ' || i as day, i as trips, 'y' as distance from range(300) t(i)",
        "select date '2013-01-01' as day, 1 as trips, 'a$x_$b^' as distance",
        "select date '2013-01-01' + i::int as day, i as trips, '_' || i % 3 as distance from range(2000) t(i)",
        "select timestamptz '2013-01-01 00:00Z' as day, 1::decimal(5, 2) as trips, 'é\u6f22' as distance",
        "select 'a$b$' as day, 'inf'::double as trips, 'x' as distance union all select 'c', 1.5, 'x'",
        "select i as day, 1e300 * i as trips, 'y' as distance from range(3) t(i)",
        "select time '10:00' + to_hours(i::int) as day, i as trips, 'y' as distance from range(3) t(i)",
        "select i % 2 = 0 as day, i as trips, 'y' as distance from range(3) t(i)",
        "select date 'infinity' as day, 1 as trips, 'y' as distance union all select date '2013-01-01', 2, 'y'",
        "select date '0044-03-15 (BC)' as day, 1 as trips, 'y' as distance union all select date '2013-01-01', 2, 'y'",
    ],
)
def test_lines_of_any_values_are_drawn(connection: duckdb.DuckDBPyConnection, rows: str) -> None:
    assert opened(drawn(connection, LINE, f"({rows})")) == ("Trips (per day) in $ and $x_", SIZE)


@pytest.mark.parametrize(
    "place", ["'N' || i", "'_$x$' || i", "i", "date '2013-01-01' + i::int", "'long ' || repeat('x', 90) || i"]
)
def test_bars_of_any_values_are_drawn(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    rows = f"(select {place} as day, i as trips from range(30) t(i))"
    assert opened(drawn(connection, BAR, rows)) == ("trips by day", SIZE)


@pytest.mark.parametrize("kept", ["null::int as trips, 'a' as distance", "'nan'::double as trips, 'a' as distance"])
def test_nothing_to_draw_is_no_picture(connection: duckdb.DuckDBPyConnection, kept: str) -> None:
    for chart in (LINE, BAR):
        assert drawn(connection, chart, f"(select date '2013-01-01' as day, {kept})") is None


@pytest.mark.parametrize("chart", ["{x: day, y: fare}", "{x: fare, y: trips}", "{x: day, y: trips, by: fare}"])
def test_nothing_classified_is_drawn(made_of: MadeOf, chart: str) -> None:
    secret = changed(TRIPS.contract, "name: fare\n", "name: fare\n        classification: restricted\n")
    sql = changed(DAILY.sql, "count(*) as trips", "count(*) as trips, max(fare) as fare")
    allowed = ModelText(sql, DAILY.defs + "  personal: {fare: {allow: for the books of the company}}\n")
    world = made_of({"daily": with_chart(chart, allowed)}, DatasetText(secret, TRIPS.defs))
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert world.refresh("daily").success
    assert "chart" not in world.shown("business/daily")


def test_a_table_without_partitions_has_a_picture_too(made_of: MadeOf) -> None:
    world = made_of({"totals": with_chart("{kind: bar, x: longest, y: trips}", WHOLE)})
    land(world.lake, "a.jsonl", trip("2013-01-01", "a"))
    assert world.refresh("totals").success
    assert opened(str(world.shown("business/totals")["chart"].value))


def test_files_of_partitions_that_no_picture_reaches_are_not_read(
    made_of: MadeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = made_of({"daily": with_chart("{x: day, y: trips}")})
    read: list[Sequence[str]] = []

    def noted(_connection: object, _table: object, paths: Sequence[str]) -> None:
        read.append(paths)

    monkeypatch.setattr("slice_platform.components.business_metadata.chart_markdown", noted)
    monkeypatch.setattr("slice_platform.components.business_metadata.MOST_PARTITIONS", 3)
    land(world.lake, "a.jsonl", *(trip(f"2013-01-0{day}", f"t{day}", day) for day in range(1, 8)))
    assert world.refresh("daily").success
    (paths,) = read
    assert len(paths) == 3
