"""DuckDB as the platform uses it: bounded memory, a spill folder of its own, UTC, no downloads."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import duckdb

from slice_platform.errors import SliceError, StoreUnavailable, TransientError
from slice_platform.s3_files import S3Files, outage
from slice_platform.settings import Settings
from slice_platform.spill import spill_folder
from slice_platform.sql_text import literal


@contextmanager
def open_engine(
    settings: Settings, *, files: S3Files | None = None, on_disk: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB that spills to disk beyond its memory limit; what it leaves there is removed at the end.

    `files` opens addresses that are not of this machine's disk. `on_disk` is for tables that memory will not hold: they
    lie compressed in a file, a quarter of what the same tables take when memory spills them. For smaller ones it only
    costs time.
    """
    with (
        spill_folder(settings.spill_dir) as spill,
        closing(duckdb.connect(str(spill / "tables.db") if on_disk else ":memory:")) as connection,
    ):
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
        if files is not None:
            connection.register_filesystem(files)
        yield connection


def run(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple]:  # type: ignore[type-arg]  # rows vary by query
    """Execute one statement and drain it: DuckDB 2 refuses the next statement otherwise.

    Raises:
        StoreUnavailable: S3 did not do what was asked; no file is to blame.
        AccessRefused: S3 refuses, and will again.
    """
    with told_of_store():
        return connection.execute(sql).fetchall()


@contextmanager
def told_of_store() -> Iterator[None]:
    """An outage of S3 reaches us as an error of DuckDB. Here it is told from a fault of the file or the statement."""
    try:
        yield
    except duckdb.Error as error:
        if (said := outage(str(error))) is not None:
            raise said from error
        raise


@contextmanager
def told_of_engine(
    doing: str, settings: Settings, refused: Callable[[duckdb.Error], SliceError], *, again: str = "it"
) -> Iterator[None]:
    """What goes wrong while DuckDB works for somebody, who is told what was being done.

    Raises:
        TransientError: memory ran out.
        StoreUnavailable: a file could not be read; it may have been replaced meanwhile.
        SliceError: what `refused` makes of anything else, but of defects of the engine, which stay what they are.
    """
    try:
        with told_of_store():
            yield
    except duckdb.OutOfMemoryException as error:
        raise TransientError(
            f"{doing} needs more than the {settings.duckdb_memory_limit} of memory it may use. Read fewer columns or "
            f"rows, or raise SLICE_DUCKDB_MEMORY_LIMIT. {error}"
        ) from error
    except duckdb.IOException as error:
        raise StoreUnavailable(f"{doing}: a file of the lake could not be read; run {again} again. {error}") from error
    except (duckdb.InternalException, duckdb.FatalException):
        raise
    except duckdb.Error as error:
        raise refused(error) from None  # it quotes values, which `refused` may keep back
