"""Which partitions of its inputs a model reads for a partition: never fewer than it has rows of."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.engine import run
from slice_platform.lake.business.behind import Standing, standing
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.lake import Lake, load_tables
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.business.models import DAILY, ModelText
from slice_platform_tests.samples import changed

DAYS = [f"2013-{month:02}-{day:02}" for month in (1, 2, 3) for day in (1, 5, 6, 7, 28)]
WHERE = "where started_at >= $partition_start and started_at < $partition_end"


def model(where: str, grain: str = "day") -> ModelText:
    """One row for each trip that the model reads for a partition; it is not built here."""
    sql = f"select $partition_start::date as day, id from curated.trips {where}\n"
    text = DAILY.defs.replace("grain: day", f"grain: {grain}")
    return ModelText(sql, changed(text, "key: [day]", "key: [id]"))


@pytest.fixture
def lake(make_lake: MakeLake, tmp_path: Path) -> Lake:
    return make_lake()


def stands(lake: Lake, text: ModelText, days: list[str] = DAYS) -> Standing:
    """How the table stands where `trips` has these days, each at the version 1."""
    text.write(lake.settings.defs_dir / "business" / "model")
    table = load_tables(lake.settings.defs_dir).business["model"]
    return standing(lake, table, {"trips": dict.fromkeys(days, 1)})


def reads(lake: Lake, text: ModelText, key: str) -> list[str]:
    return sorted(stands(lake, text).keys_read(key)["curated.trips"])


def test_a_partition_reads_its_own_moments(lake: Lake) -> None:
    assert reads(lake, model(WHERE), "2013-01-05") == ["2013-01-05"]
    assert reads(lake, model(WHERE, "month"), "2013-02") == [day for day in DAYS if day.startswith("2013-02")]
    assert reads(lake, model(WHERE, "year"), "2013") == DAYS


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (WHERE.replace("start and", "start - interval 6 day and"), ["2013-02-01", "2013-02-05", "2013-02-06"]),
        (WHERE.replace("start and", "start - interval '1 week' and"), ["2013-02-01", "2013-02-05", "2013-02-06"]),
        (WHERE.replace("start and", "start - interval 24 hours and"), ["2013-02-05", "2013-02-06"]),
        (WHERE.replace("$partition_end", "$partition_end + interval 1 day"), ["2013-02-06", "2013-02-07"]),
        ("where started_at between $partition_start and $partition_end", ["2013-02-06", "2013-02-07"]),
        ("where started_at < $partition_end", [day for day in DAYS if day <= "2013-02-06"]),
        # A month has no fixed length, and a function is not looked into: then all may be read.
        (WHERE.replace("start and", "start - interval 1 month and"), [day for day in DAYS if day <= "2013-02-06"]),
        ("where started_at::date = $partition_start::date", DAYS),
        ("", DAYS),
    ],
)
def test_a_bound_that_is_shifted_reads_as_many_partitions_more(lake: Lake, where: str, expected: list[str]) -> None:
    if not where:
        where = "where $partition_start is not null"
    assert reads(lake, model(where), "2013-02-06") == expected


@pytest.mark.parametrize(
    ("where", "key", "expected"),
    [
        # Bounds that are the same for every partition, beside those that move with it.
        (f"{WHERE} and started_at < '2013-03-01'", "2013-02-06", ["2013-02-06"]),
        (f"{WHERE} and started_at < '2013-02-01'", "2013-02-06", []),
        (f"{WHERE} and started_at >= '2013-02-01'", "2013-01-05", []),
        (f"{WHERE} and started_at >= '2013-02-01'", "2013-02-06", ["2013-02-06"]),
        (f"{WHERE} or started_at >= '2013-03-07'", "2013-01-05", ["2013-01-05", "2013-03-07", "2013-03-28"]),
        (f"{WHERE} or started_at < '2013-01-05'", "2013-02-06", ["2013-01-01", "2013-02-06"]),
        ("where started_at in ('2013-01-01', $partition_start)", "2013-02-06", ["2013-01-01", "2013-02-06"]),
    ],
)
def test_a_fixed_bound_stays_where_it_is(lake: Lake, where: str, key: str, expected: list[str]) -> None:
    assert set(reads(lake, model(where), key)) >= set(expected)
    if "started_at in" not in where:
        assert reads(lake, model(where), key) == expected


_bound = st.sampled_from(["$partition_start", "$partition_end", "timestamptz '2013-02-05'", "timestamptz '2013-01-28'"])
_shift = st.sampled_from(["", " - interval 6 day", " + interval 30 hour", " - interval 2 week"])
_leaf = st.builds("started_at {} {}{}".format, st.sampled_from([">=", ">", "<", "<=", "="]), _bound, _shift)
_condition = st.recursive(
    _leaf, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner), max_leaves=5
)


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=_condition, grain=st.sampled_from(["day", "month"]))
def test_no_row_that_passes_is_left_out(lake: Lake, condition: str, grain: str) -> None:
    """Compared with DuckDB: the days whose trips pass, of trips at midnight and at noon."""
    if "$" not in condition:
        condition = f"({condition}) and $partition_start is not null"
    found = stands(lake, model(f"where {condition}", grain))
    for key in ["2013-01-01", "2013-01-28", "2013-02-06"] if grain == "day" else ["2013-01", "2013-03"]:
        assert passing(found.table, key) <= set(found.keys_read(key)["curated.trips"]), key


def passing(table: BusinessTable, key: str) -> set[str]:
    import duckdb

    with duckdb.connect() as plain:
        run(plain, "set TimeZone = 'UTC'")
        run(plain, "create schema curated")
        moments = ", ".join(f"('{day}', timestamptz '{day} {hour}')" for day in DAYS for hour in ("00:00", "12:00"))
        run(plain, f"create table curated.trips as from (values {moments}) t(id, started_at)")
        return {row[1] for row in run(plain, table.select_at(key))}
