"""Operational databases on real servers, for the tests of sources."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
import pymysql
import pytest

from slice_platform.warehouse.mysql import connection_options
from slice_platform.warehouse.source.reading import Ask, SourceServer, Wanted
from slice_platform.warehouse.source.server import server_at
from slice_platform.warehouse.source.spec import ServerKind
from slice_platform_tests.warehouse.conftest import drop_database, fresh_database

DATABASE = "shop"
KINDS: tuple[ServerKind, ...] = ("postgres", "mysql")
_INSTANT = {"postgres": "timestamptz", "mysql": "timestamp(6)"}


@dataclass(frozen=True)
class Shop:
    """A database with nothing in it at first."""

    kind: ServerKind
    url: str

    def server(self) -> SourceServer:
        return server_at(self.url, setting="SHOP_URL", database=DATABASE)

    @contextmanager
    def connected(self, *, autocommit: bool = True) -> Iterator[Any]:
        """A connection of somebody else; instants are in UTC."""
        if self.kind == "postgres":
            with psycopg.connect(self.url, autocommit=autocommit, options="-c TimeZone=UTC") as connection:
                yield connection
            return
        options = {**connection_options(self.url), "init_command": "SET time_zone = '+00:00', sql_mode = 'ANSI_QUOTES'"}
        with closing(pymysql.connect(**options, database=DATABASE, autocommit=autocommit)) as connection:
            yield connection

    def run(self, *statements: str) -> None:
        with self.connected() as connection:
            for statement in statements:
                connection.cursor().execute(statement)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connected() as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def make_orders(self, rows: int = 0) -> None:
        """orders(id, item, price, created_at, updated_at); order n is of day n of January 2026."""
        instant = _INSTANT[self.kind]
        self.run(
            "create table orders (id int primary key, item varchar(40), price numeric(10,2) not null, "
            f"created_at {instant} not null default '2000-01-01', updated_at {instant} not null default '2000-01-01')"
        )
        for number in range(1, rows + 1):
            self.order(number)

    def order(self, number: int, *, item: str = "tea", updated_at: str | None = None) -> None:
        """Insert an order, or change it."""
        created = f"2026-01-{number:02d} 10:00:00"
        values = f"{number}, '{item}', {number}.50, '{created}', '{updated_at or created}'"
        self.run(f"delete from orders where id = {number}", f"insert into orders values ({values})")


@contextmanager
def shop_on(request: pytest.FixtureRequest, kind: ServerKind) -> Iterator[Shop]:
    """A fresh database on the server of that kind."""
    if kind == "mysql":
        server = request.getfixturevalue("mariadb")
        server.recreate_database(DATABASE)
        yield Shop(kind, server.url.replace("localhost/", f"localhost/{DATABASE}"))
        return
    server = request.getfixturevalue("postgres")
    yield Shop(kind, fresh_database(server, DATABASE))
    drop_database(server, DATABASE)


def read(shop: Shop, table: str | None = "orders", query: str | None = None, **ask: Any) -> pa.Table:
    """All rows of a table or query."""
    with shop.server().reading(Wanted(table if query is None else None, query)) as session:
        return pa.Table.from_batches(session.batches(Ask(**ask)), session.shape.arrow)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)
