"""Redshift's own, on the stand-in: no keys that would help, transactions that lose, files on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform.warehouse.redshift import RedshiftDestination, RedshiftSession
from slice_platform_tests.warehouse.worlds import World


@pytest.fixture
def shop(make_world: Callable[[DestinationName], World]) -> World:
    world = make_world("redshift")
    world.create({"id": "INTEGER", "name": "VARCHAR(50)"}, ["id"])
    world.work_off()
    return world


def test_a_transaction_that_lost_is_tried_again_as_a_whole(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run, losses = RedshiftSession._run, iter([True])

    def loses_once(session: RedshiftSession, statement: str, values: Any) -> int:
        if statement.startswith("MERGE") and next(losses, False):
            raise psycopg.errors.SerializationFailure("1023 Serializable isolation violation on table")
        return run(session, statement, values)

    monkeypatch.setattr(RedshiftSession, "_run", loses_once)
    shop.drop(Task.UPSERT, "a.csv", "id\n1\n2\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and outcome.applied.counts.inserted == 2
    assert shop.rows('select count(*) from {}"people"') == [(2,)]


def test_a_file_that_another_run_has_booked_meanwhile_is_not_loaded_again(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    shop.work_off()
    shop.create({"n": "INTEGER"}, table="logs")  # no key at all
    shop.work_off("logs")
    shop.drop(Task.LOAD, "b.csv", "n\n1\n", table="logs")
    first = shop.propagator()
    assert isinstance(next(first.work_off(shop.table("logs"), run_id="first")), Done)
    shop.drop(Task.LOAD, "b.csv", "n\n1\n", table="logs")
    find, blind = RedshiftDestination._find, iter([None, None])
    monkeypatch.setattr(RedshiftDestination, "_find", lambda *given: next(blind, find(*given)))
    (outcome,) = shop.propagator().work_off(shop.table("logs"), run_id="second")
    assert isinstance(outcome, Done) and not outcome.applied.statements
    assert shop.rows('select count(*) from {}"logs"') == [(1,)]


def test_the_lock_is_the_first_statement_and_files_on_the_way_are_removed(shop: World) -> None:
    shop.drop(Task.UPSERT, "a.csv", "id\n1\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and outcome.applied.statements[0].startswith("LOCK TABLE")
    assert not list((Path(shop.home) / "propagator" / "_staging").iterdir())


def test_no_table_without_dist_and_sort_key(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("redshift")
    world.drop(Task.CREATE, "a.json", {"column_specification": {"id": "INTEGER"}})
    (outcome,) = world.work_off()
    assert isinstance(outcome, Failed)
    assert {"dist_key", "sort_key"} == {str(one).split()[0] for one in outcome.refused.findings}


def test_a_description_that_the_ledger_cannot_hold_is_refused(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("redshift")
    world.create({f"{'x' * 50}_{number}": "DOUBLE PRECISION" for number in range(1000)})
    (outcome,) = world.work_off()
    assert isinstance(outcome, Failed) and "Use shorter names" in str(outcome.refused)
    assert world.rows("select count(*) from information_schema.tables where table_name = 'people'") == [(0,)]
