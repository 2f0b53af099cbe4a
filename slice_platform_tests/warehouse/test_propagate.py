"""Which files are taken, when, and what becomes of those that cannot be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.outcome import Done, Failed, Waiting
from slice_platform_tests.warehouse.worlds import World


@pytest.fixture
def shop(make_world: Callable[[DestinationName], World]) -> World:
    return make_world("postgres")


def test_schemas_come_first_and_inputs_in_the_order_of_their_arrival(shop: World) -> None:
    shop.drop(Task.LOAD, "b.csv", "id\n1\n")
    shop.drop(Task.UPSERT, "a.csv", "id,name\n1,Ada\n")
    shop.drop(Task.ALTER, "c.json", {"operation_type": "add", "column_specification": {"name": "VARCHAR"}})
    shop.create({"id": "INTEGER"}, ["id"])
    taken = [one.dropped.path for one in shop.work_off() if isinstance(one, Done)]
    assert [path.name for path in taken] == ["create.json", "c.json", "b.csv", "a.csv"]


@pytest.mark.parametrize("task", [Task.LOAD, Task.UPSERT, Task.ALTER])
def test_a_file_waits_for_its_table_and_fails_when_the_time_is_over(shop: World, task: Task) -> None:
    change = {"operation_type": "add", "column_specification": {"x": "DATE"}}
    path = shop.drop(task, "a.json" if task is Task.ALTER else "a.csv", change if task is Task.ALTER else "id\n1\n")
    (waiting,) = shop.work_off()
    assert isinstance(waiting, Waiting) and path.exists()
    (failed,) = shop.work_off(propagator_wait_seconds=0)
    assert isinstance(failed, Failed) and "There is no table postgres shop.people" in str(failed.refused)
    assert not path.exists()


def test_a_file_that_waited_is_loaded_once_the_table_is_there(shop: World) -> None:
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    assert isinstance(shop.work_off()[0], Waiting)
    shop.create({"id": "INTEGER"})
    assert [type(one) for one in shop.work_off()] == [Done, Done]


def test_a_database_that_is_not_allowed_is_refused(shop: World) -> None:
    folder = Path(shop.home) / "propagator/destination=postgres/database=secrets/table_name=people/input/load"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("id\n1\n")
    (failed,) = shop.propagator().work_off(TableRef("postgres", "secrets", "people"), run_id="test")
    assert isinstance(failed, Failed) and "'secrets' is no database that files may name" in str(failed.refused)


def test_a_destination_that_is_not_configured_says_which_setting_it_is(shop: World) -> None:
    other = World("mysql", shop.url, shop.home)
    other.drop(Task.LOAD, "a.csv", "id\n1\n")
    (failed,) = shop.propagator().work_off(other.table(), run_id="test")
    assert isinstance(failed, Failed) and "is not configured here" in str(failed.refused)


def test_one_bad_file_harms_only_itself(shop: World) -> None:
    shop.create({"id": "INTEGER"})
    for name, row in (("a", "1"), ("b", "x"), ("c", "3")):
        shop.drop(Task.LOAD, f"{name}.csv", f"id\n{row}\n")
    assert [type(one) for one in shop.work_off()] == [Done, Done, Failed, Done]
    assert shop.rows('select id from {}"people" order by id') == [(1,), (3,)]


def test_a_file_that_was_loaded_stays_loaded_when_the_table_has_changed_since(shop: World) -> None:
    shop.create({"id": "INTEGER", "name": "VARCHAR"})
    shop.drop(Task.LOAD, "a.csv", "id,name\n1,Ada\n")
    shop.work_off()
    shop.drop(Task.ALTER, "b.json", {"operation_type": "drop", "column_specification": ["name"]})
    shop.work_off()
    shop.drop(Task.LOAD, "a.csv", "id,name\n1,Ada\n")
    (again,) = shop.work_off()
    assert isinstance(again, Done) and again.applied.was_known


def test_no_file_is_left_on_the_way(shop: World) -> None:
    shop.create({"id": "INTEGER"})
    shop.drop(Task.LOAD, "a.jsonl.gz", '{"id": 1}\n')
    shop.work_off()
    spill = shop.propagator().settings.spill_dir
    assert not list(spill.iterdir())
