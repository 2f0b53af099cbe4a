"""A few rows for an asset's page. Classified columns are not shown: the UI is open to many."""

import csv
import io
from dataclasses import dataclass
from itertools import islice

import duckdb

from slice_platform.engine import run
from slice_platform.lake.classification import is_closed
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import existing_rows
from slice_platform.lake.rejects import HEADER, folder_of
from slice_platform.lake.table_definition import TableDefinition, names_of
from slice_platform.records import FileRow
from slice_platform.sql_text import quoted

HIDDEN = "(classified)"
_MOST_CHARACTERS = 60
_MOST_RAW_CHARACTERS = 120
_HEAD_BYTES = 64 * 1024  # of a rejects.csv; below what Python's csv takes as one field


@dataclass(frozen=True)
class ShownReject:
    """One line of a rejects.csv as it may be shown: `raw` is cut, and hidden where a column is classified."""

    line: str
    column: str
    reason: str
    raw: str


def preview(connection: duckdb.DuckDBPyConnection, table: TableDefinition, paths: list[str], rows: int) -> str:
    """The first rows of a partition, of which these are the data files, in the table's order; a Markdown table."""
    if not paths:
        return "no rows"
    columns = [
        f"'{HIDDEN}'" if is_closed(c.classification) else f"left({quoted(c.name)}::varchar, {_MOST_CHARACTERS})"
        for c in table.columns
    ]
    found = run(connection, f"select {', '.join(columns)} from {existing_rows(table, paths[:1])} limit {rows}")
    head = [names_of(table), ["---"] * len(columns)]
    return "\n".join("| " + " | ".join(_cell(value) for value in row) + " |" for row in [*head, *found])


def first_rejects(lake: Lake, dataset: Dataset, file: FileRow, most: int) -> list[ShownReject]:
    """The first lines of a file's rejects.csv; none where it has none. Only the head of it is read."""
    key = rejects_key(file)
    if lake.store.stat(key) is None:
        return []
    with lake.store.open(key) as stored:
        head = stored.read(_HEAD_BYTES).decode(errors="ignore")
    # Of a line that the head ends in only `raw`, its last field, can be short, and that is cut anyway.
    lines = islice(csv.reader(io.StringIO(head, newline="")), 1, most + 1)
    return [_shown(dataset, *fields[1:]) for fields in lines if len(fields) == len(HEADER)]


def rejects_key(file: FileRow) -> str:
    """Where all rejects of a file are, with their whole text."""
    return f"{folder_of(file)}/rejects.csv"


def _shown(dataset: Dataset, line: str, column: str, reason: str, raw: str) -> ShownReject:
    closed = {c.name for c in dataset.contract.columns if is_closed(c.classification)}
    return ShownReject(
        line=line,
        column=column,
        reason=HIDDEN if column in closed else reason,  # it repeats the value
        raw=HIDDEN if closed else _cut(raw),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_RAW_CHARACTERS else f"{text[:_MOST_RAW_CHARACTERS]}..."


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
