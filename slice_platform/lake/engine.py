"""DuckDB over a lake."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from slice_platform.engine import open_engine
from slice_platform.lake.lake import Lake


@contextmanager
def engine(lake: Lake, *, on_disk: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB that opens the addresses of the lake's store; for `on_disk` see `open_engine`."""
    with open_engine(lake.settings, files=lake.store.files(), on_disk=on_disk) as connection:
        yield connection
