"""The tables that a model reads, each as of one snapshot, offered to DuckDB for one partition after the other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
from pyiceberg.table import Table

from slice_platform.engine import run
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.lake import BUSINESS, CURATED, Lake
from slice_platform.lake.table import DataFile, data_files, load_table
from slice_platform.lake.table_definition import TableDefinition, names_of
from slice_platform.lake.views import columns_of, no_rows, view_of
from slice_platform.sql_text import quoted


@dataclass
class Source:
    """One table as it was when the build began. `table` is None where nothing was ever published."""

    definition: TableDefinition
    table: Table | None
    files: Mapping[str, Sequence[DataFile]]
    offered: frozenset[str] | None = None  # the partitions that DuckDB has now

    @staticmethod
    def load(lake: Lake, definition: TableDefinition) -> "Source":
        table = load_table(lake, definition)
        files: defaultdict[str, list[DataFile]] = defaultdict(list)
        for file in data_files(table, definition.partition) if table else []:
            files[file.partition_key].append(file)
        return Source(definition, table, files)

    def sql(self, keys: Iterable[str]) -> str:
        """A SELECT of the columns of its definition, over the rows of these partitions."""
        files = [file for key in keys for file in self.files.get(key, ())]
        names = ", ".join(quoted(name) for name in names_of(self.definition))
        if self.table is None or not files:
            return f"select {names} from ({no_rows(columns_of(self.definition))})"
        return f"select {names} from ({view_of(self.definition, self.table, files).sql})"


@dataclass
class Sources:
    """All that a model reads, in a DuckDB that has a schema for each tier."""

    connection: duckdb.DuckDBPyConnection
    by_name: Mapping[str, Source] = field(default_factory=dict)

    @staticmethod
    def load(lake: Lake, connection: duckdb.DuckDBPyConnection, table: BusinessTable) -> "Sources":
        for tier in (CURATED, BUSINESS):
            run(connection, f"create schema {tier}")
        return Sources(connection, {name: Source.load(lake, lake.table(name)) for name in table.reads})

    def offer(self, keys: Mapping[str, Iterable[str]]) -> None:
        """Let the tables hold just these partitions, by the table's name."""
        for name, source in self.by_name.items():
            wanted = frozenset(keys[name])
            if wanted != source.offered:
                tier, _, bare = name.partition(".")
                run(self.connection, f"create or replace view {tier}.{quoted(bare)} as {source.sql(sorted(wanted))}")
                source.offered = wanted
