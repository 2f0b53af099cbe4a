"""What a projection leaves in a table, in each mode and in each database."""

from collections.abc import Callable

import pytest

from slice_platform.errors import AccountingError, TableChanged
from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.projection import Changes, Mode
from slice_platform.warehouse.refusal import FileRefused
from slice_platform_tests.warehouse.projections import COLUMNS, Projector, at, of_people, projector, window
from slice_platform_tests.warehouse.worlds import World

ADA, BO, CY = (1, at(1, 8), "Ada"), (2, at(1, 9), "Bo"), (3, at(2, 10), "Cy")


@pytest.fixture
def people(world: World) -> Projector:
    return projector(world, of_people(world))


def in_mode(world: World, mode: Mode) -> Projector:
    return projector(world, of_people(world, mode))


@pytest.mark.parametrize("mode", ["replace_partition", "upsert", "append"])
def test_a_partition_is_there_after_it_was_projected(world: World, mode: Mode) -> None:
    people = in_mode(world, mode)
    done = people.project(1, 1, [ADA, BO])
    assert done.applied and done.changes == Changes(inserted=2) and done.measure.rows == 2
    assert people.project(2, 1, [CY]).applied
    assert people.rows() == [ADA, BO, CY]


@pytest.mark.parametrize("mode", ["replace_partition", "upsert", "append"])
def test_the_same_version_again_changes_nothing(world: World, mode: Mode) -> None:
    people = in_mode(world, mode)
    first = people.project(1, 1, [ADA, BO])
    world.run("delete from {}people where id = 1")
    again = people.project(1, 1, [ADA, BO])
    assert not again.applied and again.measure == first.measure and not again.statements
    assert people.rows() == [BO]


def test_an_older_version_never_overwrites_a_newer_one(people: Projector) -> None:
    people.project(1, 2, [BO])
    for again in (False, True):
        done = people.project(1, 1, [ADA], again=again)
        assert not done.applied and done.version == 2
    assert people.rows() == [BO]


def test_what_drifted_is_found_by_its_measure_and_repaired_by_projecting_again(people: Projector) -> None:
    first = people.project(1, 1, [ADA, BO])
    windows = {"2026-01-01": window(1), "2026-01-02": window(2), "all": None}
    assert people.destination.measure(people.table, windows)["2026-01-01"] == first.measure
    people.world.run("update {}people set name = 'ada' where id = 1")
    now = people.destination.measure(people.table, windows)
    assert now["2026-01-01"].rows == 2 and now["2026-01-01"] != first.measure and now["2026-01-02"] == Measure()
    assert now["all"] == now["2026-01-01"]
    assert people.project(1, 1, [ADA, BO], again=True).changes == Changes(updated=1)
    assert people.destination.measure(people.table, windows)["2026-01-01"] == first.measure


def test_a_partition_of_the_lakes_table_made_anew_counts_whatever_its_version(people: Projector) -> None:
    people.project(1, 9, [ADA])
    assert people.project(1, 1, [BO], lineage="second").applied
    assert people.rows() == [BO]


def test_replacing_takes_the_rows_of_the_window_alone(world: World) -> None:
    people = in_mode(world, "replace_partition")
    people.project(1, 1, [ADA, BO, BO])
    people.project(2, 1, [CY])
    assert people.project(1, 2, [BO]).changes == Changes(deleted=3, inserted=1)
    assert people.rows() == [BO, CY]


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
def test_a_partition_that_is_empty_by_now_is_emptied(world: World, mode: Mode) -> None:
    people = in_mode(world, mode)
    people.project(1, 1, [ADA, BO])
    people.project(2, 1, [CY])
    done = people.project(1, 2, [])
    assert done.changes == Changes(deleted=2) and done.measure == Measure()
    assert people.rows() == [CY]


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
def test_a_table_without_partitions_is_projected_as_a_whole(world: World, mode: Mode) -> None:
    people = in_mode(world, mode)
    people.project(None, 1, [ADA, CY])
    people.project(None, 2, [BO])
    assert people.rows() == [BO]


def test_an_upsert_touches_only_rows_that_differ(people: Projector) -> None:
    people.project(1, 1, [ADA, BO, (4, at(1), None), (5, at(1), "Eve")])
    people.world.run("alter table {}people add column seen integer default 7")
    people.world.run("update {}people set seen = id")
    done = people.project(1, 2, [ADA, (2, at(1, 9), "Bob"), (5, at(1), None), (6, at(1), "Fy")])
    assert done.changes == Changes(deleted=1, inserted=1, updated=2)
    assert people.world.rows('select id, name, seen from {}"people" order by id') == [
        (1, "Ada", 1), (2, "Bob", 2), (5, None, 5), (6, "Fy", 7),
    ]  # fmt: skip


