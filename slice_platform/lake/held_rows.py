"""Whether the table holds rows that somebody else has, with equal values in every column of the contract.

The rows are read as a Parquet file of the dataset would be, by the same SQL. So what would become another value, or a
reject, is not taken for equal.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue, BooleanExpression, LessThanOrEqual
from pyiceberg.table import Table

from slice_platform.engine import run
from slice_platform.errors import PermanentError
from slice_platform.lake.cast_sql import misfit, typed
from slice_platform.lake.dataset import Dataset, FileSpec
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.sources import FileProblem, SourceFile, document_path, source_sql
from slice_platform.lake.table import load_table
from slice_platform.lake.views import table_view
from slice_platform.spill import spill_folder
from slice_platform.sql_text import quoted

_PARQUET = FileSpec(pattern="*.parquet", format="parquet")


@dataclass(frozen=True)
class HeldRows:
    """The table's rows that are not later than a moment, ready to be compared with."""

    lake: Lake
    dataset: Dataset
    connection: duckdb.DuckDBPyConnection
    folder: Path
    column: str
    until: datetime

    def held(self, rows: pa.Table, key: Sequence[str]) -> list[bool]:
        """Of each row, whether the table as it is now has one with its key and equal values. Keys differ among rows.

        Raises:
            PermanentError: the rows could not be a file of the dataset, or have columns that its contract lacks.
        """
        # Of a column that the table lacks nobody could say whether the lake has what is in it now.
        if outside := [name for name in (*key, *rows.column_names) if self.dataset.contract.column(name) is None]:
            raise PermanentError(
                f"Comparing rows with curated.{self.dataset.name}: {', '.join(dict.fromkeys(outside))} of them is no "
                "column of contract.yaml, so that no row can be proven to be in the lake. Add it to the contract."
            )
        table = load_table(self.lake, self.dataset)
        if table is None:
            return [False] * rows.num_rows
        run(self.connection, f"create or replace temp table came as {self._came(rows)}")
        found = {number for (number,) in run(self.connection, self._equal(table, key))}
        return [number in found for number in range(1, rows.num_rows + 1)]

    def _came(self, rows: pa.Table) -> str:
        """The rows as the reader of files makes them; what it would reject is left out."""
        path = self.folder / "rows.parquet"
        pq.write_table(rows, path)
        source = SourceFile(0, str(path), path.name, _PARQUET)
        try:
            relation = source_sql(self.connection, self.dataset, source, io.BytesIO())
        except FileProblem as problem:
            raise PermanentError(f"Comparing rows with curated.{self.dataset.name}: {problem}") from problem
        columns = list(enumerate(self.dataset.contract.columns))
        values = ", ".join(f"{typed(c.type, f'_t{i}')} as {quoted(c.name)}" for i, c in columns)
        unfit = [
            misfit(c.type, f"_t{i}", quoted(c.name), f"_d{i}", document_path(source, c))
            for i, c in columns
            if c.type.kind != "string"
        ]
        is_good = " and ".join(["_broken is null", *(f"not coalesce({one}, false)" for one in unfit)])
        names = ", ".join(quoted(c.name) for _, c in columns)
        return f"select _row, {names} from (select *, {values} from ({relation.sql})) where {is_good}"

    def _equal(self, table: Table, key: Sequence[str]) -> str:
        view = table_view(self.dataset, table, not_later(table, self.column, self.until))
        same = [f"came.{quoted(name)} = held.{quoted(name)}" for name in key]
        same += [
            f"came.{quoted(name)} is not distinct from held.{quoted(name)}" for name in self.dataset.contract.names
        ]
        return f"select distinct came._row from came join ({view.sql}) as held on {' and '.join(same)}"


@contextmanager
def held_rows(lake: Lake, dataset: Dataset, column: str, until: datetime) -> Iterator[HeldRows]:
    """The rows of the table whose `column` is not later than a moment; others are taken for not held."""
    with engine(lake) as connection, spill_folder(lake.settings.spill_dir) as folder:
        yield HeldRows(lake, dataset, connection, folder, column, until)


def not_later(table: Table, column: str, until: datetime) -> BooleanExpression:
    """A filter of data files that every row passes whose column is not later; all where the table cannot tell."""
    if "." in column or column not in {field.name for field in table.schema().fields}:
        return AlwaysTrue()
    predicate: type = LessThanOrEqual  # it takes more than its fields, which is all that mypy knows of it
    match table.schema().find_field(column).field_type:
        case ice.TimestamptzType():
            found: BooleanExpression = predicate(column, until.isoformat())
        case ice.TimestampType():
            found = predicate(column, until.replace(tzinfo=None).isoformat())
        case ice.DateType():
            found = predicate(column, until.date().isoformat())
        case _:
            found = AlwaysTrue()
    return found
