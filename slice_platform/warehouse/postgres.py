"""Postgres as a destination: psycopg and COPY; Parquet comes by ADBC, which hands Arrow to COPY in binary."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from slice_platform.store import CHUNK_BYTES
from slice_platform.warehouse.arrow_session import ArrowSession
from slice_platform.warehouse.claim import Load
from slice_platform.warehouse.clean_rows import CsvStyle, arrow_batches, write_csv
from slice_platform.warehouse.column_type import ColumnType, Kind
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.dialect import STAGE
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.postgres_errors import told
from slice_platform.warehouse.postgres_sql import SCHEMA, PostgresDialect
from slice_platform.warehouse.projection_sql import ProjectionSql
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.server_url import malformed
from slice_platform.warehouse.session import Session, Value

if TYPE_CHECKING:
    import psycopg

_MOST_IDLE_SECONDS = 1800  # between two statements: a loader that froze must not hold its lock for ever
SETTING, EXPECTED = "SLICE_POSTGRES_URL", "postgresql://user:password@host:5432"
STYLE = CsvStyle(null="", true="true", false="false", has_zone=True)


class PostgresSession(Session):
    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        super().__init__()
        self._connection = connection

    def _run(self, statement: str, values: tuple[Value, ...]) -> int:
        return self._connection.execute(statement.encode(), values or None).rowcount

    def _rows(self, statement: str, values: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement.encode(), values or None).fetchall()

    def copy(self, statement: str, source: "Iterator[bytes]") -> int:
        """COPY FROM STDIN of bytes as they are; how many rows came."""
        self.statements.append(statement)
        with self._connection.cursor() as cursor:
            with cursor.copy(statement.encode()) as copy:
                for chunk in source:
                    copy.write(chunk)
            return cursor.rowcount


class PostgresDestination(Destination):
    """The databases of one server. `url` is a URI of libpq; its database is replaced by that of a path."""

    name: DestinationName = "postgres"

    def __init__(self, url: str, *, lock_timeout_seconds: float = 900.0, **options: Any) -> None:
        super().__init__(**options)
        self.dialect: PostgresDialect = PostgresDialect()
        self.projections: ProjectionSql = ProjectionSql(self.dialect)
        self._at = checked_url(url)
        self._lock_timeout_seconds = lock_timeout_seconds

    def catalog_type(self, kind: ColumnType) -> str:
        return self.dialect.catalog_type(kind)

    def _is_ledger_there(self, session: Session, database: str) -> bool:
        return bool(session.count(self.dialect.has_ledger(database)))

    def _actual_columns(self, session: Session, ref: TableRef) -> dict[str, str] | None:
        return dict(session.rows(self.dialect.columns_of(), ref.table)) or None

    def _actual_key(self, session: Session, ref: TableRef) -> frozenset[str] | None:
        return frozenset(name for (name,) in session.rows(self.dialect.key_of(), ref.table))

    def _goes_straight_in(self, task: Task, rows: RowsToLoad) -> bool:  # noqa: ARG002 -- as the base has it
        return task is Task.LOAD

    def _fill_statement(self, target: str, claim: Load, rows: RowsToLoad) -> str:  # noqa: ARG002 -- Redshift needs it
        if _by_arrow(rows):
            return self.dialect.copy_arrow(target, rows.checked.columns)
        return self.dialect.copy_in(target, rows.checked.columns, has_header=rows.checked.raw_csv is not None)

    def _fill(self, session: Session, target: str, claim: Load, rows: RowsToLoad) -> int:
        statement = self._fill_statement(target, claim, rows)
        if isinstance(session, ArrowSession):
            name = (None, STAGE) if target == self.dialect.stage else (SCHEMA, claim.table.table)
            return session.ingest(statement, name, arrow_batches(rows.engine, rows.checked))
        assert isinstance(session, PostgresSession)
        source = rows.checked.raw_csv
        if source is None:
            source = rows.folder / "rows.csv"
            write_csv(rows.engine, rows.checked, source, STYLE)
        with source.open("rb") as opened:
            return session.copy(statement, iter(lambda: opened.read(CHUNK_BYTES), b""))

    @contextmanager
    def _transaction(self, ref: TableRef, rows: RowsToLoad | None = None) -> Iterator[Session]:
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 -- loading definitions must not wait for it

        with told(f"Working on {ref}"):
            at = make_conninfo(
                self._at, dbname=ref.database, options=self._options(), connect_timeout=10, client_encoding="UTF8"
            )
            if rows is not None and _by_arrow(rows):
                with ArrowSession.opened(at) as session:
                    yield session
                return
            import psycopg  # noqa: PLC0415 -- as above

            with psycopg.connect(at) as connection:
                yield PostgresSession(connection)

    def _options(self) -> str:
        wait = round(self._lock_timeout_seconds * 1000)
        return (
            f"-c TimeZone=UTC -c DateStyle=ISO -c lock_timeout={wait} "
            f"-c idle_in_transaction_session_timeout={_MOST_IDLE_SECONDS * 1000}"
        )


def checked_url(url: str) -> str:
    """The URL, if libpq reads it as it was meant.

    Raises:
        SettingsError: it does not. A password with characters of their own meaning would be taken for a host or a port,
            and told.
    """
    from psycopg import Error  # noqa: PLC0415 -- loading definitions must not wait for it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 -- as above

    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except Error:
        raise malformed(SETTING, EXPECTED) from None  # its words hold parts of the URL
    is_torn = any("@" in parts.get(name, "").removeprefix("@") for name in ("host", "dbname"))
    if is_torn or not re.fullmatch("[0-9,]*", parts.get("port", "")):
        raise malformed(SETTING, EXPECTED)
    return url


def _by_arrow(rows: RowsToLoad) -> bool:
    """ADBC writes no JSONB: such rows go as text."""
    return rows.is_parquet and all(column.type.kind is not Kind.SUPER for column in rows.checked.columns)
