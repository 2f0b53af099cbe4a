"""Rows on their way from the gate to a database."""

from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from slice_platform.warehouse.claim import Counts, KnownTable
from slice_platform.warehouse.gate import CheckedRows


@dataclass(frozen=True)
class RowsToLoad:
    """Rows that passed the gate, and what is needed to bring them to the database."""

    checked: CheckedRows
    known: KnownTable  # as the gate knew it
    engine: DuckDBPyConnection  # that reads them
    folder: Path  # for files on the way; the caller removes it
    is_parquet: bool = False  # or otherwise typed: they may go as Arrow

    @property
    def counts(self) -> Counts:
        return Counts(read=self.checked.rows + self.checked.rows_set_aside, set_aside=self.checked.rows_set_aside)
