"""Postgres's own: restarts in the middle of a load, locks, and what its errors mean."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from slice_platform.errors import AccessRefused, DestinationBusy, DestinationError, DestinationUnavailable
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.outcome import Done
from slice_platform.warehouse.postgres import PostgresDestination
from slice_platform.warehouse.postgres_errors import as_ours
from slice_platform.warehouse.refusal import FileRefused
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.warehouse.worlds import World


@pytest.fixture
def shop(make_world: Callable[[DestinationName], World]) -> World:
    world = make_world("postgres")
    world.create({"id": "INTEGER", "name": "VARCHAR(50)"}, ["id"])
    world.work_off()
    return world


@pytest.mark.parametrize("name", ["postgres", "redshift"])
def test_a_server_that_restarts_in_the_middle_of_a_load_loads_the_file_once(
    make_world: Callable[[DestinationName], World],
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    name: DestinationName,
) -> None:
    world = make_world(name)
    world.create({"id": "INTEGER"})
    world.work_off()
    kind = type(world.propagator().door(world.table()))
    fill, restarts = kind._fill, iter([True])

    def restarted(*given: Any) -> int:
        taken = fill(*given)
        if next(restarts, False):
            postgres.restart()
        return taken

    monkeypatch.setattr(kind, "_fill", restarted)
    world.drop(Task.LOAD, "a.csv", "id\n1\n2\n")
    assert isinstance(world.work_off()[0], Done)  # the second attempt, as a whole
    assert world.rows('select count(*) from {}"people"') == [(2,)]


def test_an_answer_to_the_commit_that_was_lost_is_no_second_load(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt, losses = PostgresDestination._attempt, iter([True])

    def lost(*given: Any, **more: Any) -> Any:
        done = attempt(*given, **more)
        if next(losses, False):
            raise DestinationUnavailable("the answer was lost")
        return done

    monkeypatch.setattr(PostgresDestination, "_attempt", lost)
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    (outcome,) = shop.work_off()
    assert isinstance(outcome, Done) and not outcome.applied.was_known and outcome.applied.counts.inserted == 1
    assert shop.rows('select count(*) from {}"people"') == [(1,)]


def test_who_waits_too_long_for_another_loader_gives_way(shop: World) -> None:
    quick = PostgresDestination(shop.url, lock_timeout_seconds=0.05, pause=lambda _seconds: None)
    with quick._transaction(shop.table()) as first:
        quick._lock(first, shop.table())
        with pytest.raises(DestinationBusy), quick._transaction(shop.table()) as second:
            quick._lock(second, shop.table())


def test_readers_are_not_kept_waiting_by_a_load(shop: World) -> None:
    destination = shop.propagator().door(shop.table())
    with destination._transaction(shop.table()) as session:
        destination._lock(session, shop.table())
        session.run('insert into "public"."people" values (1)')
        assert shop.rows('select count(*) from {}"people"') == [(0,)]


def test_a_role_without_rights_is_refused_and_the_file_stays(shop: World, postgres: Postgres) -> None:
    with psycopg.connect(shop.url, autocommit=True) as connection:
        connection.execute("drop role if exists nobody_here")
        connection.execute("create role nobody_here login")
    path = shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    other = World("postgres", shop.url.replace("postgres@", "nobody_here@"), shop.home)
    with pytest.raises(AccessRefused, match="docs/propagator.md"):
        other.work_off()
    assert path.exists()


def test_the_documented_grants_are_enough(shop: World) -> None:
    with psycopg.connect(shop.url, autocommit=True) as connection:
        connection.execute("drop table people, _slice_load_ledger")
        connection.execute("drop role if exists slice_propagator")
        connection.execute("create role slice_propagator login")
        connection.execute("grant connect, temporary on database shop to slice_propagator")
        connection.execute("grant usage, create on schema public to slice_propagator")
    loader = World("postgres", shop.url.replace("postgres@", "slice_propagator@"), shop.home)
    loader.create({"id": "INTEGER", "name": "VARCHAR(50)"}, ["id"], on_bad_rows={"set_aside_up_to": 0.1})
    loader.drop(Task.ALTER, "b.json", {"operation_type": "add", "column_specification": {"x": "DATE"}})
    loader.drop(Task.UPSERT, "c.csv", "id,x\n1,2026-01-01\n")
    assert [type(one) for one in loader.work_off()] == [Done] * 3


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40001", DestinationBusy), ("40P01", DestinationBusy), ("55P03", DestinationBusy),
        ("57P01", DestinationUnavailable), ("53300", DestinationUnavailable), ("", DestinationUnavailable),
        ("42501", AccessRefused), ("28P01", AccessRefused), ("23505", FileRefused), ("22003", FileRefused),
        ("25006", DestinationError),
    ],
)  # fmt: skip
def test_states_are_told_as_ours(state: str, kind: type[Exception]) -> None:
    assert isinstance(as_ours("Loading", state, "said"), kind)


def test_no_password_is_told() -> None:
    destination = PostgresDestination("postgresql://loader:secret@127.0.0.1:1/x", pause=lambda _seconds: None)
    with pytest.raises(DestinationUnavailable) as caught:
        destination.known_table(TableRef("postgres", "shop", "people"))
    assert "secret" not in str(caught.value) + repr(destination)
