"""SQL and pandas, each on its own, answer the demo's questions alike."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import slice_platform
from slice_platform.demo.answers import QUESTIONS, Question, Truth, difference
from slice_platform.demo.scenario import Scenario
from slice_platform.lake.lake import load_tables

DEFS = Path(slice_platform.__file__).parent / "defs"

BY_TITLE = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)


@pytest.fixture(scope="session")
def database(truth: Truth) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'").fetchall()
    connection.execute("create schema curated")
    for name in ("flights", "weather", "planes"):
        connection.register("given", pa.Table.from_pandas(getattr(truth, name), preserve_index=False))
        typed = "* replace (time_hour::timestamptz as time_hour)" if name != "planes" else "*"
        connection.execute(f"create table curated.{name} as select {typed} from given").fetchall()
    connection.execute("create schema business").fetchall()
    model = load_tables(DEFS).business["carrier_punctuality"].bound
    year = model.sql_at(datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 2, tzinfo=UTC))
    connection.execute(f"create table business.carrier_punctuality as {year}").fetchall()
    return connection


@BY_TITLE
def test_sql_and_pandas_find_the_same_answer(
    question: Question, database: duckdb.DuckDBPyConnection, truth: Truth
) -> None:
    expected = question.compute(truth)
    assert len(expected) >= 4
    assert difference(expected, database.sql(question.sql).to_arrow_table()) is None


@BY_TITLE
def test_a_lost_day_changes_the_answer(question: Question, database: duckdb.DuckDBPyConnection, truth: Truth) -> None:
    """An answer that a missing file leaves as it was would prove nothing."""
    flights = truth.flights
    incomplete = Truth(flights[(flights["month"] != 6) | (flights["day"] != 15)], truth.weather, truth.planes)
    found = database.sql(question.sql).to_arrow_table()
    assert difference(question.compute(incomplete), found) is not None


def test_the_truth_leaves_out_the_bad_rows(truth: Truth, scenario: Scenario) -> None:
    tables = {"flights": truth.flights, "weather": truth.weather, "planes": truth.planes}
    expected = {name: totals.rows_published for name, totals in scenario.after_wave_2.items()}
    assert {name: len(table) for name, table in tables.items()} == expected


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"n": [1, 2], "x": [0.5, 1.0]}, None),
        ({"n": [1, 2], "x": [0.5, 1.0 + 1e-12]}, None),
        ({"n": [1, 3], "x": [0.5, 1.0]}, "row 2, column n: expected 2, found 3"),
        ({"n": [1, 2], "x": [0.5, 1.001]}, "row 2, column x: expected 1.0, found 1.001"),
        ({"n": [1, 2], "x": [0.5, None]}, "row 2, column x: expected 1.0, found None"),
        ({"n": [1], "x": [0.5]}, "expected 2 rows, found 1"),
        ({"n": [1, 2]}, "expected the columns ['n', 'x'], found ['n']"),
    ],
)
def test_a_difference_is_told_in_words(found: dict[str, list[float | None]], says: str | None) -> None:
    assert difference(pd.DataFrame({"n": [1, 2], "x": [0.5, 1.0]}), pa.table(found)) == says
