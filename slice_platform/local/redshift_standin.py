"""A stand-in for Redshift on a laptop: a database of Postgres that is spoken to in Redshift's SQL.

What it cannot show is how Redshift distributes, encodes and plans, nor its own error tables. Everything that people see
of it bears the label below.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

from slice_platform.local.redshift_statements import CopyStatement, NotRedshift, to_postgres

if TYPE_CHECKING:
    import psycopg

STANDIN_LABEL = "Redshift SQL, run on the Postgres stand-in"
OpenUri = Callable[[str], IO[bytes]]
_CHUNK_BYTES = 1024**2


def prepare_schemas(conninfo: str, schemas: Sequence[str]) -> None:
    """The schemas are there."""
    import psycopg  # noqa: PLC0415 -- loading definitions must not wait for it
    from psycopg import sql  # noqa: PLC0415 -- as above

    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('slice schemas', 0))")
        for name in schemas:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))


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
        with self._open_uri(wanted.manifest) as source:
            entries = json.load(source)["entries"]
        options = f"FORMAT csv, NULL '{wanted.null}'"
        statement = f"COPY {wanted.table} ({wanted.names}) FROM STDIN WITH ({options})"
        with self._cursor.copy(statement.encode()) as copy:
            for entry in entries:
                self._send(copy, entry)

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
