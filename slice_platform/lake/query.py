"""SQL over the lake for analysts: curated.<dataset> and raw.<dataset>, read-only.

Three locks, each enough for its part: the parse tree is judged before anything runs, DuckDB may open no
file but those of the tables the query names, and its configuration is locked.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

import duckdb
import pyarrow as pa

from slice_platform.engine import run, told_of_store
from slice_platform.errors import QueryRefused, StoreUnavailable, TransientError
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import CURATED, RAW, Lake
from slice_platform.lake.pruning import row_filters, table_name
from slice_platform.lake.raw_view import raw_columns, raw_view
from slice_platform.lake.scan_cost import ScanCost
from slice_platform.lake.sql_tree import ALLOWED, Node, read_statement
from slice_platform.lake.table import load_table
from slice_platform.lake.views import View, columns_of, table_view, no_rows
from slice_platform.sql_text import literal, quoted

_CATALOG = ("TABLE_FUNCTION", "SHOW_REF")
_UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist")


@dataclass(frozen=True)
class QueryResult:
    """The rows, and what it took to find them."""

    table: pa.Table
    cost: ScanCost


def query(lake: Lake, sql: str) -> QueryResult:
    """The rows of one statement that reads, over one snapshot of each table it names.

    Tables are curated.<dataset>, or <dataset> for short, and raw.<dataset>. Nothing is written, and nothing
    is read but the files of these tables. Instants are shown in UTC.

    Raises:
        QueryRefused: the SQL is wrong, names an unknown table or does more than read; the message says what is
            allowed.
        TransientError: memory ran out.
        StoreUnavailable: a file could not be read; it may have been replaced meanwhile.
    """
    with engine(lake) as connection:
        tree = read_statement(connection, sql)
        views = _views(lake, connection, tree)
        with _told(lake):
            _offer(lake, connection, views, tree)
            _lock(connection, [path for view in views.values() for path in view.paths])
            table = connection.sql(sql).to_arrow_table()  # run by execute(), the profile would count no bytes
        return QueryResult(table, _cost(connection, list(views.values())))


def _views(lake: Lake, connection: duckdb.DuckDBPyConnection, tree: Node) -> dict[tuple[str, str], View]:
    """A view for each table the statement names."""
    wanted = {table_name(node) for node in tree.walk()}
    named = {(tier, name.lower()): dataset for name, dataset in lake.datasets.items() for tier in (CURATED, RAW)}
    found = {name: dataset for name, dataset in named.items() if name in wanted}
    loaded = {name: load_table(lake, dataset) for name, dataset in found.items() if name[0] == CURATED}
    tables = {name: table for name, table in loaded.items() if table is not None}
    filters = row_filters(tree, {name: table.schema() for name, table in tables.items()})
    views: dict[tuple[str, str], View] = {}
    for name, dataset in found.items():
        if name in tables:
            views[name] = table_view(dataset, tables[name], filters[name])
        elif name[0] == RAW:
            views[name] = raw_view(lake, connection, dataset)
    return views


def _offer(lake: Lake, connection: duckdb.DuckDBPyConnection, views: dict[tuple[str, str], View], tree: Node) -> None:
    """Create the views. Tables the statement does not name are shown in the catalog, with columns and no rows."""
    wanted = {table_name(node) for node in tree.walk() if node.type == "BASE_TABLE"}
    every = {(tier, name.lower()) for tier in (CURATED, RAW) for name in lake.datasets}
    # Binding the columns of every table takes longer than most answers: only for who may look at the catalog.
    shown = every if wanted - every or any(node.type in _CATALOG for node in tree.walk()) else wanted
    for tier in (CURATED, RAW):
        run(connection, f"create schema {tier}")
        for name, dataset in lake.datasets.items():
            if (tier, name.lower()) not in shown:
                continue
            view = views.get((tier, name.lower()))
            sql = view.sql if view else no_rows(_columns(tier, dataset))
            run(connection, f"create view {tier}.{quoted(name)} as {sql}")
    run(connection, f"set search_path = '{CURATED}'")  # SHOW TABLES lists it, and a bare name means it


def _columns(tier: str, dataset: Dataset) -> list[tuple[str, str]]:
    return columns_of(dataset) if tier == CURATED else raw_columns(dataset)


def _lock(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    for statement in (
        "set enable_profiling = 'no_output'",
        "set profiling_coverage = 'all'",
        "set allow_persistent_secrets = false",
        "set python_enable_replacements = false",  # a table name would find variables of this process
        f"set allowed_paths = [{', '.join(literal(path) for path in paths)}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        run(connection, statement)


@contextmanager
def _told(lake: Lake) -> Iterator[None]:
    try:
        with told_of_store():
            yield
    except duckdb.OutOfMemoryException as error:
        limit = lake.settings.duckdb_memory_limit
        raise TransientError(
            f"The query needs more than the {limit} of memory it may use. Read fewer columns or rows, "
            f"or raise SLICE_DUCKDB_MEMORY_LIMIT. {error}"
        ) from error
    except duckdb.IOException as error:
        raise StoreUnavailable(f"A file of the lake could not be read; run the query again. {error}") from error
    except (duckdb.InternalException, duckdb.FatalException):
        raise  # a defect of the engine, not of the query
    except duckdb.Error as error:
        raise QueryRefused(_explained(lake, error)) from error


def _explained(lake: Lake, error: duckdb.Error) -> str:
    unknown = _UNKNOWN_TABLE.search(str(error))
    if unknown is None:
        return f"The query cannot be answered. {error}" + (f" {ALLOWED}" if _is_about_access(error) else "")
    tables = [f"{tier}.{name}" for tier in (CURATED, RAW) for name in sorted(lake.datasets)]
    near = get_close_matches(unknown[1].strip('"'), lake.datasets, n=1, cutoff=0.5)
    hint = f"; did you mean {CURATED}.{near[0]}?" if near else "."
    return f"The query names an unknown table {unknown[1]!r}{hint} Tables: {', '.join(tables) or 'none'}."


def _is_about_access(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.PermissionException) or "has been locked" in str(error)


def _cost(connection: duckdb.DuckDBPyConnection, views: list[View]) -> ScanCost:
    profile = json.loads(connection.get_profiling_information())
    return ScanCost(
        files_opened=sum(len(view.paths) for view in views),
        files_total=sum(view.files_total for view in views),
        stored_bytes=sum(view.stored_bytes for view in views),
        read_bytes=int(profile["io"]["total_bytes_read"]),
    )
