"""Partitions on their way into a database: which, how often, and what becomes of those that it cannot take."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slice_platform.errors import ProjectionRefused
from slice_platform.lake.business.build import refresh
from slice_platform.projections.projecting import ensure_table
from slice_platform.warehouse.drop_path import DESTINATIONS, DestinationName
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import SimulatedCrash, die
from slice_platform_tests.lake.business.models import DAILY, MODELS, ModelText, land, trip
from slice_platform_tests.projections.copies import Copies, brought, copies, projected, projected_trips
from slice_platform_tests.samples import changed
from slice_platform_tests.warehouse.worlds import World

MakeWorld = Callable[[DestinationName], World]


@pytest.fixture
def database(make_world: MakeWorld) -> World:
    return make_world("postgres")


@pytest.fixture
def these(make_lake: MakeLake, database: World, tmp_path: Path) -> Copies:
    """`daily` and `monthly`, with two days that are everywhere."""
    made = copies(make_lake, database, tmp_path)
    land(made.lake, "a.jsonl", trip("2013-01-05", "a", 3), trip("2013-01-07", "b", 4))
    made.refresh()
    return made


DAYS = 'select day::text, trips from {}"daily" order by day'


# --- which, and how often


def test_a_partition_is_brought_once_for_each_version(these: Copies) -> None:
    assert these.rows(DAYS) == [("2013-01-05", 1), ("2013-01-07", 1)]
    assert these.bring("daily") == []
    land(these.lake, "late.jsonl", trip("2013-01-05", "late"))
    these.refresh()
    assert these.rows(DAYS) == [("2013-01-05", 2), ("2013-01-07", 1)]
    assert these.bring("daily") == []


def test_several_changes_between_two_refreshes_are_brought_at_once(
    make_lake: MakeLake, database: World, tmp_path: Path
) -> None:
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres"))
    for name in ("a", "b", "c"):
        land(these.lake, f"{name}.jsonl", trip("2013-01-05", name))
    assert brought(these.bring("trips")) == ["2013-01-05"]
    assert these.rows('select id from {}"trips" order by id') == [("a",), ("b",), ("c",)]


def test_a_landing_between_the_versions_and_the_snapshot_is_brought_once_more(
    make_lake: MakeLake, database: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is claimed is never newer than what was read, so that nothing is missed."""
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres"))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"))

    def meanwhile(*args: object) -> None:
        land(these.lake, "b.jsonl", trip("2013-01-05", "b"))
        ensure_table(*args)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr("slice_platform.projections.projecting.ensure_table", meanwhile)
    these.bring("trips")
    monkeypatch.undo()

    assert len(these.bring("trips")) == 1
    assert these.bring("trips") == []
    assert these.rows('select id from {}"trips" order by id') == [("a",), ("b",)]


_KILLED = """
import os, signal, sys
from slice_platform.lake.lake import open_lake
from slice_platform.ledger import Ledger
from slice_platform.projections.projecting import Projecting
from slice_platform.projections.projection import pick_projections
from slice_platform.settings import load_settings
from slice_platform.store import Store
from slice_platform_tests.warehouse.worlds import World

name, url, home = sys.argv[1:]
Ledger.book_built = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
world = World(name, url, home)
with open_lake(load_settings(home=home, defs_dir=home + "/defs", landing_tick_seconds=0)) as lake:
    (one,) = pick_projections(lake, "trips")
    list(Projecting(lake, world.destination(Store(home + "/propagator")), one, "killed").refresh())
"""


@pytest.mark.directory("the process that is killed opens a lake by its home")
@pytest.mark.parametrize("name", DESTINATIONS)
def test_whoever_is_killed_before_it_is_booked_has_brought_it_all_the_same(
    make_lake: MakeLake, make_world: MakeWorld, tmp_path: Path, name: DestinationName
) -> None:
    these = copies(make_lake, make_world(name), tmp_path, {}, projected_trips(name))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"))
    call = [sys.executable, "-c", _KILLED, name, these.world.url, str(tmp_path)]
    assert subprocess.run(call, check=False).returncode == -signal.SIGKILL
    assert these.rows('select id from {}"trips"') == [("a",)]

    assert brought(these.bring("trips", run_id="next")) == []
    assert these.bring("trips") == []
    assert these.problems("trips") == {}


def test_another_definition_after_such_a_death_is_brought_anew(
    make_lake: MakeLake, database: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake's ledger knows of no copy then, and the database has the version, in its former shape."""
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres", columns="[id, started_at]"))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a", 7))
    monkeypatch.setattr(type(these.lake.ledger), "book_built", die)
    with pytest.raises(SimulatedCrash):
        these.bring("trips")
    monkeypatch.undo()

    wider = copies(make_lake, database, tmp_path, {}, projected_trips("postgres", columns="[id, started_at, distance]"))
    wider.bring("trips", run_id="next")
    assert wider.rows('select id, distance from {}"trips"') == [("a", 7)]


def test_a_partition_that_becomes_empty_is_emptied(these: Copies) -> None:
    land(these.lake, "a.jsonl", trip("2013-01-05", "a", 3))
    these.refresh()
    assert these.rows(DAYS) == [("2013-01-05", 1)]
    assert these.problems("daily") == {}


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
def test_rows_may_change_places_between_partitions(
    make_lake: MakeLake, database: World, tmp_path: Path, mode: str
) -> None:
    """The database keeps its primary key at every moment."""
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres", mode=mode))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-07", "b"))
    these.refresh()
    land(these.lake, "a.jsonl", trip("2013-01-05", "b"), trip("2013-01-07", "a"))
    outcomes = these.bring("trips")

    assert [one.refusal for one in outcomes] == [None, None]
    assert these.rows('select id, started_at::date::text from {}"trips" order by 1') == [
        ("a", "2013-01-07"),
        ("b", "2013-01-05"),
    ]
    assert these.bring("trips") == []
    assert these.problems("trips") == {}


