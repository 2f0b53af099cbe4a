"""A stand-in for Redshift on a laptop: a database of Postgres that is spoken to in Redshift's SQL.

What it cannot show is how Redshift distributes, encodes and plans. Of a COPY that fails it notes line and column where
Redshift does, and says no more than Redshift does. Everything that people see of it bears the label below.
"""

import gzip
import json
import re
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

from slice_platform.local.redshift_projections import STRTOL
from slice_platform.local.redshift_statements import CopyStatement, NotRedshift, to_postgres

if TYPE_CHECKING:
    import psycopg

STANDIN_LABEL = "Redshift SQL, run on the Postgres stand-in"
OpenUri = Callable[[str], IO[bytes]]
_CHUNK_BYTES = 1024**2
_LOAD_ERRORS = (
    "CREATE TABLE IF NOT EXISTS public.sys_load_error_detail (query_id BIGINT, session_id INTEGER, "
    "start_time TIMESTAMP, file_name CHAR(256), line_number BIGINT, column_name CHAR(127), error_code INTEGER, "
    "error_message CHAR(512))"
)
_PLACE = re.compile(r"COPY \S+, line (?P<line>[0-9]+)(?:, column (?P<column>[a-z0-9_]+))?")


def prepare_schemas(conninfo: str, schemas: Sequence[str]) -> None:
    """The schemas are there, the view in which Redshift tells why a COPY failed, and a function that Postgres lacks."""
    import psycopg  # noqa: PLC0415 -- loading definitions must not wait for it
    from psycopg import sql  # noqa: PLC0415 -- as above

    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('slice schemas', 0))")
        for name in schemas:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
        connection.execute(_LOAD_ERRORS)
        connection.execute(STRTOL)


def standin_connection(conninfo: str, open_uri: OpenUri) -> "Callable[[], StandInConnection]":
    """What opens a connection; COPY reads addresses by `open_uri`."""

    def connect() -> StandInConnection:
        import psycopg  # noqa: PLC0415 -- loading definitions must not wait for it

        connection = psycopg.connect(conninfo, options="-c TimeZone=UTC -c client_min_messages=warning")
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # the nearest to snapshots of Redshift
        return StandInConnection(connection, open_uri)

    return connect


class StandInConnection:
    """As much of the DB API as a destination uses."""

    def __init__(self, connection: "psycopg.Connection[Any]", open_uri: OpenUri) -> None:
        self._connection, self._open_uri = connection, open_uri

    def cursor(self) -> "StandInCursor":
        return StandInCursor(self._connection.cursor(), self._open_uri)

    def commit(self) -> None:
        self._connection.commit()

    def rollback(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


class StandInCursor:
    """Runs statements of Redshift that we send, and no others.

    Raises:
        NotRedshift: on any other.
    """

    def __init__(self, cursor: "psycopg.Cursor[Any]", open_uri: OpenUri) -> None:
        self._cursor, self._open_uri = cursor, open_uri

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, statement: str, values: Sequence[object] | None = None) -> None:
        meant = to_postgres(statement)
        if isinstance(meant, CopyStatement):
            self._copy(meant)
        else:
            self._cursor.execute(meant.encode(), values)

    def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    def _copy(self, wanted: CopyStatement) -> None:
        import psycopg  # noqa: PLC0415 -- loading definitions must not wait for it

        with self._open_uri(wanted.manifest) as source:
            entries = json.load(source)["entries"]
        options = f"FORMAT csv, NULL '{wanted.null}'"
        statement = f"COPY {wanted.table} ({wanted.names}) FROM STDIN WITH ({options})"
        try:
            with self._cursor.copy(statement.encode()) as copy:
                for entry in entries:
                    self._send(copy, entry)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            self._note(error, entries[0]["url"])
            name = wanted.table.replace('"', "")
            said = f"Load into table '{name}' failed.  Check 'sys_load_error_detail' system table for details."
            raise psycopg.errors.InternalError_(said) from error

    def _note(self, error: "psycopg.Error", address: str) -> None:
        """As Redshift does, whatever becomes of the transaction: on a connection of its own."""
        import psycopg  # noqa: PLC0415 -- as above

        place = _PLACE.match(error.diag.context or "")
        line, column = (place["line"], place["column"]) if place else (0, "")
        with psycopg.connect(self._cursor.connection.info.dsn) as connection:
            connection.execute(
                "INSERT INTO public.sys_load_error_detail (start_time, file_name, line_number, column_name, "
                "error_message) VALUES (now(), %s, %s, %s, left(%s, 512))",
                (address[:256], line, column, error.diag.message_primary),
            )

    def _send(self, copy: "psycopg.Copy", entry: dict[str, Any]) -> None:
        """A file that the manifest calls mandatory, and of the very length it says."""
        sent = 0
        try:
            with self._open_uri(entry["url"]) as packed, gzip.open(packed) as plain:
                while chunk := plain.read(_CHUNK_BYTES):
                    copy.write(chunk)
                sent = packed.tell()
        except FileNotFoundError as error:
            raise NotRedshift(f"COPY: the mandatory file {entry['url']!r} is not there.") from error
        if sent != entry["meta"]["content_length"]:
            raise NotRedshift(f"COPY: {entry['url']!r} has {sent} bytes, not {entry['meta']['content_length']}.")
