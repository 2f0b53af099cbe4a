"""Which files are taken, when, and what becomes of those that cannot be."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from slice_platform.errors import AccessRefused
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


def with_a_trigger(shop: World, body: str) -> None:
    """A table whose rows the database itself treats like that: `body` is what a trigger does with the row NEW."""
    shop.create({"id": "INTEGER"})
    shop.work_off()
    with psycopg.connect(shop.url, autocommit=True) as connection:
        made = f"create function odd() returns trigger language plpgsql as $$ begin {body} return new; end $$"
        connection.execute(made.encode())
        connection.execute("create trigger odd before insert on people for each row execute function odd()")


@pytest.mark.parametrize(
    ("body", "said"),
    [("if new.id = 2 then return null; end if;", "0 were inserted"),
     ("if new.id = 2 then raise exception 'odd' using errcode = 'P0001'; end if;", "SQLSTATE P0001")],
    ids=["rows do not add up", "an error that no retry mends"],
)  # fmt: skip
def test_a_file_that_the_database_cannot_take_keeps_no_other_from_its_table(shop: World, body: str, said: str) -> None:
    with_a_trigger(shop, body)
    for name in ("1", "2", "3"):
        shop.drop(Task.LOAD, f"{name}.csv", f"id\n{name}\n")
    done = shop.work_off()
    assert [type(one) for one in done] == [Done, Failed, Done] and said in str(getattr(done[1], "refused", ""))
    assert shop.rows('select id from {}"people" order by id') == [(1,), (3,)]
    (report,) = (Path(shop.home) / "propagator" / shop.table().folder / "failed").glob("*.error.json")
    told = json.loads(report.read_text())
    assert told["at_fault"] == "platform" and told["next_step"].endswith("-2.csv") and "retry" in told["next_step"]


def test_an_error_of_the_whole_destination_leaves_the_files_where_they_are(shop: World) -> None:
    with_a_trigger(shop, "raise exception 'no' using errcode = '42501';")
    path = shop.drop(Task.LOAD, "1.csv", "id\n1\n")
    with pytest.raises(AccessRefused):
        shop.work_off()
    assert path.exists() and not shop.listed("failed")


def die_before_the_move(shop: World) -> None:
    """Work off what lies there, but as a process that is killed between its commit and the move of the file."""

    class Dying(type(shop.propagator().store)):  # type: ignore[misc]  # whichever store it is
        def move_version(self, *_: object) -> None:
            raise SystemExit

    propagator = replace(shop.propagator(), store=Dying(shop.propagator().store.root))
    with pytest.raises(SystemExit):
        list(propagator.work_off(shop.table(), run_id="dead"))


def test_a_list_of_rows_set_aside_survives_a_crash_before_the_move(shop: World) -> None:
    shop.create({"id": "INTEGER"}, on_bad_rows={"set_aside_up_to": 0.5})
    shop.work_off()
    shop.drop(Task.LOAD, "a.csv", "id\n1\nx\n")
    die_before_the_move(shop)
    (done,) = shop.work_off()
    assert isinstance(done, Done) and done.applied.counts.set_aside == 1
    root = Path(shop.home) / "propagator"
    assert "3,id,x,is not INTEGER" in (root / f"{done.kept_as}.errors.csv").read_text()
    assert not [path for path in (root / "_staging").rglob("*") if path.is_file()]


def test_a_load_whose_process_died_is_told_as_done_and_a_repeat_as_loaded_already(shop: World) -> None:
    shop.create({"id": "INTEGER"})
    shop.work_off()
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    die_before_the_move(shop)
    (done,) = shop.work_off()
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    (again,) = shop.work_off()
    assert isinstance(done, Done) and isinstance(again, Done)
    assert (done.is_repeat, again.is_repeat) == (False, True)
    assert shop.rows('select id from {}"people"') == [(1,)]


def test_a_list_of_rows_set_aside_goes_with_a_load_that_failed(shop: World) -> None:
    shop.create({"id": "INTEGER"}, ["id"], on_bad_rows={"set_aside_up_to": 0.5})
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    shop.work_off()
    shop.drop(Task.LOAD, "b.csv", "id\n1\nx\n")
    assert isinstance(shop.work_off()[0], Failed)
    assert not list((Path(shop.home) / "propagator" / "_staging" / "set_aside").iterdir())
