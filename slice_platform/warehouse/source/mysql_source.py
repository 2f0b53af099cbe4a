"""MySQL and MariaDB as sources: rows come one by one, as text that Arrow makes values of, so each is exact."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import pyarrow as pa

from slice_platform.warehouse.source.errors import told
from slice_platform.warehouse.source.reading import (
    Ask,
    Scalar,
    Shape,
    SourceColumn,
    SourceServer,
    SourceSession,
    Wanted,
)
from slice_platform.warehouse.source.spec import ServerKind
from slice_platform.warehouse.source.values import typed

_ROWS_AT_ONCE = 1000  # become one batch: rows may be wide
_MOST_DIGITS, _UNSIGNED, _BINARY = 38, 32, 63  # digits of a decimal; a flag and a character set of the protocol
_MODE = "STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION"
_CONNECT_SECONDS, _PATIENCE_SECONDS = 10, 3600
_COLUMNS = (
    "SELECT column_name, is_nullable = 'NO', column_comment FROM information_schema.columns "
    "WHERE table_schema = {} AND table_name = {}"
)
_KEY = (
    "SELECT column_name FROM information_schema.statistics WHERE table_schema = {} AND table_name = {} "
    "AND index_name = 'PRIMARY' ORDER BY seq_in_index"
)
_COMMENT = "SELECT table_comment FROM information_schema.tables WHERE table_schema = {} AND table_name = {}"
_DEPENDENTS = (
    "SELECT DISTINCT r.table_name FROM information_schema.referential_constraints r "
    "WHERE r.unique_constraint_schema = {} AND r.referenced_table_name = {} "
    "AND r.delete_rule IN ('CASCADE', 'SET NULL', 'SET DEFAULT') ORDER BY 1"
)


class MySqlSession(SourceSession):
    def __init__(self, connection: Any, wanted: Wanted) -> None:
        self._connection = connection
        super().__init__(wanted)

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def dependents(self) -> tuple[str, ...]:
        return tuple(name for (name,) in self._rows(self._in_catalog(_DEPENDENTS)))

    def _described(self) -> Shape:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self._relation()} AS source LIMIT 0")
            fields = list(cursor._result.fields)  # noqa: SLF001 -- its description leaves out the flags
        if self.wanted.table is None:
            return Shape(tuple(_column(field, f"source.{self.quoted(field.name)}") for field in fields))
        known = {name: (required == "1", comment) for name, required, comment in self._rows(self._in_catalog(_COLUMNS))}
        columns = [_column(field, f"source.{self.quoted(field.name)}", *known.get(field.name, ())) for field in fields]
        key = tuple(name for (name,) in self._rows(self._in_catalog(_KEY)))
        comment = next((text for (text,) in self._rows(self._in_catalog(_COMMENT))), None)
        return Shape(tuple(columns), key, comment or None)

    def _in_catalog(self, statement: str) -> str:
        schema, _, table = str(self.wanted.table).rpartition(".")
        return statement.format(self._literal(schema) if schema else "DATABASE()", self._literal(table))

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def greatest(self, column: str) -> Scalar | None:
        wanted = self.shape.column(column, "its greatest value")
        (text,) = self._rows(self._select([f"max({wanted.sql})"], Ask()))[0]
        found: Scalar | None = typed(wanted, pa.array([text], pa.string()), f"Reading {self.wanted}")[0].as_py()
        return found

    def _stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        from pymysql.cursors import SSCursor  # noqa: PLC0415 -- loading definitions must not wait for it

        with self._connection.cursor(SSCursor) as cursor:
            cursor.execute(sql)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                yield self._batch(rows)

    def _batch(self, rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
        what = f"Reading {self.wanted}"
        arrays = [
            typed(column, pa.array(map(_text, values), pa.string()), what)
            for column, values in zip(self.shape.columns, zip(*rows, strict=True), strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.shape.arrow)

    def _delete(self, sql: str) -> int:
        with self._connection.cursor() as cursor:
            return int(cursor.execute(sql))


class MySqlServer(SourceServer):
    """One database of a server. `options` as pymysql takes them, such as `mysql.connection_options` makes of a URL."""

    kind: ServerKind = "mysql"

    def __init__(
        self, options: Mapping[str, Any], database: str, *, label: str, lock_timeout_seconds: float = 30.0
    ) -> None:
        self._options, self._database, self.label = dict(options), database, label
        self._lock_timeout_seconds = max(1, round(lock_timeout_seconds))

    @contextmanager
    def reading(self, wanted: Wanted) -> Iterator[MySqlSession]:
        with told(f"Reading {wanted} of {self.label}"), self._connected("REPEATABLE READ") as connection:
            self._run(connection, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield MySqlSession(connection, wanted)

    @contextmanager
    def deleting(self, wanted: Wanted) -> Iterator[MySqlSession]:
        # A stricter level would lock the gaps between rows, too, and keep others from inserting there.
        with told(f"Deleting rows of {wanted} of {self.label}"), self._connected("READ COMMITTED") as connection:
            yield MySqlSession(connection, wanted)
            connection.commit()

    @contextmanager
    def _connected(self, isolation: str) -> Iterator[Any]:
        import pymysql  # noqa: PLC0415 -- loading definitions must not wait for it
        from pymysql.converters import conversions  # noqa: PLC0415 -- as above

        wait = self._lock_timeout_seconds
        connection = pymysql.connect(
            **self._options,
            database=self._database,
            charset="utf8mb4",
            autocommit=False,
            sql_mode=_MODE,
            connect_timeout=_CONNECT_SECONDS,
            # Without converters every value comes as its text.
            conv={kind: encoder for kind, encoder in conversions.items() if not isinstance(kind, int)},
            init_command=f"SET time_zone = '+00:00', innodb_lock_wait_timeout = {wait}, lock_wait_timeout = {wait}, "
            f"net_write_timeout = {_PATIENCE_SECONDS}",
        )
        try:
            self._run(connection, f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
            yield connection
        finally:
            with suppress(pymysql.Error):  # it may be broken; what was not committed is rolled back with it
                connection.close()

    def _run(self, connection: Any, statement: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement)


def _text(value: str | bytes | None) -> str | None:
    return value.hex() if isinstance(value, bytes) else value


def _column(field: Any, named: str, required: bool = False, comment: str | None = None) -> SourceColumn:  # noqa: FBT001, FBT002 -- a row of the catalog
    sql, arrow, is_exact = _read_as(field, named)
    is_narrower = pa.types.is_string(arrow) and field.type_code in _documents()
    return SourceColumn(field.name, sql, arrow, required, comment or None, is_exact, is_narrower)


@cache
def _documents() -> frozenset[int]:
    """Types that are read as text because Arrow has no room for them. MariaDB's JSON is a text to its protocol."""
    from pymysql.constants import FIELD_TYPE  # noqa: PLC0415 -- loading definitions must not wait for it

    return frozenset({FIELD_TYPE.JSON, FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL})


