"""A transaction of Postgres over ADBC, which writes Arrow into a table without a detour over text."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from slice_platform.warehouse.session import Session, Value

if TYPE_CHECKING:
    import adbc_driver_manager.dbapi as adbc
    import pyarrow as pa


class ArrowSession(Session):
    def __init__(self, connection: "adbc.Connection") -> None:
        super().__init__()
        self._connection = connection

    @classmethod
    @contextmanager
    def opened(cls, conninfo: str) -> Iterator["ArrowSession"]:
        """Committed at the end of the block, else rolled back. `conninfo` as libpq reads it."""
        import adbc_driver_postgresql.dbapi as postgres  # noqa: PLC0415 -- loading definitions must not wait for it

        connection = postgres.connect(conninfo)
        try:
            yield cls(connection)
            connection.commit()
        finally:
            connection.close()  # what was not committed is rolled back

    def _run(self, statement: str, values: tuple[Value, ...]) -> int:
        with self._connection.cursor() as cursor:
            cursor.execute(_numbered(statement), values or None)
            return cursor.rowcount

    def _rows(self, statement: str, values: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(_numbered(statement), values or None)
            return [tuple(row) for row in cursor.fetchall()]

    def ingest(self, statement: str, name: tuple[str | None, str], batches: "pa.RecordBatchReader") -> int:
        """Append the batches to the table (schema or, of a temporary one, None; name); how many rows came.

        `statement` is what ADBC runs for it.
        """
        self.statements.append(statement)
        schema, table = name
        with self._connection.cursor() as cursor:
            where = {"temporary": True} if schema is None else {"db_schema_name": schema}
            return int(cursor.adbc_ingest(table, batches, mode="append", **where))


def _numbered(statement: str) -> str:
    numbers = count(1)
    return re.sub("%s", lambda _found: f"${next(numbers)}", statement)
