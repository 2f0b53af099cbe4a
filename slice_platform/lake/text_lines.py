"""Where a rejected record stands in its file: the physical line and the exact text.

The reader numbers records, not lines: CSV records may hold line breaks, blank lines are skipped, and
records that are no text are not numbered at all. Only a file that has rejects is looked at again.
"""

import csv
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Protocol

import duckdb

from slice_platform.engine import run
from slice_platform.lake.sources import SourceFile, text_of

_TOO_LONG = "the line is longer than 16 MB"
_WORDS = {
    "INVALID ENCODING": "the line is not valid text of the file's encoding",
    "LINE SIZE OVER MAXIMUM": _TOO_LONG,
    "MISSING COLUMNS": "fewer fields than the header has",
    "TOO MANY COLUMNS": "more fields than the header has",
    "UNQUOTED VALUE": "a quote is not closed, or text follows a closing quote",
}


@dataclass(frozen=True)
class UnreadLine:
    """A record the parser refused; `line` counts header, blank lines and records, as DuckDB does."""

    line: int
    column: str | None
    reason: str
    text: str

    @property
    def is_too_long(self) -> bool:
        return self.reason == _TOO_LONG


def unread_lines(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> tuple[UnreadLine, ...]:
    """The records that the scan just run on this connection refused, once each."""
    if source.spec.format == "parquet":
        return ()
    rows = run(
        connection,
        "select line, min(error_type::varchar), any_value(csv_line) from reject_errors group by line order by line",
    )
    return tuple(UnreadLine(line, None, _WORDS.get(kind, kind.lower()), text or "") for line, kind, text in rows)


class Places(Protocol):
    """First line and exact text of records in their file; None where it is not known, or known already."""

    def of_row(self, row: int) -> tuple[int | None, str | None]: ...

    def of_unread(self, line: UnreadLine) -> tuple[int | None, str]: ...


class LinePlaces:
    """Places in a file of one record per line."""

    def __init__(self, unread: tuple[UnreadLine, ...], texts: dict[int, str] | None = None) -> None:
        self._texts = texts or {}  # by line, where DuckDB has other bytes than the file
        refused = sorted(one.line for one in unread)
        self._kept_before = [line - index for index, line in enumerate(refused, start=1)]

    def of_row(self, row: int) -> tuple[int, str | None]:
        """The physical line of the `row`-th line that was read: those refused were not counted."""
        line = row + bisect_left(self._kept_before, row)
        return line, self._texts.get(line)

    def of_unread(self, line: UnreadLine) -> tuple[int, str]:
        return line.line, self._texts.get(line.line, line.text)


def texts_of_lines(source: SourceFile, stream: IO[bytes], wanted: set[int]) -> dict[int, str]:
    """The exact text of these physical lines, with escapes for bytes that are no text."""
    with text_of(source, stream, errors="backslashreplace") as lines:
        return {number: line.rstrip("\r\n") for number, line in enumerate(lines, start=1) if number in wanted}


@dataclass(frozen=True)
class CsvPlaces:
    """Places of the rejected records of one CSV file."""

    rows: dict[int, tuple[int, str]]  # by record number
    unread: dict[int, tuple[int, str]]  # by DuckDB's line

    def of_row(self, row: int) -> tuple[int | None, str | None]:
        return self.rows.get(row, (None, None))

    def of_unread(self, line: UnreadLine) -> tuple[int | None, str]:
        return self.unread.get(line.line, (None, line.text))


def find_csv_places(
    source: SourceFile, stream: IO[bytes], rows: set[int], unread: tuple[UnreadLine, ...], rows_read: int
) -> CsvPlaces:
    """Look the rejected records up with Python's parser. Where it counts other records, no line is claimed."""
    refused = {one.line for one in unread}
    places = CsvPlaces({}, {})
    row = 0
    records = _csv_records(source, stream)
    width = len(next(records, ((), 0, ""))[0])
    for seen, (fields, line, text) in enumerate(records, start=2):
        if seen in refused:
            places.unread[seen] = (line, text)
        elif fields or width == 1:  # in a file of one column an empty line is a record
            row += 1
            if row in rows:
                places.rows[row] = (line, text)
    return places if row + len(places.unread) == rows_read else CsvPlaces({}, {})


def _csv_records(source: SourceFile, stream: IO[bytes]) -> Iterator[tuple[Sequence[str], int, str]]:
    """Fields, first line and text of every record, the header and blank lines included."""
    spec = source.spec
    csv.field_size_limit(sys.maxsize)
    with text_of(source, stream, errors="backslashreplace") as lines:
        kept: list[str] = []
        # As DuckDB, which passes over spaces before a quote.
        reader = csv.reader(
            _keeping(lines, kept), delimiter=spec.delimiter, quotechar=spec.quote, skipinitialspace=True
        )
        first = 1
        for fields in reader:
            yield fields, first, "".join(kept).rstrip("\r\n")
            first = reader.line_num + 1
            kept.clear()


def _keeping(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        yield line
