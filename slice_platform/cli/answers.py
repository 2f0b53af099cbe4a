"""What `slice query` prints."""

import sys
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.filesize import decimal

from slice_platform.cli.tables import grid, terminal
from slice_platform.lake.scan_cost import ScanCost

MOST_ROWS = 100  # of the table format; the others are complete


def write_answer(answer: pa.Table, style: str, output: Path | None) -> None:
    """Print the rows, or write them to a file."""
    if output is None:
        if style == "table":
            print_rows(answer, terminal())
        else:
            _write(answer, style, sys.stdout.buffer)
        return
    with output.open("wb") as target:
        _write(answer, "csv" if style == "table" else style, target)
    sys.stderr.write(f"{answer.num_rows:,} rows in {output}\n")


def print_rows(answer: pa.Table, console: Console) -> None:
    numbers = tuple(f.name for f in answer.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type))
    table = grid(None, *answer.column_names, right=numbers)
    for row in answer.slice(0, MOST_ROWS).to_pylist():
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    console.print(table)
    if answer.num_rows > MOST_ROWS:
        console.print(f"{MOST_ROWS} of {answer.num_rows:,} rows; all of them: --format csv")


def explain_cost(cost: ScanCost) -> None:
    Console(stderr=True).print(
        f"Read {decimal(cost.read_bytes)} from {cost.files_opened} of {cost.files_total} data files "
        f"({decimal(cost.stored_bytes)} stored). Athena would charge ${cost.athena_usd:.6f} "
        f"for {decimal(cost.athena_bytes)} ($5 per TB, at least 10 MB a query).",
        highlight=False,
    )


def _write(answer: pa.Table, style: str, target: IO[bytes]) -> None:
    if style == "csv":
        pyarrow.csv.write_csv(_flat(answer), target)
    elif style == "parquet":
        pyarrow.parquet.write_table(answer, target)
    else:
        # pandas spells decimals, dates and nested values as JSON readers expect them.
        text = answer.to_pandas(types_mapper=None).to_json(orient="records", lines=True, date_format="iso")
        target.write(text.encode())


def _flat(answer: pa.Table) -> pa.Table:
    """CSV has no nested values: they become their text."""
    columns = [
        pa.array([None if v is None else str(v) for v in column.to_pylist()])
        if pa.types.is_nested(column.type)
        else column
        for column in answer.columns
    ]
    return pa.table(columns, names=answer.column_names)