def test_a_row_that_changed_its_partition_is_moved_and_the_other_partition_is_marked(people: Projector) -> None:
    """Whether the other is newer cannot be told: it is projected again, and has what belongs to it."""
    people.project(1, 1, [ADA, BO])
    people.project(2, 1, [CY])
    moved = (2, at(2, 9), "Bo")
    assert people.project(2, 2, [CY, moved]).changes == Changes(updated=1, moved=1)
    assert people.rows() == [ADA, moved, CY]
    known = people.destination.recorded(people.table.ref)
    assert (known["2026-01-01"].is_stale, known["2026-01-02"].is_stale) == (True, False)
    assert people.project(1, 1, [ADA]).applied
    assert not people.destination.recorded(people.table.ref)["2026-01-01"].is_stale


def test_appending_never_changes_what_is_there(world: World) -> None:
    people = in_mode(world, "append")
    people.project(1, 1, [ADA, BO])
    world.run("update {}people set name = 'mine' where id = 1")
    world.run("delete from {}people where id = 2")
    done = people.project(1, 2, [ADA, (2, at(1, 9), "Bob"), (4, at(1), "Di")])
    assert done.changes == Changes(inserted=2) and done.measure.rows == 3
    assert people.rows() == [(1, at(1, 8), "mine"), (2, at(1, 9), "Bob"), (4, at(1), "Di")]
    assert people.project(1, 3, []).changes == Changes()
    assert len(people.rows()) == 3


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
def test_rows_beside_their_window_are_refused_and_nothing_changes(world: World, mode: Mode) -> None:
    """They would not be found the next time, and be there twice."""
    people = in_mode(world, mode)
    people.project(1, 1, [ADA])
    with pytest.raises(AccountingError, match="Do all of them lie in 2026-01-01"):
        people.project(1, 2, [BO, CY])
    assert people.rows() == [ADA]
    assert people.destination.recorded(people.table.ref)["2026-01-01"].version == 1


def test_the_ledger_tells_what_was_projected(people: Projector) -> None:
    assert people.destination.recorded(people.table.ref) == {}
    people.project(1, 3, [ADA, BO], snapshot_id=None)
    done = people.project(2, 4, [CY])
    first, second = people.destination.recorded(people.table.ref).values()
    assert (first.partition_key, first.version, first.snapshot_id, first.run_id) == ("2026-01-01", 3, None, "run")
    assert (second.source, second.lineage, second.snapshot_id) == ("business.people", "first", 40)
    assert second.measure == done.measure and second.changes == done.changes


def test_a_table_that_is_gone_is_not_taken_for_projected(people: Projector) -> None:
    people.project(1, 1, [ADA])
    with people.checked([ADA]) as rows:
        people.world.run("drop table {}people")
        with pytest.raises(TableChanged, match="Ensure it first"):
            people.destination.project(people.table, people.claim(1, 1), rows)
    assert people.destination.ensure(people.table)
    assert people.project(1, 1, [ADA]).applied and people.rows() == [ADA]


def test_a_table_that_was_altered_since_the_check_is_not_projected_into(people: Projector) -> None:
    with people.checked([ADA]) as rows:
        people.destination.ensure(of_people(people.world, columns={**COLUMNS, "age": "SMALLINT"}))
        with pytest.raises(TableChanged):
            people.destination.project(people.table, people.claim(1, 1), rows)


def test_a_window_of_a_table_without_a_partition_column_deletes_nothing(world: World) -> None:
    people = projector(world, of_people(world, columns={"id": "BIGINT", "name": "VARCHAR(9)"}))
    with pytest.raises(FileRefused, match="no partition_column"):
        people.project(1, 1, [(1, "Ada")])


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
@pytest.mark.parametrize("name", ["postgres", "mysql", "redshift"])
def test_windows_are_of_every_type_of_moment(
    make_world: Callable[[DestinationName], World], name: DestinationName, kind: str
) -> None:
    world = make_world(name)
    people = projector(world, of_people(world, columns={**COLUMNS, "at": kind}))
    first, after = window(1)
    for version, moment in ((1, first), (2, first)):
        value = moment.date() if kind == "DATE" else moment
        people.project(1, version, [(1, value, "Ada"), (2, value, "Bo")])
    people.project(2, 1, [(3, after.date() if kind == "DATE" else after, "Cy")])
    measured = people.destination.measure(people.table, {"first": window(1), "second": window(2)})
    assert (measured["first"].rows, measured["second"].rows) == (2, 1)