def _read_as(field: Any, named: str) -> tuple[str, pa.DataType, bool]:
    """How to select a column, its Arrow type, and whether the text of a value finds just this value."""
    from pymysql.constants import FIELD_TYPE  # noqa: PLC0415 -- loading definitions must not wait for it

    kind, is_unsigned = field.type_code, bool(field.flags & _UNSIGNED)
    if kind == FIELD_TYPE.TINY and field.length == 1 and not is_unsigned:
        return named, pa.bool_(), True
    if kind == FIELD_TYPE.LONGLONG and is_unsigned:
        return named, pa.uint64(), True
    if kind == FIELD_TYPE.BIT:  # comes as bytes
        return f"{named} + 0", pa.bool_() if field.length == 1 else pa.uint64(), False
    if kind in (FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL):
        return named, _decimal(field.length - (not is_unsigned) - (field.scale > 0), field.scale), True
    if kind == FIELD_TYPE.FLOAT:  # its text has six digits, that of a double all
        return f"{named} + 0e0", pa.float64(), False
    arrow, is_exact = _plain_types().get(kind, (pa.string(), field.charsetnr != _BINARY))
    return named, arrow, is_exact


@cache
def _plain_types() -> dict[int, tuple[pa.DataType, bool]]:
    from pymysql.constants import FIELD_TYPE as PROTOCOL  # noqa: PLC0415 -- as above

    whole = dict.fromkeys(
        (PROTOCOL.TINY, PROTOCOL.SHORT, PROTOCOL.INT24, PROTOCOL.LONG, PROTOCOL.LONGLONG, PROTOCOL.YEAR), pa.int64()
    )
    others = {
        PROTOCOL.DATE: pa.date32(),
        PROTOCOL.NEWDATE: pa.date32(),
        PROTOCOL.DATETIME: pa.timestamp("us"),
        PROTOCOL.TIMESTAMP: pa.timestamp("us", "UTC"),
        PROTOCOL.TIME: pa.string(),  # may be 838 hours
    }
    inexact = {PROTOCOL.DOUBLE: (pa.float64(), False), PROTOCOL.JSON: (pa.string(), False)}
    return {**{kind: (arrow, True) for kind, arrow in {**whole, **others}.items()}, **inexact}


def _decimal(precision: int, scale: int) -> pa.DataType:
    return pa.decimal128(precision, scale) if precision <= _MOST_DIGITS else pa.string()
