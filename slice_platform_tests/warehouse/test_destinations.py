"""What all destinations do alike: create, take over, alter, load, upsert, refuse."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slice_platform.errors import DestinationBusy, DestinationUnavailable
from slice_platform.warehouse.claim import Applied, Claim
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform_tests.warehouse.worlds import World

PEOPLE = {"id": "INTEGER", "name": "VARCHAR(20)", "age": "SMALLINT"}


def done(world: World) -> Done:
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Done), outcome
    return outcome


def why_failed(world: World) -> str:
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Failed), outcome
    return str(outcome.refused)


@pytest.fixture
def people(world: World) -> World:
    world.create(PEOPLE, ["id"])
    done(world)
    return world


def test_files_are_put_away_under_the_time_and_their_name(people: World) -> None:
    people.drop(Task.LOAD, "good.csv", "id\n1\n")
    people.drop(Task.LOAD, "bad.csv", "id\nx\n")
    people.work_off()
    assert people.listed("succeeded") == ["create.json", "good.csv"]
    assert people.listed("failed") == ["bad.csv", "bad.csv.error.json", "bad.csv.errors.csv"]


def test_an_upsert_changes_what_the_file_has_and_keeps_the_rest(people: World) -> None:
    people.drop(Task.LOAD, "a.csv", "id,name,age\n1,Ada,36\n2,Bo,20\n")
    people.drop(Task.UPSERT, "b.csv", "age,id\n37,1\n5,3\n")
    counts = done(people).applied.counts
    assert (counts.read, counts.inserted, counts.updated) == (2, 1, 1)
    assert people.rows('select id, name, age from {}"people" order by id') == [
        (1, "Ada", 37), (2, "Bo", 20), (3, None, 5),
    ]  # fmt: skip


def test_an_upsert_of_keys_alone_inserts_what_is_new(people: World) -> None:
    people.drop(Task.LOAD, "a.csv", "id,name\n1,Ada\n")
    people.drop(Task.UPSERT, "b.csv", "id\n1\n2\n")
    done(people)
    assert people.rows('select id, name from {}"people" order by id') == [(1, "Ada"), (2, None)]


def test_keys_differ_by_case_and_not_by_blanks_at_the_end(world: World) -> None:
    """Redshift passes over those where it compares."""
    world.create({"code": "VARCHAR(10)", "n": "INTEGER"}, ["code"])
    world.drop(Task.UPSERT, "a.csv", 'code,n\na,1\nA,2\n" a",3\n')
    done(world)
    assert world.rows('select count(*) from {}"people"') == [(3,)]
    world.drop(Task.UPSERT, "b.csv", 'code,n\na,1\n"a ",3\n')
    assert why_failed(world) == "line 3, column code: 'a ' is in line 2 as well: blanks at the end do not count"


def test_a_key_that_is_there_is_no_new_row(people: World) -> None:
    people.drop(Task.LOAD, "a.csv", "id\n1\n2\n")
    done(people)
    people.drop(Task.LOAD, "b.csv", "id\n2\n3\n")
    assert "input/update" in why_failed(people)
    assert people.rows('select count(*) from {}"people"') == [(2,)]


def test_without_a_primary_key_nothing_can_be_updated(world: World) -> None:
    world.create(PEOPLE)
    world.drop(Task.UPSERT, "a.csv", "id\n1\n")
    assert "has no primary_key" in why_failed(world)


def test_several_columns_are_added_and_dropped_by_one_file(people: World) -> None:
    people.drop(Task.LOAD, "a.csv", "id,name\n1,Ada\n")
    done(people)
    add = {"operation_type": "add", "column_specification": {"email": "VARCHAR", "order": "DATE"}}
    people.drop(Task.ALTER, "add.json", add)
    people.drop(Task.ALTER, "drop.json", {"operation_type": "drop", "column_specification": ["age", "name"]})
    people.drop(Task.UPSERT, "b.csv", "id,email,order\n1,a@b.c,2026-01-01\n")
    assert [type(one) for one in people.work_off()] == [Done] * 3
    ((key, email, day),) = people.rows('select * from {}"people"')
    assert (key, email, str(day)) == (1, "a@b.c", "2026-01-01")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"operation_type": "add", "column_specification": {"x": "DATE", "name": "DATE"}}, "'name' is a column"),
        ({"operation_type": "drop", "column_specification": ["age", "id"]}, "'id' is part of a key"),
        ({"operation_type": "drop", "column_specification": ["age", "fax"]}, "'fax' is no column"),
        ({"operation_type": "rename", "column_specification": ["age"]}, "operation_type"),
    ],
    ids=["there already", "a key", "not there", "no such operation"],
)
def test_a_change_that_does_not_fit_changes_nothing(people: World, change: dict[str, Any], reason: str) -> None:
    people.drop(Task.ALTER, "change.json", change)
    assert reason in why_failed(people)
    people.drop(Task.LOAD, "a.csv", "id,name,age\n1,Ada,36\n")
    done(people)


def test_the_create_file_again_changes_nothing_and_another_table_is_refused(people: World) -> None:
    people.drop(Task.LOAD, "a.csv", "id\n1\n")
    done(people)
    people.create(PEOPLE, ["id"], on_bad_rows={"set_aside_up_to": 0.5})
    assert "settings" in done(people).applied.notes[-1]
    people.create({**PEOPLE, "age": "BIGINT"}, ["id"])
    assert "it is another one" in why_failed(people)
    assert people.rows('select count(*) from {}"people"') == [(1,)]


def test_a_table_made_by_hand_with_these_columns_is_taken_over(world: World) -> None:
    world.create(PEOPLE, ["id"], table="first")
    world.work_off("first")
    destination, ref = world.propagator().door(world.table()), world.table()
    first = destination.known_table(world.table("first"))
    assert first is not None
    by_hand = destination.preview_create(ref, first.spec).statements
    with destination._transaction(ref) as session:
        for statement in by_hand:
            session.run(statement)
    world.create(PEOPLE, ["id"])
    assert "was there with these columns" in done(world).applied.notes[-1]
    world.drop(Task.LOAD, "a.csv", "id\n1\n")
    done(world)
    assert world.rows('select id from {}"people"') == [(1,)]


@pytest.mark.parametrize("name", ["postgres", "mysql"])  # Redshift keeps no keys, so nothing rests on them
@pytest.mark.parametrize(
    ("by_hand", "ours"), [("", ["id"]), (", primary key (age)", ["id"]), (", primary key (id)", [])]
)
def test_a_table_made_by_hand_with_another_key_is_refused(
    make_world: Callable[[DestinationName], World], name: DestinationName, by_hand: str, ours: list[str]
) -> None:
    world = make_world(name)
    world.create({"id": "INTEGER"}, table="first")  # makes the ledger
    world.work_off("first")
    world.run(f"create table people (id integer, age smallint{by_hand})")
    world.create({"id": "INTEGER", "age": "SMALLINT"}, ours)
    assert "primary_key is" in why_failed(world)
    assert world.rows('select count(*) from {}"_slice_load_ledger"') == [(1,)]


def test_a_create_file_makes_a_table_anew_that_is_gone(people: World) -> None:
    people.drop(Task.ALTER, "a.json", {"operation_type": "drop", "column_specification": ["age"]})
    done(people)
    people.run("drop table {}people")
    people.create(PEOPLE, ["id"])
    people.drop(Task.LOAD, "a.csv", "id,age\n1,36\n")
    assert [type(one) for one in people.work_off()] == [Done] * 2
    assert people.rows('select id, name, age from {}"people"') == [(1, None, 36)]
    people.create(PEOPLE, ["id"])
    assert done(people).applied.was_known


def test_bad_rows_are_set_aside_up_to_a_share_and_listed(world: World) -> None:
    world.create(PEOPLE, ["id"], on_bad_rows={"set_aside_up_to": 0.5})
    world.drop(Task.LOAD, "a.csv", "id,age\n1,1\n2,x\n1,3\n4,4\n5,5\n")
    outcome = done(world)
    counts = outcome.applied.counts
    assert (counts.read, counts.set_aside, counts.inserted) == (5, 2, 3)
    assert "a.csv.errors.csv" in world.listed("succeeded")
    world.drop(Task.LOAD, "b.csv", "id,age\n6,x\n7,y\n8,8\n")
    assert "2 of 3 rows are bad, more than the 50.0%" in why_failed(world)


def test_parquet_is_bound_by_name_and_each_value_is_judged(people: World, tmp_path: Any) -> None:
    pq.write_table(
        pa.table({"age": pa.array([36, None], pa.int64()), "id": pa.array([1, 2], pa.int32())}), tmp_path / "a"
    )
    people.drop(Task.LOAD, "a.parquet", (tmp_path / "a").read_bytes())
    done(people)
    assert people.rows('select id, name, age from {}"people" order by id') == [(1, None, 36), (2, None, None)]
    pq.write_table(pa.table({"age": [70_000], "id": [3]}), tmp_path / "b")
    people.drop(Task.UPSERT, "b.parquet", (tmp_path / "b").read_bytes())
    assert why_failed(people) == "row 1, column age: '70000' is beyond what SMALLINT holds"
    people.drop(Task.UPSERT, "c.parquet", (tmp_path / "a").read_bytes()[:-5])
    assert "no Parquet that can be read" in why_failed(people)


def test_documents_go_into_super(world: World) -> None:
    world.create({"id": "INTEGER", "doc": "SUPER"})
    world.drop(Task.LOAD, "a.jsonl", '{"id": 1, "doc": {"a": [1, 2.50, "x"], "b": null}}\n{"id": 2, "doc": null}\n')
    done(world)
    (found, missing) = world.rows('select doc from {}"people" order by id')
    document = found[0] if isinstance(found[0], dict) else json.loads(found[0])
    assert document == {"a": [1, 2.5, "x"], "b": None} and missing == (None,)


def test_a_foreign_key_names_another_table(world: World) -> None:
    world.create({"id": "INTEGER"}, ["id"], table="parents")
    world.work_off("parents")
    world.create({"id": "INTEGER"}, foreign_key=[{"columns": ["id"], "table": "parents", "references": ["id"]}])
    done(world)
    world.drop(Task.LOAD, "a.csv", "id\n1\n")
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Done if world.name == "redshift" else Failed)  # there it is informational


def test_what_a_preview_tells_is_what_is_run(people: World) -> None:
    from slice_platform.warehouse.preview import preview

    path = people.drop(Task.UPSERT, "a.csv", "id,name\n1,Ada\n")
    told = preview(people.propagator(), str(path))
    assert told.rows == 1 and not told.findings and path.exists()
    run = list(done(people).applied.statements)
    shown = list(told.statements)
    hidden = [statement for statement in run if not told_alike(statement, shown)]
    assert [one.split()[0] for one in hidden if one.split()[0] not in ("SELECT", "LOCK", "SHOW", "UPDATE")] == []


def told_alike(statement: str, shown: list[str]) -> bool:
    """Addresses of files on the way differ from run to run."""
    first = statement.split("\n", maxsplit=1)[0].split(" FROM '", maxsplit=1)[0].split(" INFILE ", maxsplit=1)[0]
    return any(one.startswith(first) for one in shown)


def test_a_count_that_does_not_agree_rolls_everything_back(people: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(people.propagator().door(people.table()))
    fill = kind._fill
    monkeypatch.setattr(kind, "_fill", lambda *given: fill(*given) - 1)
    monkeypatch.setattr(Destination, "_goes_straight_in", lambda *_: True)
    people.drop(Task.LOAD, "a.csv", "id\n1\n2\n")
    assert "2 rows, 1 were inserted" in why_failed(people)
    assert people.rows('select count(*) from {}"people"') == [(0,)]
    assert people.listed("succeeded") == ["create.json"]


def test_a_database_that_is_away_costs_no_file(people: World) -> None:
    path = people.drop(Task.LOAD, "a.csv", "id\n1\n")
    url = "mysql://127.0.0.1:1/" if people.name == "mysql" else "postgresql://127.0.0.1:1/shop"
    away = World(people.name, url, people.home)
    with pytest.raises(DestinationUnavailable):
        away.work_off()
    assert path.exists() and not people.listed("failed")


def test_what_another_run_loaded_while_ours_gave_way_is_not_called_ours(
    people: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.drop(Task.LOAD, "a.csv", "id\n1\n")
    kind = type(people.propagator().door(people.table()))
    attempt, is_overtaken = kind._attempt, iter([True])

    def overtaken(self: Destination, claim: Claim, *given: Any, **more: Any) -> Applied:
        if next(is_overtaken, False):
            attempt(self, replace(claim, run_id="other"), *given, **more)
            raise DestinationBusy("another loader held it")
        return attempt(self, claim, *given, **more)

    monkeypatch.setattr(kind, "_attempt", overtaken)
    applied = done(people).applied
    assert applied.was_known and applied.run_id == "other" and applied.version
    assert people.rows('select count(*) from {}"people"') == [(1,)]
