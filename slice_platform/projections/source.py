"""A table of the lake as one snapshot has it, read for a database: renamed, typed, personal data treated, judged."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pyiceberg.table import Table

from slice_platform.engine import run
from slice_platform.lake.business.selecting import set_hash_key
from slice_platform.lake.business.treated_sql import treated_sql
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import DataFile, data_files, load_table
from slice_platform.lake.views import columns_of, no_rows, view_of
from slice_platform.projections.projection import Projection
from slice_platform.spill import spill_folder
from slice_platform.sql_text import quoted
from slice_platform.warehouse.claim import KnownTable
from slice_platform.warehouse.gate import CheckedRows
from slice_platform.warehouse.projected_rows import check_relation
from slice_platform.warehouse.rows_to_load import RowsToLoad

FEW_ROWS = 10_000


@dataclass(frozen=True)
class Source:
    """The lake's table as of one snapshot, in a DuckDB that reads it."""

    projection: Projection
    connection: duckdb.DuckDBPyConnection
    folder: Path
    table: Table | None
    files: Mapping[str, Sequence[DataFile]]

    def checked(self, key: str) -> CheckedRows:
        """The rows of a partition as the database would have them, with their measure.

        Raises:
            FileRefused: the database cannot have some of them.
        """
        relation = f"({self._sql(key)})"
        described = run(self.connection, f"describe select * from {relation}")
        types = {name: kind for name, kind, *_ in described}
        return check_relation(self.connection, relation, types, self.projection.table.spec)

    def rows(self, key: str, known: KnownTable) -> RowsToLoad:
        checked = self.checked(key)
        # A connection that takes Arrow takes long to open: for few rows text is faster.
        return RowsToLoad(checked, known, self.connection, self.folder, is_parquet=checked.rows > FEW_ROWS)

    def _sql(self, key: str) -> str:
        projection, files = self.projection, self.files.get(key, ())
        names = ", ".join(f"{quoted(one.name)} as {quoted(there)}" for there, one in projection.columns.items())
        columns = columns_of(projection.source)
        inner = view_of(projection.source, self.table, files).sql if self.table and files else no_rows(columns)
        return treated_sql(f"select {names} from ({inner})", projection.treated)


@contextmanager
def opened_source(lake: Lake, projection: Projection) -> Iterator[Source]:
    """The table that is projected, as it is now.

    Raises:
        SettingsError: personal data is to be hashed and there is no key.
    """
    with engine(lake) as connection, spill_folder(lake.settings.spill_dir) as folder:
        if projection.treated.needs_key:
            set_hash_key(connection, lake.settings, f"Projecting into {projection.qualified}")
        table = load_table(lake, projection.source)
        files: dict[str, list[DataFile]] = {}
        for file in data_files(table, projection.source.partition) if table else []:
            files.setdefault(file.partition_key, []).append(file)
        yield Source(projection, connection, folder, table, files)
