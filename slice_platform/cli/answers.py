"""What `slice query` prints."""

import sys
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.filesize import decimal
from rich.text import Text

from slice_platform.cli.json_text import json_lines, json_text
from slice_platform.cli.tables import grid, terminal
from slice_platform.errors import PermanentError
from slice_platform.lake.scan_cost import ScanCost

MOST_ROWS = 100  # of the table format; the others are complete


def write_answer(answer: pa.Table, style: str, output: Path | None) -> None:
    """Print the rows, or write them to a file. Of columns with one name the later ones get a number.

    Raises:
        PermanentError: the file cannot be written.
    """
    if output is None:
        if style == "table":
            print_rows(answer, terminal())
        else:
            _write(answer, style, sys.stdout.buffer)
        return
    try:
        with output.open("wb") as target:
            _write(answer, "csv" if style == "table" else style, target)
    except OSError as error:
        advice = "Name a file in a folder that is there and that you may write to."
        raise PermanentError(f"Writing the answer to {str(output)!r}: {error.strerror or error}. {advice}") from error
    sys.stderr.write(f"{answer.num_rows:,} rows in {output}\n")


def print_rows(answer: pa.Table, console: Console) -> None:
    answer = _with_own_names(answer)
    numbers = tuple(f.name for f in answer.schema if pa.types.is_integer(f.type) or pa.types.is_floating(f.type))
    table = grid(None, *answer.column_names, right=numbers)
    for row in answer.slice(0, MOST_ROWS).to_pylist():
        table.add_row(*(Text("" if value is None else str(value)) for value in row.values()))
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
    answer = _with_own_names(answer)
    if style == "csv":
        pyarrow.csv.write_csv(_flat(answer), target)
    elif style == "parquet":
        pyarrow.parquet.write_table(answer, target)
    else:
        target.writelines(line.encode() for line in json_lines(answer))


def _with_own_names(answer: pa.Table) -> pa.Table:
    """A second `n` becomes `n_1`, as DuckDB names it in a subquery."""
    names: list[str] = []
    for name in answer.column_names:
        while name in names:
            name += "_1"  # noqa: PLW2901  # until it is free
        names.append(name)
    return answer.rename_columns(names)


def _flat(answer: pa.Table) -> pa.Table:
    """CSV knows text and numbers: nested values become their JSON, bytes hexadecimal digits."""
    columns = [_as_text(column) if _has_no_csv(column.type) else column for column in answer.columns]
    return pa.table(columns, names=answer.column_names)


def _has_no_csv(kind: pa.DataType) -> bool:
    return any(is_so(kind) for is_so in (pa.types.is_nested, pa.types.is_binary, pa.types.is_interval))


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    texts = (None if v is None else v.hex() if isinstance(v, bytes) else json_text(v) for v in column.to_pylist())
    return pa.array(list(texts), pa.string())
