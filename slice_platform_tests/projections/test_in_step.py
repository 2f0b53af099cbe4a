"""Whether a database still has what it was given: what somebody changed by hand is found, and nothing else is."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from slice_platform.lake.business.build import refresh
from slice_platform.projections.in_step import compare_whole
from slice_platform.projections.projecting import Projecting, behind
from slice_platform.projections.source import opened_source
from slice_platform.warehouse.drop_path import DESTINATIONS, DestinationName
from slice_platform.warehouse.projection import ProjectedTable, Window
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import SimulatedCrash, die
from slice_platform_tests.lake.business.models import DAILY, land, trip
from slice_platform_tests.projections.copies import Copies, copies, projected, projected_trips
from slice_platform_tests.samples import changed
from slice_platform_tests.warehouse.worlds import World

MakeWorld = Callable[[DestinationName], World]


def daily_on(world: World, make_lake: MakeLake, home: Path) -> Copies:
    """Three days, in the database."""
    these = copies(make_lake, world, home, {"daily": projected(DAILY, world.name)})
    land(these.lake, "a.jsonl", *(trip(f"2013-01-0{day}", str(day), day) for day in (5, 6, 7)))
    these.refresh()
    return these


@pytest.fixture
def these(make_lake: MakeLake, make_world: MakeWorld, tmp_path: Path) -> Copies:
    return daily_on(make_world("postgres"), make_lake, tmp_path)


@pytest.mark.parametrize("name", DESTINATIONS)
@pytest.mark.parametrize(
    ("by_hand", "says"),
    [
        ('update {}"daily" set distance = 99 where "day" = \'2013-01-06\'', "some have other values"),
        ('delete from {}"daily" where "day" = \'2013-01-06\'', "the database has 0 rows, expected 1"),
        (
            'insert into {}"daily" ("day", trips, distance) values (\'2013-01-06\', 1, 1)',
            "the database has 2 rows, expected 1",
        ),
    ],
)
def test_what_somebody_changed_is_found_and_repaired(
    make_lake: MakeLake, make_world: MakeWorld, tmp_path: Path, name: DestinationName, by_hand: str, says: str
) -> None:
    these = copies(make_lake, make_world(name), tmp_path, {"daily": projected(DAILY, name, primary_key="[]")})
    land(these.lake, "a.jsonl", *(trip(f"2013-01-0{day}", str(day), day) for day in (5, 6, 7)))
    these.refresh()
    assert these.problems("daily") == {}
    these.world.run(by_hand)

    found = these.problems("daily")
    assert list(found) == ["2013-01-06"]
    assert says in found["2013-01-06"]
    these.repair("daily", *found)
    assert these.problems("daily") == {}
    assert [row[1:] for row in these.rows('select * from {}"daily" order by 1')] == [(1, 5), (1, 6), (1, 7)]


def test_a_copy_that_waits_for_its_turn_is_no_drift(these: Copies) -> None:
    land(these.lake, "b.jsonl", trip("2013-01-06", "b"))
    refresh(these.lake, these.lake.business["daily"])

    compared = {one.key: one for one in these.compared("daily")}
    assert {one.problem for one in compared.values()} == {None}
    assert [key for key, one in compared.items() if one.is_behind] == ["2013-01-06"]


def test_what_was_changed_in_a_copy_that_waits_is_drift(these: Copies) -> None:
    land(these.lake, "b.jsonl", trip("2013-01-06", "b"))
    refresh(these.lake, these.lake.business["daily"])
    these.world.run("update daily set distance = 99 where day = '2013-01-06'")
    assert list(these.problems("daily")) == ["2013-01-06"]


def test_a_commit_that_nobody_booked_yet_is_no_drift(these: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """The snapshot has the new rows then, and the ledger the former version."""
    land(these.lake, "b.jsonl", trip("2013-01-06", "b"))
    monkeypatch.setattr("slice_platform.lake.business.build.settle", die)
    monkeypatch.setattr("slice_platform.lake.attempts.settle", die)
    with pytest.raises(SimulatedCrash):
        refresh(these.lake, these.lake.business["daily"])
    monkeypatch.undo()
    assert these.problems("daily") == {}
    these.refresh()
    assert these.problems("daily") == {}


def test_a_build_while_it_is_compared_is_no_drift(these: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(*args: Any) -> Any:
        land(these.lake, "b.jsonl", trip("2013-01-06", "b"))
        refresh(these.lake, these.lake.business["daily"])
        return opened_source(*args)

    monkeypatch.setattr("slice_platform.projections.in_step.opened_source", meanwhile)
    assert these.problems("daily") == {}


def test_a_partition_that_is_brought_while_it_is_compared_is_no_drift(
    these: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = these.destination.measure

    def meanwhile(table: ProjectedTable, windows: Mapping[str, Window | None]) -> Any:
        monkeypatch.undo()
        land(these.lake, "b.jsonl", trip("2013-01-06", "b"))
        these.refresh()
        return measure(table, windows)

    monkeypatch.setattr(these.destination, "measure", meanwhile)
    compared = these.compared("daily")
    assert len(compared) == 3
    assert {one.problem for one in compared} == {None}


def test_a_table_that_was_dropped_is_found_and_comes_back(these: Copies) -> None:
    these.world.run("drop table daily")
    found = these.problems("daily")
    assert list(found) == ["2013-01-05", "2013-01-06", "2013-01-07"]
    assert "knows nothing of it any more" in found["2013-01-06"]
    these.repair("daily", "2013-01-05")  # the table is made anew, and the others are not in it yet
    assert [one.key for one in behind(these.lake, these.of("daily"))] == ["2013-01-06", "2013-01-07"]
    these.refresh()
    assert these.problems("daily") == {} and len(these.compared("daily")) == 3


def test_partitions_that_were_never_brought_are_not_compared(these: Copies) -> None:
    assert these.compared("daily", "2013-01-20") == []


def test_another_definition_is_no_drift(these: Copies, make_lake: MakeLake, tmp_path: Path) -> None:
    """Its columns are not in the database yet."""
    model = changed(DAILY.sql, "\nfrom", ", max(distance) as longest\nfrom")
    wider = projected(type(DAILY)(model, DAILY.defs), "postgres")
    later = copies(make_lake, these.world, tmp_path, {"daily": wider})
    assert later.compared("daily") == []


def test_rows_that_another_partition_took_are_found_and_brought_again(
    make_lake: MakeLake, make_world: MakeWorld, tmp_path: Path
) -> None:
    """As after a run that was late: it brought an older state of one partition after a newer one of the other."""
    these = copies(make_lake, make_world("postgres"), tmp_path, {}, projected_trips("postgres", mode="upsert"))
    land(these.lake, "a.jsonl", trip("2013-01-05", "a"), trip("2013-01-07", "b"))
    these.refresh()
    these.world.run("update _slice_projections set is_stale = 1 where partition_key = '2013-01-07'")
    these.world.run("delete from trips where id = 'b'")
    assert these.problems("trips") == {"2013-01-07": "another partition took rows of it"}
    land(these.lake, "c.jsonl", trip("2013-01-05", "c"))
    these.refresh()
    assert these.rows("select id from trips order by id") == [("a",), ("b",), ("c",)]
    assert these.problems("trips") == {}


@pytest.mark.parametrize("name", DESTINATIONS)
def test_rows_where_the_lake_has_none_are_found(
    make_lake: MakeLake, make_world: MakeWorld, tmp_path: Path, name: DestinationName
) -> None:
    these = daily_on(make_world(name), make_lake, tmp_path)
    copy = these.of("daily")
    (whole,) = compare_whole(these.destination, copy)
    assert (whole.key, whole.problem, whole.database.rows) == (None, None, 3)

    these.world.run('insert into {}"daily" ("day", trips, distance) values (\'2030-01-01\', 1, 1)')

    assert these.problems("daily") == {}  # each partition that was brought is as it was
    (whole,) = compare_whole(these.destination, copy)
    assert whole.problem == "it has 4 rows, and 3 were brought in all its partitions"


def test_what_a_database_has_lost_is_behind_once_somebody_looks(these: Copies) -> None:
    these.world.run('drop table {}"daily"')
    assert behind(these.lake, these.of("daily")) == []  # no database was asked

    lost = Projecting(these.lake, these.destination, these.of("daily"), "look").notice_lost()

    assert lost == [one.key for one in behind(these.lake, these.of("daily"))] != []
    these.refresh()
    assert [row[1:] for row in these.rows('select * from {}"daily" order by 1')] == [(1, 5), (1, 6), (1, 7)]
