"""What the programs here have in common: a folder for their data, a plain DuckDB, and the first lines of a report."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

    from benchmarks.report import Circumstances

THREADS = 2  # as many as the platform takes by default


def bench_folder(chosen: Path | None) -> Path:
    """The folder that was asked for, else `bench` below the platform's home."""
    return (chosen or Path(os.environ.get("SLICE_HOME", ".slice")) / "bench").resolve()


def bare_duckdb(database: str = ":memory:") -> "duckdb.DuckDBPyConnection":
    """DuckDB beside the platform's own: as many threads, UTC, no limit of memory."""
    import duckdb  # noqa: PLC0415  # a process of another peer must not pay for it

    connection = duckdb.connect(database)
    connection.execute(f"set threads = {THREADS}")
    connection.execute("set TimeZone = 'UTC'")
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"set temp_directory = '{gettempdir()}'")  # else .tmp where the program was started
    return connection


def heading(title: str, command: str, started: "Circumstances") -> Iterator[str]:
    """Title, how the report came about, and the machine."""
    yield f"# {title}"
    yield ""
    yield f"Written by `{command}` on {started.measured_at:%Y-%m-%d}; run it again rather than edit this file."
    yield ""
    yield from started.lines()
