"""DuckDB as the platform uses it: bounded memory, a spill folder of its own, UTC, no downloads."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from slice_platform.lake.lake import Lake
from slice_platform.lake.types import literal


@contextmanager
def engine(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that spills to disk beyond its memory limit; the spill is removed at the end."""
    settings = lake.settings
    spill = settings.spill_dir / uuid.uuid4().hex
    connection = duckdb.connect(":memory:")
    try:
        for statement in (
            f"set threads = {settings.duckdb_threads}",
            f"set memory_limit = {literal(settings.duckdb_memory_limit)}",
            f"set temp_directory = {literal(spill)}",
            "set TimeZone = 'UTC'",
            "set autoinstall_known_extensions = false",
            "set autoload_known_extensions = false",
            "set enable_progress_bar = false",
        ):
            connection.execute(statement).fetchall()
        if not lake.store.is_local:
            connection.register_filesystem(lake.store.fs)
        yield connection
    finally:
        connection.close()
        shutil.rmtree(spill, ignore_errors=True)


def run(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:  # type: ignore[type-arg]  # rows vary by query
    """Execute one statement and drain it: DuckDB 2 refuses the next statement otherwise."""
    return connection.execute(sql).fetchall()
