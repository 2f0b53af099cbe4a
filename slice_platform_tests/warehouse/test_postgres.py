"""Postgres's own: restarts in the middle of a load, locks, and what its errors mean."""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slice_platform.errors import (
    AccessRefused,
    DestinationBusy,
    DestinationError,
    DestinationUnavailable,
    SettingsError,
)
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform.warehouse.postgres import PostgresDestination
from slice_platform.warehouse.postgres_errors import as_ours
from slice_platform.warehouse.refusal import FileRefused
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.warehouse.conftest import drop_database
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
        ("21000", FileRefused), ("25006", DestinationUnavailable), ("25001", DestinationError),
    ],
)  # fmt: skip
def test_states_are_told_as_ours(state: str, kind: type[Exception]) -> None:
    assert isinstance(as_ours("Loading", state, "said"), kind)


def test_two_keys_that_are_one_to_the_database_fail_their_file_alone(
    make_world: Callable[[DestinationName], World],
) -> None:
    world = make_world("postgres")
    world.create({"code": "CHAR(3)", "n": "INTEGER"}, ["code"])
    world.drop(Task.UPSERT, "a.csv", "code,n\na,1\n")
    world.drop(Task.UPSERT, "b.csv", 'code,n\na,1\n"a ",2\n')
    world.drop(Task.UPSERT, "c.csv", "code,n\nb,1\n")
    assert [type(one) for one in world.work_off()] == [Done, Done, Failed, Done]


def test_a_database_of_another_encoding_has_the_same_letters(postgres: Postgres, tmp_path: Path) -> None:
    drop_database(postgres, "shop")
    with psycopg.connect(f"host={postgres.folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute("create database shop encoding 'LATIN1' template template0 locale 'C'")
    world = World("postgres", f"postgresql://postgres@/shop?host={postgres.folder}", str(tmp_path))
    world.create({"name": "VARCHAR(9)"})
    world.drop(Task.LOAD, "a.csv", "name\n\u00e9\n")
    pq.write_table(pa.table({"name": ["\u00e9"]}), tmp_path / "b")
    world.drop(Task.LOAD, "b.parquet", (tmp_path / "b").read_bytes())
    world.drop(Task.LOAD, "c.csv", "name\n\u20ac\n")
    assert [type(one) for one in world.work_off()] == [Done, Done, Done, Failed]
    assert world.rows("select name, length(name) from people") == [("\u00e9", 1)] * 2
    drop_database(postgres, "shop")


def test_a_change_gives_way_to_a_long_query_before_others_queue_behind_it(
    shop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slice_platform.warehouse.postgres_sql.SHORT_WAIT_SECONDS", 0.05)
    monkeypatch.setattr("slice_platform.warehouse.database.MOST_ATTEMPTS", 2)
    path = shop.drop(Task.ALTER, "a.json", {"operation_type": "add", "column_specification": {"x": "DATE"}})
    with psycopg.connect(shop.url) as reader:
        reader.execute("select count(*) from people")
        with pytest.raises(DestinationBusy):
            shop.work_off()
        assert path.exists()
    assert isinstance(shop.work_off()[0], Done)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://loader:sec%ret@host/x", "postgres:/loader:secret@host", "postgresql://loader:sec/ret@host/x",
        "postgresql://loader:12/secret@host", "postgresql://loader:x@secret@host/x", "host=h password=se cret",
    ],
)  # fmt: skip
def test_a_malformed_url_is_an_error_of_its_setting_and_not_told(url: str) -> None:
    with pytest.raises(SettingsError, match="SLICE_POSTGRES_URL") as caught:
        PostgresDestination(url)
    shown = "".join(traceback.format_exception(caught.value))
    assert "sec" not in shown.split("SettingsError:", 1)[1] and "cret" not in str(caught.value)


def test_no_password_is_told() -> None:
    destination = PostgresDestination("postgresql://loader:secret@127.0.0.1:1/x", pause=lambda _seconds: None)
    with pytest.raises(DestinationUnavailable) as caught:
        destination.known_table(TableRef("postgres", "shop", "people"))
    assert "secret" not in str(caught.value) + repr(destination)
