"""MySQL and MariaDB as destinations: LOAD DATA LOCAL from a pipe into a temporary table, then INSERT.

LOCAL turns errors into warnings and carries on with other values. So the gate is strict, not one warning is let pass,
and rows are counted.
"""

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from slice_platform.errors import AccountingError, DestinationBusy, SettingsError
from slice_platform.warehouse.claim import Load
from slice_platform.warehouse.clean_rows import CsvStyle, write_csv
from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, TableRef
from slice_platform.warehouse.mysql_errors import told
from slice_platform.warehouse.mysql_sql import MySqlDialect, canonical
from slice_platform.warehouse.projection_sql import MySqlProjectionSql
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.server_url import server_url
from slice_platform.warehouse.session import Session, Value

STYLE = CsvStyle(null="NULL", true="1", false="0", has_zone=False)
_MODE = "STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"
_CONNECT_SECONDS = 10
SETTING, EXPECTED = "SLICE_MYSQL_URL", "mysql://user:password@host:3306"
_TLS_FILES, _BY_NAME = ("ssl_ca", "ssl_cert", "ssl_key"), "ssl_verify_identity"
_OPTIONS = frozenset({"unix_socket", *_TLS_FILES, _BY_NAME})


class MySqlSession(Session):
    def __init__(self, connection: Any) -> None:
        super().__init__()
        self._cursor = connection.cursor()

    def _run(self, statement: str, values: tuple[Value, ...]) -> int:
        return int(self._cursor.execute(statement, values or None))

    def _rows(self, statement: str, values: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        self._cursor.execute(statement, values or None)
        return list(self._cursor.fetchall())


class MySqlDestination(Destination):
    """The databases of one server, at a URL that `connection_options` reads."""

    name: DestinationName = "mysql"

    def __init__(self, url: str, *, lock_timeout_seconds: float = 900.0, **options: Any) -> None:
        super().__init__(**options)
        self.dialect: MySqlDialect = MySqlDialect()
        self.projections: MySqlProjectionSql = MySqlProjectionSql(self.dialect)
        self._server, self._lock_timeout_seconds = connection_options(url), lock_timeout_seconds

    def catalog_type(self, kind: ColumnType) -> str:
        return self.dialect.catalog_type(kind)

    def _is_ledger_there(self, session: Session, database: str) -> bool:
        return bool(session.count(self.dialect.has_ledger(), database))

    def _actual_columns(self, session: Session, ref: TableRef) -> dict[str, str] | None:
        rows = session.rows(self.dialect.columns_of(), ref.database, ref.table)
        return {name: canonical(_text(kind)) for name, kind in rows} or None

    def _actual_key(self, session: Session, ref: TableRef) -> frozenset[str] | None:
        return frozenset(name for (name,) in session.rows(self.dialect.key_of(), ref.database, ref.table))

    def _lock(self, session: Session, ref: TableRef) -> None:
        name = f"slice {hashlib.sha256(str(ref).encode()).hexdigest()[:32]}"
        ((held,),) = session.rows(self.dialect.lock(ref), name, round(self._lock_timeout_seconds))
        if held != 1:
            raise DestinationBusy(
                f"Working on {ref}: another loader held it for {self._lock_timeout_seconds:.0f} seconds. "
                "Nothing was changed; it is tried again."
            )

    def _fill_statement(self, target: str, _claim: Load, rows: RowsToLoad) -> str:
        return self.dialect.load_data(str(rows.folder / "rows.pipe"), target, rows.checked.columns)

    def _fill(self, session: Session, target: str, claim: Load, rows: RowsToLoad) -> int:
        pipe = rows.folder / "rows.pipe"
        with _written_to(pipe, rows):
            taken = session.run(self._fill_statement(target, claim, rows))
        if warnings := session.rows("SHOW WARNINGS"):
            said = "; ".join(f"{level} {number}: {text}" for level, number, text in warnings[:5])
            raise AccountingError(
                f"Loading {claim.key!r}: the database took the rows with warnings, so with other values: {said}. "
                "Nothing was changed; this is a fault of the platform: keep the file and report it.",
                check="rows_loaded",
            )
        return taken

    @contextmanager
    def _transaction(self, ref: TableRef, rows: RowsToLoad | None = None) -> Iterator[Session]:
        import pymysql  # noqa: PLC0415 -- loading definitions must not wait for it

        with told(f"Working on {ref}"):
            # A server may ask for any file of this machine where it may ask at all.
            connection = pymysql.connect(**self._server, **self._session_options(ref), local_infile=rows is not None)
            try:
                if "MariaDB" in connection.server_version:
                    self.dialect.collation = "utf8mb4_nopad_bin"
                yield MySqlSession(connection)
                connection.commit()
            finally:
                with suppress(pymysql.Error):  # it may be broken; what was not committed is rolled back with it
                    connection.close()

    def _session_options(self, ref: TableRef) -> dict[str, Any]:
        wait = round(self._lock_timeout_seconds)
        return {
            "database": ref.database,
            "charset": "utf8mb4",
            "autocommit": False,
            "sql_mode": _MODE,
            "connect_timeout": _CONNECT_SECONDS,
            "init_command": (
                "SET time_zone = '+00:00', "
                f"innodb_lock_wait_timeout = {max(wait, 1)}, lock_wait_timeout = {max(wait, 1)}"
            ),
        }


def connection_options(url: str) -> dict[str, Any]:
    """What pymysql takes of a URL: host and port or a socket, the user, and how the server proves who it is.

    Raises:
        SettingsError: it is no such URL, or names a file that is not there.
    """
    at = server_url(url, setting=SETTING, expected=EXPECTED, options=_OPTIONS)
    options: dict[str, Any] = {"user": at.user or "root", "password": at.password, **_tls(at.options)}
    if socket := at.options.get("unix_socket"):
        return {**options, "unix_socket": socket}
    return {**options, "host": at.host or "localhost", "port": at.port or 3306}


def _tls(options: Mapping[str, str]) -> dict[str, Any]:
    """With a file of TLS the connection is encrypted or not made, and the server has to be who the URL says."""
    files = {name: options[name] for name in _TLS_FILES if name in options}
    for name, path in files.items():
        if not Path(path).is_file():
            raise SettingsError(f"{SETTING} names with {name} the file {path!r}, which is not there.")
    return {**files, _BY_NAME: options.get(_BY_NAME) != "false"} if files else {}


@contextmanager
def _written_to(pipe: Path, rows: RowsToLoad) -> Iterator[None]:
    """A pipe into which the rows are written while the block reads it; what goes wrong there is raised here.

    Neither side waits for the other for ever: who has failed opens its end until the other has seen it.
    """
    os.mkfifo(pipe)
    failed: list[BaseException] = []
    is_read = threading.Event()

    def write() -> None:
        try:
            write_csv(rows.engine.cursor(), rows.checked, pipe, STYLE)
        except BaseException as error:  # noqa: BLE001 -- raised by the other thread
            failed.append(error)
            while not is_read.wait(0.02):
                _open_and_close(pipe, os.O_WRONLY)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        is_read.set()
        while writer.is_alive():
            _open_and_close(pipe, os.O_RDONLY)
            writer.join(0.02)
        pipe.unlink()
    if failed:
        raise failed[0]


def _open_and_close(pipe: Path, how: int) -> None:
    with suppress(OSError):
        os.close(os.open(pipe, how | os.O_NONBLOCK))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
