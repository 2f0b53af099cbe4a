"""JSON lines whose objects have other keys: what is not said of a row is NULL when it is new, and kept never lost."""

from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform_tests.warehouse.worlds import World

COLUMNS = {"id": "INTEGER", "a": "INTEGER", "b": "INTEGER"}
MIXED = '{"id": 1, "a": 9}\n{"a": 8, "id": 2}\n{"id": 3, "b": 9}\n'


def test_an_update_whose_lines_have_other_keys_is_refused_and_empties_nothing(world: World) -> None:
    world.create(COLUMNS, ["id"])
    world.drop(Task.LOAD, "a.csv", "id,a,b\n1,1,1\n2,2,2\n3,3,3\n")
    world.drop(Task.UPSERT, "b.jsonl", MIXED)
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Failed)
    assert str(outcome.refused).startswith("line 3: lacks a and has b, other than line 1;")
    assert world.rows('select a, b from {}"people" order by id') == [(1, 1), (2, 2), (3, 3)]


def test_an_update_with_the_same_keys_in_any_order_changes_these_alone(world: World) -> None:
    world.create(COLUMNS, ["id"])
    world.drop(Task.LOAD, "a.csv", "id,a,b\n1,1,1\n2,2,2\n")
    world.drop(Task.UPSERT, "b.jsonl", '{"id": 1, "a": 9}\n{"a": null, "id": 2}\n')
    assert [type(one) for one in world.work_off()] == [Done] * 3
    assert world.rows('select a, b from {}"people" order by id') == [(9, 1), (None, 2)]


def test_such_lines_are_set_aside_where_the_table_tolerates_them(world: World) -> None:
    world.create(COLUMNS, ["id"], on_bad_rows={"set_aside_up_to": 0.5})
    world.drop(Task.UPSERT, "b.jsonl", MIXED)
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Done)
    assert (outcome.applied.counts.read, outcome.applied.counts.set_aside) == (3, 1)
    assert world.rows('select id from {}"people" order by id') == [(1,), (2,)]


def test_new_rows_have_null_for_what_a_line_lacks(world: World) -> None:
    world.create(COLUMNS, ["id"])
    world.drop(Task.LOAD, "b.jsonl", MIXED)
    assert isinstance(world.work_off()[-1], Done)
    assert world.rows('select a, b from {}"people" order by id') == [(9, None), (8, None), (None, 9)]
