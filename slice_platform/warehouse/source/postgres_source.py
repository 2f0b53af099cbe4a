"""Postgres as a source: ADBC hands out what COPY sends in binary as Arrow, in batches of some 16 MB."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.source.errors import broke_off, told
from slice_platform.warehouse.source.reading import Shape, SourceColumn, SourceServer, SourceSession, Wanted
from slice_platform.warehouse.source.spec import ServerKind
from slice_platform.warehouse.source.values import typed

if TYPE_CHECKING:
    import adbc_driver_manager.dbapi as adbc

_MOST_DIGITS = 38
_NATIVE = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
    "varchar": pa.string(),
}
_CASTS = {"float4": ("::float8", pa.float64()), "oid": ("::int8", pa.int64())}
_INEXACT = frozenset({"float4", "float8", "json", "xml", "bytea", "point", "money"})
_CATALOG = """
SELECT a.attname::text, a.attnotnull, col_description(a.attrelid, a.attnum),
  array_position(i.indkey::int2[], a.attnum), obj_description(a.attrelid, 'pg_class')
FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = to_regclass({}) AND a.attnum > 0 AND NOT a.attisdropped
"""
_DEPENDENTS = """
SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND confdeltype IN ('c', 'n', 'd') AND confrelid = to_regclass({}) ORDER BY 1
"""


class PostgresSession(SourceSession):
    def __init__(self, connection: "adbc.Connection", wanted: Wanted) -> None:
        self._connection = connection
        super().__init__(wanted)

    def quoted(self, name: str) -> str:
        return quoted(name)

    def dependents(self) -> tuple[str, ...]:
        return tuple(name for (name,) in self._rows(_DEPENDENTS.format(literal(self._relation()))))

    def _described(self) -> Shape:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self._relation()} AS source LIMIT 0")
            fields = list(cursor.fetch_arrow_table().schema)
        known = (
            {row[0]: row for row in self._rows(_CATALOG.format(literal(self._relation())))} if self.wanted.table else {}
        )
        columns = [_column(field, known.get(field.name)) for field in fields]
        in_key = sorted((row[3], name) for name, row in known.items() if row[3] is not None)
        comment = next((row[4] for row in known.values()), None)
        return Shape(tuple(columns), tuple(name for _, name in in_key), comment)

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def _stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        what = f"Reading {self.wanted}"
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            for batch in _as_they_come(cursor.fetch_record_batch(), what):
                arrays = [typed(c, batch.column(i), what) for i, c in enumerate(self.shape.columns)]
                yield pa.RecordBatch.from_arrays(arrays, schema=self.shape.arrow)

    def _delete(self, sql: str) -> int:
        return int(self._rows(f"WITH gone AS ({sql} RETURNING 1) SELECT count(*) FROM gone")[0][0])


class PostgresServer(SourceServer):
    """One database of a server. `conninfo` as libpq reads it."""

    kind: ServerKind = "postgres"

    def __init__(self, conninfo: str, *, label: str, lock_timeout_seconds: float = 30.0) -> None:
        self._conninfo, self.label, self._lock_timeout_seconds = conninfo, label, lock_timeout_seconds

    @contextmanager
    def reading(self, wanted: Wanted) -> Iterator[PostgresSession]:
        with told(f"Reading {wanted} of {self.label}"), self._connected() as connection:
            self._begin(connection, "ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresSession(connection, wanted)

    @contextmanager
    def deleting(self, wanted: Wanted) -> Iterator[PostgresSession]:
        with told(f"Deleting rows of {wanted} of {self.label}"), self._connected() as connection:
            self._begin(connection, "ISOLATION LEVEL READ COMMITTED")
            yield PostgresSession(connection, wanted)
            connection.commit()

    @contextmanager
    def _connected(self) -> Iterator["adbc.Connection"]:
        import adbc_driver_postgresql.dbapi as postgres  # noqa: PLC0415 -- loading definitions must not wait for it
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 -- as above

        wait = round(self._lock_timeout_seconds * 1000)
        options = f"-c TimeZone=UTC -c DateStyle=ISO -c lock_timeout={wait} -c extra_float_digits=1"
        connection = postgres.connect(
            make_conninfo(self._conninfo, options=options, connect_timeout=10, client_encoding="UTF8")
        )
        try:
            yield connection
        finally:
            connection.close()  # what was not committed is rolled back

    def _begin(self, connection: "adbc.Connection", how: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION {how}")


def _as_they_come(batches: pa.RecordBatchReader, what: str) -> Iterator[pa.RecordBatch]:
    """The batches. What goes wrong after the first byte reaches us with the server's words alone."""
    while True:
        try:
            batch = batches.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            raise broke_off(what, str(error)) from error
        yield batch


def _column(field: pa.Field, known: tuple[Any, ...] | None) -> SourceColumn:
    """How a column is selected: as it is where Arrow has its values, else as text."""
    said = {name.decode(): value.decode() for name, value in (field.metadata or {}).items()}
    kind, named = said.get("POSTGRESQL:type", ""), f"source.{quoted(field.name)}"
    sql, arrow = f"{named}::text", pa.string()
    if kind in _NATIVE:
        sql, arrow = named, _NATIVE[kind]
    elif kind in _CASTS:
        sql, arrow = named + _CASTS[kind][0], _CASTS[kind][1]
    elif kind == "numeric":
        arrow = _decimal(int(said.get("POSTGRESQL:typmod", "-1")))
    elif kind == "bytea":
        sql = f"encode({named}, 'hex')"
    elif kind.startswith("_") or pa.types.is_nested(field.type):  # an array, or a row
        sql = f"to_json({named})::text"
    is_nested = kind.startswith("_") or pa.types.is_nested(field.type)
    is_document = is_nested or kind in ("json", "jsonb") or (kind == "numeric" and pa.types.is_string(arrow))
    is_exact = kind not in _INEXACT and not is_nested
    required, comment = (bool(known[1]), known[2]) if known else (False, None)
    return SourceColumn(field.name, sql, arrow, required, comment, is_exact, is_document)


def _decimal(typmod: int) -> pa.DataType:
    """A number of fixed scale is a decimal; one of any scale, or of too many digits, is its text."""
    if typmod < 0:
        return pa.string()
    precision, scale = ((typmod - 4) >> 16) & 0xFFFF, (typmod - 4) & 0x7FF
    is_plain = precision <= _MOST_DIGITS and scale <= precision
    return pa.decimal128(precision, scale) if is_plain else pa.string()
