"""The database in which the platform keeps what it must not forget, and locks that end with their process.

SQLite on a laptop, Postgres on AWS. The ledger and the outbox of notifications are tables of it.
"""

import fcntl
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from slice_platform.errors import DatasetBusy, LedgerUnavailable

_POLL_SECONDS = 0.1


class MetadataDb:
    """One SQLite file or Postgres database; safe for several processes. `url` as SQLAlchemy has it.

    `busy_seconds` is how long a statement waits for other writers of SQLite, and a connection for Postgres.
    """

    def __init__(self, url: str, *, lock_dir: Path, busy_seconds: float = 60.0) -> None:
        self._url = sa.make_url(url)
        self._lock_dir = lock_dir
        if self._url.database and self.is_sqlite:
            Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        options = {"connect_args": {"timeout": busy_seconds}} if self.is_sqlite else _postgres(busy_seconds)
        self.engine = sa.create_engine(self._url, **options)
        sa.event.listen(self.engine, "handle_error", _told)
        sa.event.listen(self.engine, "connect", _use_wal if self.is_sqlite else _use_keepalives)

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def hold(self, name: str, *, timeout_seconds: float) -> Iterator[bool]:
        """Hold `name` alone for the block, or be told within `timeout_seconds` that another does.

        The operating system or the database lets go when the process dies.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._file_lock(name, deadline) if self.is_sqlite else self._advisory_lock(name, deadline) as is_held:
            yield is_held

    @contextmanager
    def exclusive(self, name: str, *, of: str, timeout_seconds: float) -> Iterator[None]:
        """Hold `name` alone for the block; `of` says of what that is the lock.

        Raises:
            DatasetBusy: another process held it for the whole time-out.
        """
        with self.hold(name, timeout_seconds=timeout_seconds) as is_held:
            if not is_held:
                raise DatasetBusy(
                    f"Waited {timeout_seconds:g} s for {of}: another process works on it. Try again when its run has "
                    "ended, or raise SLICE_LOCK_TIMEOUT_SECONDS."
                )
            yield

    @contextmanager
    def _file_lock(self, name: str, deadline: float) -> Iterator[bool]:
        self._lock_dir.mkdir(parents=True, exist_ok=True)
        with (self._lock_dir / f"{name}.lock").open("w") as lock:
            yield _until(deadline, lambda: _take(lock.fileno()))

    @contextmanager
    def _advisory_lock(self, name: str, deadline: float) -> Iterator[bool]:
        number = zlib.crc32(f"slice:{name}".encode())
        # No transaction stays open meanwhile: databases end those that idle, and the lock with them.
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lock = sa.select(sa.func.pg_try_advisory_lock(number))
            is_held = _until(deadline, lambda: bool(connection.scalar(lock)))
            try:
                yield is_held
            finally:
                if is_held:
                    connection.execute(sa.select(sa.func.pg_advisory_unlock(number)))


def _until(deadline: float, is_done: Callable[[], bool]) -> bool:
    while not is_done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _take(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _postgres(busy_seconds: float) -> dict[str, Any]:
    return {
        "pool_pre_ping": True,
        "connect_args": {
            "connect_timeout": max(2, round(min(busy_seconds, 10))),
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
        },
    }


def _told(context: sa.engine.ExceptionContext) -> None:
    """A database that is away is ours to tell; what it says of the data is not."""
    if context.is_pre_ping:
        return  # the pool's own question whether a connection still lives; it opens another one
    error = context.original_exception
    kinds = (sa.exc.OperationalError, sa.exc.InterfaceError)
    if context.is_disconnect or isinstance(context.sqlalchemy_exception, kinds):
        raise LedgerUnavailable(
            f"The ledger's database did not answer: {' '.join(str(error).split())} What it had not confirmed is not "
            "booked; the work can be repeated once it is back. If it never comes back, check SLICE_METADATA_URL."
        ) from error


def _use_keepalives(connection: Any, _record: object) -> None:
    """Let the server find out that this machine is gone, and free its locks: by default that takes two hours."""
    with connection.cursor() as cursor:
        for name, value in (("idle", 30), ("interval", 10), ("count", 3)):
            cursor.execute(f"set tcp_keepalives_{name} = {value}")
    connection.commit()


def _use_wal(connection: Any, _record: object) -> None:
    connection.execute("pragma journal_mode = wal")  # readers such as `slice status` never block a run
