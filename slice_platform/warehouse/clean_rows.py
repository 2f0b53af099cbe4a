"""Rows that passed the gate, in the form in which a database takes them in bulk."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from slice_platform.engine import run
from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.column_type import Kind
from slice_platform.warehouse.gate import CheckedRows
from slice_platform.warehouse.table_spec import Column
from slice_platform.warehouse.value_sql import written_double

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 50_000


@dataclass(frozen=True)
class CsvStyle:
    """How a destination spells what CSV has no word for. NULL is never quoted, all else always is."""

    null: str
    true: str = "true"
    false: str = "false"
    has_zone: bool = True  # whether moments in UTC say so


def write_csv(connection: DuckDBPyConnection, checked: CheckedRows, target: Path, style: CsvStyle) -> None:
    """Write the rows without a header, one line each; `target` may be a pipe. Memory does not grow with them."""
    values = ", ".join(f"{_text(column, style)} as {quoted(column.name)}" for column in checked.columns)
    options = f"format csv, header false, force_quote *, nullstr {literal(style.null)}, quote '\"', escape '\"'"
    run(connection, f"copy (select {values} from {checked.relation}) to {literal(target)} ({options})")


def arrow_batches(connection: DuckDBPyConnection, checked: CheckedRows) -> "pa.RecordBatchReader":
    """The rows as Arrow, each column of just its type; SUPER is text."""
    return connection.sql(f"select * from {checked.relation}").to_arrow_reader(BATCH_ROWS)


def _text(column: Column, style: CsvStyle) -> str:
    name = quoted(column.name)
    match column.type.kind:
        case Kind.BOOLEAN:
            return f"case when {name} then {literal(style.true)} when not {name} then {literal(style.false)} end"
        case Kind.TIMESTAMPTZ:
            moment = f"strftime(timezone('UTC', {name}), '%Y-%m-%d %H:%M:%S.%f')"
            return f"{moment} || '+00'" if style.has_zone else moment
        case Kind.TIMESTAMP:
            return f"strftime({name}, '%Y-%m-%d %H:%M:%S.%f')"
        case Kind.DOUBLE:
            return written_double(name)
        case _:
            return f"{name}::varchar"
