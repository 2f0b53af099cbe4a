"""SQL over the lake for analysts: curated.<dataset>, business.<table> and raw.<dataset>, read-only.

Three locks, each enough for its part: the parse tree is judged before anything runs, DuckDB may open no
file but those of the tables the query names, and its configuration is locked. Who asks as an analyst sees
personal data masked: the views that stand for the tables hold none.
"""

import json
import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import TypeAlias

import duckdb
import pyarrow as pa
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from slice_platform.engine import run, told_of_engine
from slice_platform.errors import QueryRefused
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import BUSINESS, CURATED, RAW, Lake
from slice_platform.lake.masking import Role, hidden_columns, masked
from slice_platform.lake.pruning import row_filters, table_name
from slice_platform.lake.raw_view import raw_columns, raw_view
from slice_platform.lake.scan_cost import ScanCost
from slice_platform.lake.sql_tree import ALLOWED, Node, read_statement
from slice_platform.lake.table import load_table
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.views import View, columns_of, no_rows, table_view
from slice_platform.sql_text import literal, quoted

Name: TypeAlias = tuple[str, str]  # tier and table, in lower case
TIERS = (CURATED, BUSINESS, RAW)
_CATALOG = ("TABLE_FUNCTION", "SHOW_REF")
_UNKNOWN_TABLE = re.compile(r"Table with name (\S+) does not exist")


@dataclass(frozen=True)
class QueryResult:
    """The rows, and what it took to find them."""

    table: pa.Table
    cost: ScanCost


def query(lake: Lake, sql: str, role: Role | None = None) -> QueryResult:
    """The rows of one statement that reads, over one snapshot of each table it names.

    Tables are curated.<dataset>, or <dataset> for short, business.<table> and raw.<dataset>. Nothing is written, and
    nothing is read but the files of these tables. Instants are shown in UTC. Without a role it is that of the settings.

    Raises:
        QueryRefused: the SQL is wrong, names an unknown table or does more than read; the message says what is
            allowed.
        TransientError: memory ran out.
        StoreUnavailable: a file could not be read; it may have been replaced meanwhile.
    """
    with engine(lake) as connection:
        tree = read_statement(connection, sql)
        offer = _Offer(lake, connection, role or lake.settings.query_role)
        views = offer.views(tree)
        refused = partial(_refused, lake)
        with told_of_engine("The query", lake.settings, refused, again="the query"):
            offer.create(views, tree)
            _lock(connection, [path for view in views.values() for path in view.paths])
            table = connection.sql(sql).to_arrow_table()  # run by execute(), the profile would count no bytes
        return QueryResult(table, _cost(connection, list(views.values())))


@dataclass(frozen=True)
class _Offer:
    """The tables of the lake as views, as far as a role may see them."""

    lake: Lake
    connection: duckdb.DuckDBPyConnection
    role: Role

    def views(self, tree: Node) -> dict[Name, View]:
        """A view for each table the statement names."""
        wanted = {table_name(node) for node in tree.walk()}
        found = {name: table for name, table in self._tables().items() if name in wanted}
        loaded = {name: load_table(self.lake, table) for name, table in found.items() if name[0] != RAW}
        tables = {name: table for name, table in loaded.items() if table is not None}
        hidden = {name: hidden_columns(table, tables.get(name), self.role) for name, table in found.items()}
        filters = row_filters(tree, {name: _seen(table, hidden[name]) for name, table in tables.items()})
        views: dict[Name, View] = {}
        for name, table in found.items():
            if name in tables:
                views[name] = table_view(table, tables[name], filters[name])
            elif name[0] == RAW:
                views[name] = raw_view(self.lake, self.connection, self.lake.dataset(table.name))
        return {name: replace(view, sql=masked(view.sql, view.columns, hidden[name])) for name, view in views.items()}

    def create(self, views: dict[Name, View], tree: Node) -> None:
        """Tables the statement does not name are shown in the catalog, with columns and no rows."""
        wanted = {table_name(node) for node in tree.walk() if node.type == "BASE_TABLE"}
        every = self._tables()
        # Binding the columns of every table takes longer than most answers: only for who may look at the catalog.
        is_catalog_read = wanted - every.keys() or any(node.type in _CATALOG for node in tree.walk())
        for tier in TIERS:
            run(self.connection, f"create schema {tier}")
        for name, table in every.items():
            if is_catalog_read or name in wanted:
                sql = views[name].sql if name in views else no_rows(_columns(name[0], table))
                run(self.connection, f"create view {name[0]}.{quoted(table.name)} as {sql}")
        run(self.connection, f"set search_path = '{CURATED}'")  # SHOW TABLES lists it, and a bare name means it

    def _tables(self) -> dict[Name, TableDefinition]:
        found: dict[Name, TableDefinition] = {}
        for tier, tables in ((CURATED, self.lake.datasets), (BUSINESS, self.lake.business), (RAW, self.lake.datasets)):
            found |= {(tier, name.lower()): table for name, table in tables.items()}
        return found


def _seen(table: Table, hidden: frozenset[str]) -> Schema:
    """The columns by which files may be left out: not those whose values the role does not see.

    Else `where mail = '***'` would find nothing, and how many files were opened would tell whose mail is there.
    """
    return Schema(*(field for field in table.schema().fields if field.name not in hidden))


def _columns(tier: str, table: TableDefinition) -> list[tuple[str, str]]:
    return raw_columns(table) if tier == RAW else columns_of(table)


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


def _refused(lake: Lake, error: duckdb.Error) -> QueryRefused:
    return QueryRefused(_explained(lake, error))


def _explained(lake: Lake, error: duckdb.Error) -> str:
    unknown = _UNKNOWN_TABLE.search(str(error))
    if unknown is None:
        return f"The query cannot be answered. {error}" + (f" {ALLOWED}" if _is_about_access(error) else "")
    offered = ((CURATED, lake.datasets), (BUSINESS, lake.business), (RAW, lake.datasets))
    tables = [f"{tier}.{name}" for tier, known in offered for name in sorted(known)]
    asked = unknown[1].strip('"').rpartition(".")[2].lower()
    near = get_close_matches(asked, [one.rpartition(".")[2] for one in tables], n=1, cutoff=0.5)
    hint = f"; did you mean {next(one for one in tables if one.endswith(f'.{near[0]}'))}?" if near else "."
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
