"""A propagator on a directory of its own and on real databases, for the tests and for the processes that they kill."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg

from slice_platform.local.redshift_standin import STANDIN_LABEL, standin_connection
from slice_platform.settings import load_settings
from slice_platform.store import Store
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.mysql import MySqlDestination
from slice_platform.warehouse.outcome import Outcome
from slice_platform.warehouse.postgres import PostgresDestination
from slice_platform.warehouse.propagate import Door, Propagator
from slice_platform.warehouse.redshift import RedshiftDestination

DATABASE = "shop"


def open_file(address: str) -> IO[bytes]:
    return Path(address).open("rb")


@dataclass(frozen=True)
class World:
    """One destination at `url`, and the folders of its propagator below `home`; text, so that a process can be told."""

    name: DestinationName
    url: str
    home: str

    def propagator(self, **settings: object) -> Propagator:
        known: dict[str, object] = {"home": Path(self.home), "landing_tick_seconds": 0, "duckdb_threads": 1}
        store = Store(f"{self.home}/propagator")
        door = Door(self.destination(store), frozenset({DATABASE}))
        return Propagator(store, {self.name: door}, load_settings(**{**known, **settings}))

    def destination(self, store: Store) -> Destination:
        if self.name == "postgres":
            return PostgresDestination(self.url)
        if self.name == "mysql":
            return MySqlDestination(self.url)
        connect = standin_connection(self.url, open_file)
        return RedshiftDestination(connect, store, iam_role=None, label=STANDIN_LABEL)

    def table(self, name: str = "people") -> TableRef:
        return TableRef(self.name, DATABASE, name)

    def drop(self, task: Task, name: str, content: bytes | str | dict[str, Any], table: str = "people") -> Path:
        """Put a file where it belongs, as a producer does: under another name first."""
        folder = Path(self.home) / "propagator" / self.table(table).folder / task.value
        folder.mkdir(parents=True, exist_ok=True)
        written = json.dumps(content).encode() if isinstance(content, dict) else content
        raw = written.encode() if isinstance(written, str) else written
        aside = folder.parent / f".{'0' * 32}.tmp"
        aside.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
        return aside.rename(folder / name)

    def create(
        self, columns: dict[str, str], key: list[str] | None = None, table: str = "people", **more: object
    ) -> None:
        """Drop a create file that every destination takes."""
        first = next(iter(columns))
        document = {"column_specification": columns, "dist_key": first, "sort_key": [first], **more}
        self.drop(Task.CREATE, "create.json", document | ({"primary_key": key} if key else {}), table)

    def work_off(self, table: str = "people", **settings: object) -> list[Outcome]:
        return list(self.propagator(**settings).work_off(self.table(table), run_id="test"))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A query on the database itself; names as all three destinations take them, `{}` is the table's place."""
        if self.name == "mysql":
            import pymysql

            from slice_platform.warehouse.mysql import connection_options

            with (
                pymysql.connect(**connection_options(self.url), database=DATABASE, autocommit=True) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(sql.format("").replace('"', "`"))
                return list(cursor.fetchall())
        with psycopg.connect(self.url, dbname=DATABASE if self.name == "postgres" else None) as connection:
            place = f'"{DATABASE}".' if self.name == "redshift" else ""
            return connection.execute(sql.format(place).encode()).fetchall()

    def run(self, sql: str) -> None:
        """A statement on the database itself, as with `rows`, which may be one that Redshift does not know."""
        if self.name == "mysql":
            self.rows(sql)
            return
        with psycopg.connect(self.url, dbname=DATABASE if self.name == "postgres" else None) as connection:
            connection.execute(sql.format(f'"{DATABASE}".' if self.name == "redshift" else "").encode())

    def listed(self, folder: str, table: str = "people") -> list[str]:
        """What lies in `succeeded` or `failed`, without the times."""
        place = Path(self.home) / "propagator" / self.table(table).folder / folder
        return sorted(path.name.split("-", 1)[1] for path in place.iterdir()) if place.exists() else []
