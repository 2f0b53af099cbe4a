"""The tables of a query as DuckDB views: over exactly the files of one snapshot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyiceberg.expressions import BooleanExpression
from pyiceberg.table import Table

from slice_platform.lake.table import DataFile, data_files
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.table_schema import logical_type
from slice_platform.lake.types import duckdb_type
from slice_platform.sql_text import listed, quoted


@dataclass(frozen=True)
class View:
    """What to select a table from, and the stored files behind it: no others can be opened by the query."""

    sql: str
    columns: tuple[tuple[str, str], ...] = ()  # name and DuckDB type
    paths: tuple[str, ...] = ()
    files_total: int = 0
    stored_bytes: int = 0  # of the files in `paths`


def table_view(dataset: TableDefinition, table: Table, row_filter: BooleanExpression) -> View:
    """The rows of the current snapshot; those that the filter does not accept may be missing."""
    return view_of(dataset, table, data_files(table, dataset.partition, row_filter))


def view_of(dataset: TableDefinition, table: Table, files: Sequence[DataFile]) -> View:
    """The rows of these data files of the table's current snapshot.

    The columns are those the table holds, and NULL for those that its definition gained and no rows came with yet.
    """
    held = {field.name: duckdb_type(logical_type(field.field_type)) for field in table.schema().fields}
    names = {name.lower() for name in held}
    wanted = {name: kind for name, kind in columns_of(dataset) if name in held or name.lower() not in names}
    columns = list({**wanted, **held}.items())
    if not files:
        return View(no_rows(columns), tuple(columns), files_total=_count_files(table))
    paths = tuple(file.path for file in files)
    relation = f"read_parquet({listed(paths)}, hive_partitioning = false)"
    if len(table.metadata.schemas) > 1 or [name for name, _ in columns] != [
        field.name for field in table.schema().fields
    ]:
        # Files from before a column was added lack it.
        by_name = f"read_parquet({listed(paths)}, hive_partitioning = false, union_by_name = true)"
        relation = f"({no_rows(columns)} union all by name select * from {by_name})"
    sql = f"select {', '.join(quoted(name) for name, _ in columns)} from {relation}"
    return View(sql, tuple(columns), paths, _count_files(table), sum(file.size_bytes for file in files))


def columns_of(dataset: TableDefinition) -> list[tuple[str, str]]:
    """Name and DuckDB type of each column."""
    own = [(name, duckdb_type(kind)) for name, kind in dataset.own_columns]
    return [*((c.name, duckdb_type(c.type)) for c in dataset.columns), *own]


def no_rows(columns: Iterable[tuple[str, str]]) -> str:
    """A SELECT of these columns that finds nothing."""
    return f"select {', '.join(f'null::{kind} as {quoted(name)}' for name, kind in columns)} where false"


def _count_files(table: Table) -> int:
    snapshot = table.current_snapshot()
    counted = snapshot.summary["total-data-files"] if snapshot and snapshot.summary else None
    return int(counted or 0)