PER_DISTANCE = ModelText(
    sql="""\
select started_at::date as day, distance, count(*) as trips
from curated.trips where started_at >= $partition_start and started_at < $partition_end group by all
""",
    defs=changed(DAILY.defs, "key: [day]", "key: [distance]"),
)


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
def test_a_key_that_is_one_within_its_partition_alone_is_kept_as_such(
    make_lake: MakeLake, database: World, tmp_path: Path, mode: str
) -> None:
    """A business table's key is checked per partition; the next day may well have it, too."""
    these = copies(make_lake, database, tmp_path, {"daily": projected(PER_DISTANCE, "postgres", mode=mode)})
    land(these.lake, "a.jsonl", trip("2013-01-05", "a", 1), trip("2013-01-07", "b", 1))
    these.refresh()
    assert these.rows('select day::text, distance from {}"daily" order by 1') == [("2013-01-05", 1), ("2013-01-07", 1)]
    assert these.problems("daily") == {}


# --- the table in the database


def test_a_table_that_was_dropped_comes_back_whole(these: Copies) -> None:
    these.world.run('drop table {}"daily"')
    land(these.lake, "late.jsonl", trip("2013-01-05", "late"))
    these.refresh()
    assert these.rows(DAYS) == [("2013-01-05", 2), ("2013-01-07", 1)]


def test_a_foreign_table_with_rows_is_refused_with_the_way_out(
    make_lake: MakeLake, database: World, tmp_path: Path
) -> None:
    database.run(
        "create table {}\"daily\" as select date '2000-01-01' as day, 1::bigint as trips, 1::bigint as distance"
    )
    these = copies(make_lake, database, tmp_path)
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"))
    with pytest.raises(ProjectionRefused, match=r"no projection wrote.*Choose another `table:`, or drop it"):
        these.refresh()
    assert database.rows('select trips from {}"daily"') == [(1,)]


def test_a_column_that_is_new_is_filled_in_partitions_of_before(
    these: Copies, make_lake: MakeLake, database: World, tmp_path: Path
) -> None:
    longer = ModelText(changed(DAILY.sql, "\nfrom", ", max(distance) as longest\nfrom"), DAILY.defs)
    later = copies(make_lake, database, tmp_path, {"daily": projected(longer, "postgres")})
    assert later.problems("daily") == {}  # it waits, which is no drift
    later.refresh()
    assert later.rows('select day::text, longest from {}"daily" order by 1') == [("2013-01-05", 3), ("2013-01-07", 4)]
    assert later.bring("daily") == []
    assert later.problems("daily") == {}


def test_indexes_are_made(make_lake: MakeLake, database: World, tmp_path: Path) -> None:
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres", indexes="[[distance], [fare, id]]"))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"))
    these.refresh()
    found = database.rows("select indexdef from pg_indexes where tablename = 'trips' and indexname like '%%_ix_%%'")
    assert sorted(one.rpartition(" USING ")[2] for (one,) in found) == ["btree (distance)", "btree (fare, id)"]


def test_columns_are_chosen_and_renamed(make_lake: MakeLake, database: World, tmp_path: Path) -> None:
    columns = "{id: trip, started_at: at, fare: price}"
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres", table="rides", columns=columns))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"))
    these.refresh()
    assert database.rows('select trip, at::date::text, price::text from {}"rides"') == [("a", "2013-01-05", "1.50")]
    land(these.lake, "a.jsonl", trip("2013-01-06", "b"))
    these.refresh()
    assert database.rows('select trip from {}"rides"') == [("b",)]
    assert these.problems("trips") == {}


def test_append_keeps_rows_that_left_the_lake(make_lake: MakeLake, database: World, tmp_path: Path) -> None:
    these = copies(make_lake, database, tmp_path, {}, projected_trips("postgres", mode="append"))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-05", "b"))
    these.refresh()
    land(these.lake, "a.jsonl", trip("2013-01-05", "b"), trip("2013-01-05", "c"))
    these.refresh()
    assert database.rows('select id from {}"trips" order by id') == [("a",), ("b",), ("c",)]
    assert these.problems("trips") == {}
    database.run("delete from {}\"trips\" where id = 'a'")
    assert list(these.problems("trips")) == ["2013-01-05"]


@pytest.mark.parametrize("key", ["all", "2013-13-01", "2013-01"])
def test_a_key_that_is_no_partition_is_refused_and_deletes_nothing(these: Copies, key: str) -> None:
    with pytest.raises(ProjectionRefused, match=rf"'{key}' is no partition of business\.daily; expected a day such as"):
        these.repair("daily", key)
    assert these.rows(DAYS) == [("2013-01-05", 1), ("2013-01-07", 1)]


def test_a_table_that_is_one_has_one_partition(make_lake: MakeLake, database: World, tmp_path: Path) -> None:
    these = copies(make_lake, database, tmp_path, {"totals": projected(MODELS["totals"], "postgres")})
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"))
    refresh(these.lake, these.lake.business["totals"])
    assert brought(these.bring("totals")) == ["all"]
    with pytest.raises(ProjectionRefused, match="'2013-01-05' is no partition of business.totals; expected 'all'"):
        these.repair("totals", "2013-01-05")
    land(these.lake, "b.jsonl", trip("2013-01-09", "b"))
    refresh(these.lake, these.lake.business["totals"])
    assert brought(these.bring("totals")) == ["all"]
    assert these.rows('select trips from {}"totals"') == [(2,)]
    assert these.problems("totals") == {}
