"""A build that dies at any step, and the next one: a table is before it or after it, and is built once."""

import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

from slice_platform.lake.business.behind import behind
from slice_platform.lake.business.build import refresh
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import BATCH, load_table
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import crash_at
from slice_platform_tests.lake.business.models import DAILY, ModelText, built, land, rows, trip, write_models
from slice_platform_tests.samples import changed

ANEW = ModelText(changed(DAILY.sql, "count(*) as trips", "count(*)::varchar as trips"), DAILY.defs)
BEFORE = [("2013-01-05", "1"), ("2013-01-07", "1")]

_KILLED = """
import os, signal, sys
from slice_platform.lake.business import build
from slice_platform.lake.lake import open_lake
from slice_platform.settings import load_settings

step, home = sys.argv[1:]
call = getattr(build, step)

def killed(*args, **options):
    call(*args, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(build, step, killed)
with open_lake(load_settings(home=home, defs_dir=home + "/defs", landing_tick_seconds=0)) as lake:
    build.refresh(lake, lake.business["daily"])
"""


def shown(lake: Lake) -> list[tuple[object, ...]]:
    return rows(lake, "select day::varchar, trips::varchar from business.daily order by day")


def a_late_file(make_lake: MakeLake, home: Path, later: ModelText = DAILY) -> Lake:
    """Two days that were built, of which one is behind; under the model that there is later."""
    write_models(home, {"daily": DAILY})
    lake = make_lake(home=home)
    land(lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-07", "b"))
    refresh(lake, lake.business["daily"])
    land(lake, "late.jsonl", trip("2013-01-05", "late"))
    write_models(home, {"daily": later})
    return make_lake(home=home)


@pytest.mark.parametrize("later", [DAILY, ANEW], ids=["a late file", "other columns"])
def test_a_crash_around_any_call_of_store_or_ledger_leaves_before_or_after(
    make_lake: MakeLake, tmp_path: Path, later: ModelText
) -> None:
    after = [("2013-01-05", "2"), ("2013-01-07", "1")]
    for moment in count(1, 3):  # every third: both before and after calls
        lake = a_late_file(make_lake, tmp_path / str(moment), later)
        with crash_at(lake, moment) as (dying, died):
            refresh(dying, lake.business["daily"])
        assert shown(lake) in (BEFORE, after)
        refresh(lake, lake.business["daily"])
        assert shown(lake) == after
        assert not behind(lake, lake.business["daily"])
        assert refresh(lake, lake.business["daily"]) == []
        assert_no_strays(lake)
        if not died:
            break
    assert moment > 10  # fewer would mean that the crashes no longer reach the steps


def assert_no_strays(lake: Lake) -> None:
    """What lies there was committed once; what a crash left otherwise is gone."""
    table = load_table(lake, lake.business["daily"])
    assert table is not None
    summaries = [snapshot.summary for snapshot in table.metadata.snapshots if snapshot.summary]
    committed = {summary.additional_properties[BATCH] for summary in summaries}
    there = {entry.key.split("/")[3] for entry in lake.store.list("business/daily/data") if ".parquet" in entry.key}
    assert there <= committed
    assert lake.ledger.open_batches("business.daily") == []


@pytest.mark.directory("the process that is killed opens a lake by its home")
@pytest.mark.parametrize(
    ("step", "again"),
    [
        ("write_sorted", ["2013-01-05"]),  # nothing was committed
        ("commit", ["2013-01-05"]),  # as the next one books it
        ("settle", []),
    ],
)
def test_a_kill_leaves_nothing_to_do_twice(make_lake: MakeLake, tmp_path: Path, step: str, again: list[str]) -> None:
    lake = a_late_file(make_lake, tmp_path)
    ended = subprocess.run([sys.executable, "-c", _KILLED, step, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    before = snapshots(lake)

    assert built(refresh(lake, lake.business["daily"])) == again
    assert snapshots(lake) == before + (step == "write_sorted")
    assert refresh(lake, lake.business["daily"]) == []
    assert shown(lake) == [("2013-01-05", "2"), ("2013-01-07", "1")]


def snapshots(lake: Lake) -> int:
    table = load_table(lake, lake.business["daily"])
    assert table is not None
    return len(table.metadata.snapshots)
