"""Tables that projections fill are made, widened, and left alone where they are somebody else's."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.projection import ProjectedTable
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import TableSpec, columns_of
from slice_platform_tests.warehouse.projections import COLUMNS, Projector, at, of_people, projector
from slice_platform_tests.warehouse.worlds import World


@pytest.fixture
def people(world: World) -> Projector:
    found = projector(world, of_people(world))
    found.project(1, 1, [(1, at(1), "Ada")])
    return found


def test_a_table_that_is_there_takes_no_statement(people: Projector) -> None:
    assert people.destination.ensure(people.table) == ()
    known = people.destination.known_table(people.table.ref)
    assert known is not None and known.version == 1 and known.spec.names == people.table.spec.names


def test_new_columns_are_null_until_a_partition_is_projected_again(people: Projector) -> None:
    wider = of_people(people.world, columns={**COLUMNS, "age": "SMALLINT", "doc": "SUPER"})
    (statement, *_) = people.destination.ensure(wider)
    assert statement.startswith("ALTER TABLE")
    assert people.world.rows('select id, age from {}"people"') == [(1, None)]
    now = replace(people, table=wider)
    assert now.project(1, 2, [(1, at(1), "Ada", 36, '{"a": 1}')]).changes.updated == 1
    assert people.world.rows('select id, age from {}"people"') == [(1, 36)]


def test_columns_that_are_no_longer_described_stay_and_what_was_in_them_goes(people: Projector) -> None:
    """It may be personal data, which was allowed once and is dropped now."""
    narrow = of_people(people.world, columns={"id": "BIGINT", "at": "TIMESTAMP"})
    assert people.destination.ensure(narrow) == ()
    now = replace(people, table=narrow)
    assert now.project(1, 2, [(1, at(1)), (2, at(1))]).changes.inserted == 1
    assert people.world.rows('select id, name from {}"people" order by id') == [(1, None), (2, None)]
    assert people.destination.ensure(people.table) == ()


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"columns": {**COLUMNS, "name": "VARCHAR(60)"}}, "column name: 'VARCHAR(60)' is VARCHAR(50) in the table"),
        ({"mode": "replace_partition"}, "primary_key is none in the file, and id in the table"),
    ],
    ids=["type", "key"],
)
def test_another_type_or_key_is_refused_with_the_way_out(
    people: Projector, other: dict[str, object], said: str
) -> None:
    with pytest.raises(FileRefused, match="Choose another `table:`, or drop it and project again") as caught:
        people.destination.ensure(of_people(people.world, **other))  # type: ignore[arg-type]  # the test gave it
    assert said in str(caught.value)
    assert people.rows() == [(1, at(1), "Ada")]


def test_a_column_that_somebody_dropped_is_told(people: Projector) -> None:
    people.world.run("alter table {}people drop column name")
    with pytest.raises(FileRefused, match="column name: is gone from the table"):
        people.destination.ensure(people.table)


def test_a_table_with_rows_of_somebody_else_is_never_touched(world: World) -> None:
    world.create(COLUMNS, ["id"])
    world.drop(Task.LOAD, "a.csv", "id,at,name\n7,2026-01-01 00:00:00,Theirs\n")
    world.work_off()
    with pytest.raises(FileRefused, match="rows that no projection wrote"):
        projector(world, of_people(world))
    theirs = Projector(world, of_people(world), world.propagator().door(world.table()))
    with pytest.raises(FileRefused, match="rows that no projection wrote"):
        theirs.project(1, 1, [(1, at(1), "Ada")])
    assert theirs.rows() == [(7, at(1), "Theirs")]


def test_an_empty_table_of_just_these_columns_is_taken_over(world: World) -> None:
    world.create(COLUMNS, ["id"])
    world.work_off()
    table = of_people(world)
    if world.name == "redshift":
        table = replace(table, spec=replace(table.spec, dist_key="id", sort_key=("id",)))
    people = projector(world, table)
    people.project(1, 1, [(1, at(1), "Ada")])
    assert people.rows() == [(1, at(1), "Ada")]


@pytest.mark.parametrize("name", ["postgres", "mysql"])
def test_indexes_are_made_once_and_later_ones_are_added(
    make_world: Callable[[DestinationName], World], name: DestinationName
) -> None:
    world = make_world(name)
    table = of_people(world, columns={**COLUMNS, "note": "VARCHAR(5000)"}, indexes=(("name", "at"),))
    people = projector(world, table)
    assert people.destination.ensure(table) == ()
    more = replace(table, indexes=(*table.indexes, ("note",)))
    (statement,) = people.destination.ensure(more)
    assert statement.startswith("CREATE INDEX") and people.destination.ensure(more) == ()
    people.project(1, 1, [(1, at(1), "Ada", "x" * 2000)])


def test_a_description_that_is_wrong_reaches_no_database(world: World) -> None:
    table = ProjectedTable(world.table(), TableSpec(columns_of({"id": "BIGINT"})), "upsert", None)
    with pytest.raises(FileRefused, match="mode 'upsert' tells rows by their primary_key"):
        projector(world, table)
