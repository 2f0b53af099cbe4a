"""The real driver of Redshift, against a Postgres behind a proxy: Postgres refuses what the driver says at start-up.

The statements go as they are: of those that Postgres knows too, the ones that a load consists of.
"""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from redshift_connector.core import Connection
from redshift_connector.error import ProgrammingError

from slice_platform.errors import AccessRefused, DestinationBusy
from slice_platform.warehouse.drop_path import DestinationName, TableRef
from slice_platform.warehouse.redshift import RedshiftSession, redshift_error
from slice_platform.warehouse.redshift_connect import RedshiftAccess, redshift_connection
from slice_platform.warehouse.redshift_sql import RedshiftDialect
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import Column, read_table_spec
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.warehouse.worlds import World

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
    with suppress(OSError):
        while chunk := source.recv(65_536):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def connect(postgres: Postgres, make_world: Callable[[DestinationName], World]) -> Iterator[Callable[[], Connection]]:
    url = make_world("redshift").url
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with proxy(postgres.folder / ".s.PGSQL.5432") as port:
        access = RedshiftAccess(str(name), "postgres", "127.0.0.1", port, password="any", is_encrypted=False)  # noqa: S106 -- nobody asks for it
        yield redshift_connection(access)


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


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("XX000", "1023 Serializable isolation violation on table - 100", DestinationBusy),
        ("40001", "could not serialize access", DestinationBusy),
        ("42501", "permission denied for schema shop", AccessRefused),
        ("22003", "numeric field overflow", FileRefused),
    ],
)
def test_errors_of_the_driver_are_told_as_ours(code: str, text: str, kind: type[Exception]) -> None:
    error = ProgrammingError({"S": "ERROR", "C": code, "M": text})
    assert isinstance(redshift_error("Loading", error), kind)


def test_an_error_of_the_server_keeps_its_code(connect: Callable[[], Connection]) -> None:
    with connect() as connection:
        with pytest.raises(ProgrammingError) as caught:
            RedshiftSession(connection.cursor()).run('INSERT INTO "shop"."nope" VALUES (1)')
        assert isinstance(redshift_error("Loading", caught.value), FileRefused)


def test_credentials_come_by_iam_where_a_cluster_or_workgroup_is_named() -> None:
    of_cluster = RedshiftAccess("dev", "loader", cluster_identifier="c", region="ap-south-1").options()
    assert of_cluster["iam"] and of_cluster["db_user"] == "loader" and "password" not in of_cluster
    serverless = RedshiftAccess("dev", "loader", serverless_workgroup="w").options()
    assert serverless["is_serverless"] and serverless["serverless_work_group"] == "w"
    assert "secret" not in repr(RedshiftAccess("dev", "loader", "host", password="secret"))  # noqa: S106 -- looked for
