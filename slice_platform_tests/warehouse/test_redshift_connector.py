"""The real driver of Redshift, against a Postgres behind a proxy: Postgres refuses what the driver says at start-up.

The driver is the real one: start-up, types and texts of values, prepared statements, transactions, rows, errors. The
server is not: Postgres is told the statements as the stand-in translates them (tables without distribution and sort
keys, SUPER as JSONB), and in place of COPY, for which the driver has no stream, the rows of the manifest's file are
inserted one by one. What Redshift itself makes of COPY and of these statements is not shown here.
"""

import csv
import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from redshift_connector.core import Connection
from redshift_connector.error import ProgrammingError

from slice_platform.errors import DestinationUnavailable
from slice_platform.local.redshift_statements import CopyStatement, to_postgres
from slice_platform.store import Store
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.outcome import Done, Failed, Outcome
from slice_platform.warehouse.propagate import Door
from slice_platform.warehouse.redshift import RedshiftDestination, RedshiftSession
from slice_platform.warehouse.redshift_connect import RedshiftAccess, redshift_connection
from slice_platform.warehouse.redshift_errors import redshift_error
from slice_platform.warehouse.redshift_sql import RedshiftDialect
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import Column, read_table_spec
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.warehouse.worlds import DATABASE, World

KNOWN_TO_POSTGRES = {b"user", b"database", b"client_encoding", b"application_name"}
SQL, REF = RedshiftDialect(), TableRef("redshift", "shop", "people")
COLUMNS: tuple[Column, ...] = read_table_spec(
    b'{"column_specification": {"id": "INTEGER", "name": "VARCHAR"}, "dist_key": "id", "sort_key": ["id"]}', "redshift"
).columns


@contextmanager
def proxy(server_socket: Path) -> Iterator[int]:
    """A port on the loopback before a server on a socket; the start-up packet loses what only Redshift knows."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_accept, args=(listening, server_socket), daemon=True).start()
        yield listening.getsockname()[1]


def _accept(listening: socket.socket, server_socket: Path) -> None:
    with suppress(OSError):  # closed at the end
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_serve, args=(client, server_socket), daemon=True).start()


def _serve(client: socket.socket, server_socket: Path) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(str(server_socket))
        (length,) = struct.unpack("!i", client.recv(4, socket.MSG_WAITALL))
        packet = client.recv(length - 4, socket.MSG_WAITALL)
        words = packet[4:].split(b"\0")
        pairs = [
            (name, value) for name, value in zip(words[::2], words[1::2], strict=False) if name in KNOWN_TO_POSTGRES
        ]
        body = packet[:4] + b"".join(name + b"\0" + value + b"\0" for name, value in pairs) + b"\0"
        server.sendall(struct.pack("!i", len(body) + 4) + body)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join(5)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):  # a server that dies resets the connection
        while chunk := source.recv(65_536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


class Translated:
    """A connection of the driver, or a cursor of it, that says to Postgres what was meant for Redshift."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def cursor(self) -> "Translated":
        return Translated(self._real.cursor())

    def execute(self, statement: str, values: Sequence[object] | None = None) -> None:
        meant = to_postgres(statement)
        if isinstance(meant, str):
            self._real.execute(meant, values)
            return
        for row in _rows_of(meant):
            places = ", ".join(["%s"] * len(row))
            self._real.execute(f"INSERT INTO {meant.table} ({meant.names}) VALUES ({places})", row)


def _rows_of(wanted: CopyStatement) -> Iterator[list[str | None]]:
    (entry,) = json.loads(Path(wanted.manifest).read_bytes())["entries"]
    with gzip.open(entry["url"], "rt", encoding="utf-8", newline="") as rows:
        for row in csv.reader(rows):
            yield [None if value == wanted.null else value for value in row]


@pytest.fixture
def shop(make_world: Callable[[DestinationName], World]) -> World:
    return make_world("redshift")


@pytest.fixture
def connect(postgres: Postgres, shop: World) -> Iterator[Callable[[], Connection]]:
    name = psycopg.conninfo.conninfo_to_dict(shop.url)["dbname"]
    with proxy(postgres.folder / ".s.PGSQL.5432") as port:
        access = RedshiftAccess(str(name), "postgres", "127.0.0.1", port, password="any", is_encrypted=False)  # noqa: S106 -- nobody asks for it
        yield redshift_connection(access)


@pytest.fixture
def work_off(connect: Callable[[], Connection], shop: World) -> Callable[[], Outcome]:
    """Works off the one file that lies there, over the driver."""
    store = Store(f"{shop.home}/propagator")
    destination = RedshiftDestination(lambda: Translated(connect()), store, iam_role=None, pause=lambda _: None)
    propagator = replace(shop.propagator(), doors={"redshift": Door(destination, frozenset({DATABASE}))})

    def run() -> Outcome:
        (outcome,) = propagator.work_off(shop.table(), run_id="over the driver")
        return outcome

    return run


def test_a_table_is_created_altered_loaded_and_upserted_over_the_real_driver(
    shop: World, work_off: Callable[[], Outcome]
) -> None:
    columns = {"id": "BIGINT", "name": "VARCHAR", "paid": "DECIMAL(9,2)", "at": "TIMESTAMPTZ", "more": "SUPER"}
    shop.create(columns, ["id"])
    outcomes = [work_off()]
    shop.drop(Task.ALTER, "b.json", {"operation_type": "add", "column_specification": {"note": "VARCHAR(9)"}})
    outcomes.append(work_off())
    full = '1,"100 %s, it\'s ""é""",1.50,2026-01-31 10:00:00Z,"{""a"": 1}"'
    shop.drop(Task.LOAD, "c.csv", f"id,name,paid,at,more\n{full}\n2,,,,\n")
    outcomes.append(work_off())
    shop.drop(Task.UPSERT, "d.csv", 'id,note\n2,""\n3,new\n')
    outcomes.append(work_off())
    assert all(isinstance(one, Done) and not one.applied.was_known for one in outcomes)
    first, *others = shop.rows('select "id", "name", "paid"::text, "more"::text, "note" from {}"people" order by "id"')
    assert first == (1, '100 %s, it\'s "é"', "1.50", '{"a": 1}', None)
    assert others == [(2, None, None, None, ""), (3, None, None, None, "new")]


