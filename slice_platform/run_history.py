"""Dagster's runs and events in the SQLite files of Dagster's own storage, with its engines kept between events."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, NullPool, Pool, QueuePool, create_engine


class LocalStorage(DagsterSqliteStorage):
    """Runs, events and schedules of an instance below one folder: `storage: custom:` in dagster.yaml."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = SqliteEventLog(str(Path(base_dir) / "history" / "runs"))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, str]) -> Self:  # type: ignore[override]  # config_type says that it holds one text
        return cls.from_local(config_value["base_dir"], inst_data)


class SqliteEventLog(SqliteEventLogStorage):
    """Writes the files that its base writes, without a new engine, which compiles every statement anew, for each event.

    The index keeps its connection, too. A run's file is closed after each event: closing moves the write-ahead log
    into the file, and from that the UI learns of the event.
    """

    def __init__(self, base_dir: str) -> None:
        self._index: tuple[int, Engine] | None = None
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            url = self.conn_string_for_shard(shard)
            engine = self._index_engine(url) if shard == INDEX_SHARD_NAME else _run_engine(url)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def has_table(self, table_name: str) -> bool:
        """Asked for each evaluation of a check; a table that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def _index_engine(self, url: str) -> Engine:
        """The one of the file that lies there now: a connection outlives the file, and what it writes is then lost."""
        try:
            inode = Path(self.path_for_shard(INDEX_SHARD_NAME)).stat().st_ino
        except FileNotFoundError:
            inode = 0
        if self._index is None or self._index[0] != inode:
            self._close_index()
            self._index = inode, _engine(url, QueuePool)
        return self._index[1]

    def _close_index(self) -> None:
        if self._index:
            self._index[1].dispose()
            self._index = None

    def dispose(self) -> None:
        super().dispose()
        with self._db_lock:
            self._close_index()


@lru_cache(maxsize=8)
def _run_engine(url: str) -> Engine:
    return _engine(url, NullPool)


def _engine(url: str, pool: type[Pool]) -> Engine:
    # The storage's lock lets one thread at a time have a connection; the threads may differ.
    busy = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False}
    return create_engine(url, poolclass=pool, connect_args=busy)