def test_the_ledger_is_written_and_read_over_the_real_driver(shop: World, work_off: Callable[[], Outcome]) -> None:
    shop.create({"id": "INTEGER"}, ["id"])
    work_off()
    shop.drop(Task.UPSERT, "a.csv", "id\n1\n2\n")
    first = work_off()
    shop.drop(Task.UPSERT, "a.csv", "id\n1\n2\n")
    again = work_off()
    assert isinstance(first, Done) and isinstance(again, Done)
    assert again.applied.was_known and again.applied.counts == first.applied.counts
    written = 'select "task", "rows_read", "rows_inserted", "run_id", "spec_version" from {}"_slice_load_ledger"'
    assert shop.rows(f'{written} order by "loaded_at"') == [
        ("schema/create", 0, 0, "over the driver", 1), ("input/update", 2, 2, "over the driver", None),
    ]  # fmt: skip


def test_a_key_that_is_there_fails_the_file_over_the_real_driver(shop: World, work_off: Callable[[], Outcome]) -> None:
    shop.create({"id": "INTEGER"}, ["id"])
    work_off()
    shop.drop(Task.LOAD, "a.csv", "id\n1\n")
    work_off()
    shop.drop(Task.LOAD, "b.csv", "id\n1\n")
    outcome = work_off()
    assert isinstance(outcome, Failed) and "in the table already" in str(outcome.refused)
    assert shop.rows('select count(*) from {}"people"') == [(1,)]


def test_a_load_runs_over_the_real_driver(connect: Callable[[], Connection]) -> None:
    with connect() as connection:
        session = RedshiftSession(connection.cursor())
        session.run('CREATE TABLE "shop"."people" ("id" INTEGER, "name" VARCHAR(256))')
        session.run('CREATE TABLE "shop"."_slice_load_ledger" ("id" CHAR(32), "run_id" VARCHAR)')
        connection.commit()
        session.run(SQL.lock(REF))
        assert session.rows(SQL.claimants("shop"), "none") == []
        session.run(SQL.create_stage(COLUMNS))
        session.run('INSERT INTO "_stg_rows" VALUES (%s, %s), (2, NULL)', 1, "it's 100 %s")
        session.run(SQL.merge(REF, ("id",), COLUMNS))
        assert session.count(SQL.count_known(REF, ("id",))) == 2
        connection.commit()
        assert session.rows('SELECT "name" FROM "shop"."people" ORDER BY "id"') == [("it's 100 %s",), (None,)]


def test_what_is_not_committed_is_rolled_back(connect: Callable[[], Connection]) -> None:
    with connect() as connection:
        RedshiftSession(connection.cursor()).run('CREATE TABLE "shop"."people" ("id" INTEGER)')
        connection.rollback()
        assert not RedshiftSession(connection.cursor()).rows(SQL.columns_of(), "shop", "people")


def test_a_connection_that_breaks_is_no_fault_of_the_file(connect: Callable[[], Connection], shop: World) -> None:
    """What the driver then says of the rollback is not the reason."""
    destination = RedshiftDestination(connect, Store(shop.home), iam_role=None)

    def lose() -> None:
        with destination._transaction(REF) as session:
            ((pid,),) = session.rows("SELECT pg_backend_pid()")
            with psycopg.connect(shop.url) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (pid,))
            session.run("SELECT 1")

    with pytest.raises(DestinationUnavailable):
        lose()


def test_every_statement_has_a_limit_and_the_lock_can_come_first(connect: Callable[[], Connection]) -> None:
    with connect() as connection:
        assert not connection.in_transaction
        settings = "SELECT current_setting('statement_timeout'), current_setting('TimeZone')"
        assert RedshiftSession(connection.cursor()).rows(settings) == [("1h", "UTC")]


def test_an_error_of_the_server_keeps_its_code(connect: Callable[[], Connection]) -> None:
    with connect() as connection:
        with pytest.raises(ProgrammingError) as caught:
            RedshiftSession(connection.cursor()).run('INSERT INTO "shop"."nope" VALUES (1)')
        assert isinstance(redshift_error("Loading", caught.value), FileRefused)


def test_credentials_come_by_iam_where_a_cluster_or_workgroup_is_named() -> None:
    of_cluster = RedshiftAccess("dev", "loader", cluster_identifier="c", region="ap-south-1").options()
    assert of_cluster["tcp_keepalive_idle"] < 350  # seconds, after which balancers drop what is silent
    assert of_cluster["iam"] and of_cluster["db_user"] == "loader" and "password" not in of_cluster
    serverless = RedshiftAccess("dev", "loader", serverless_workgroup="w").options()
    assert serverless["is_serverless"] and serverless["serverless_work_group"] == "w"
    assert "secret" not in repr(RedshiftAccess("dev", "loader", "host", password="secret"))  # noqa: S106 -- looked for


def test_the_region_is_that_of_the_environment_where_none_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    assert RedshiftAccess("dev", "loader", serverless_workgroup="w").options()["region"] == "ap-south-1"
