"""Where a rejected record stands in its file: the physical line and the exact text.

The reader numbers records, not lines: CSV records may hold line breaks, blank lines are skipped, and
records that are no text are not numbered at all. Only a file that has rejects is looked at again.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from slice_platform.lake.engine import run
from slice_platform.lake.sources import SourceFile, lines_sql
from slice_platform.lake.types import literal

_MOST_DAMAGED_LINES = 1000
_WORDS = {
    "INVALID ENCODING": "the line is not valid text of the file's encoding",
    "LINE SIZE OVER MAXIMUM": "the line is longer than 16 MB",
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


def unread_lines(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> tuple[UnreadLine, ...]:
    """The records that the scan just run on this connection refused, once each."""
    if source.spec.format == "parquet":
        return ()
    rows = run(connection, "select line, min(error_type::varchar), any_value(csv_line) from reject_errors group by line order by line")
    return tuple(UnreadLine(line, None, _WORDS.get(kind, kind.lower()), text or "") for line, kind, text in rows)


def line_of(row: int, unread: Iterable[UnreadLine]) -> int:
    """The physical line of the `row`-th line that was read, in a file of one record per line."""
    return row + _before(row, sorted(one.line for one in unread))


@dataclass(frozen=True)
class CsvPlaces:
    """Line and text of the rejected records of one CSV file."""

    rows: dict[int, tuple[int, str]]  # by record number
    unread: dict[int, tuple[int, str]]  # by DuckDB's line

    def of_row(self, row: int) -> tuple[int | None, str | None]:
        return self.rows.get(row, (None, None))

    def of_unread(self, line: UnreadLine) -> tuple[int | None, str]:
        number, text = self.unread.get(line.line, (None, line.text))
        return number, line.text if line.reason == _WORDS["INVALID ENCODING"] else text

    @staticmethod
    def find(
        connection: duckdb.DuckDBPyConnection, source: SourceFile, rows_read: int, unread: tuple[UnreadLine, ...]
    ) -> "CsvPlaces":
        """Look the rejected records up. Where the counts of both readings differ, no line is claimed."""
        bad = f"select _row from stage where _file_id = {source.file_id} and _errors is not null"
        rows = [row for (row,) in run(connection, bad)]
        numbered = _numbered_lines(connection, source, unread)
        if numbered is None:
            return CsvPlaces({}, {})
        run(connection, f"create or replace temp table line as {_records(source, numbered)}")
        seen = ", ".join(str(one.line) for one in unread) or "null"
        refused = dict(run(connection, f"select seen, record from line where opens and seen in ({seen})"))
        (records,) = run(connection, "select coalesce(max(record), 0) from line")[0]
        if records != 1 + rows_read or len(refused) != len(unread):
            return CsvPlaces({}, {})
        before = sorted(record - 1 for record in refused.values())
        record_of = {row: row + _before(row, before) + 1 for row in rows}
        texts = _texts(connection, numbered, {*record_of.values(), *refused.values()})
        return CsvPlaces(
            {row: texts[record] for row, record in record_of.items()},
            {line: texts[record] for line, record in refused.items()},
        )


def _before(row: int, refused: list[int]) -> int:
    """How many of the refused positions (sorted, from 1) come before the `row`-th position kept."""
    kept_before = [position - index for index, position in enumerate(refused, start=1)]
    return bisect_left(kept_before, row)


def _numbered_lines(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, unread: tuple[UnreadLine, ...]
) -> str | None:
    """The physical lines as (k, line). Lines that are no text stand in for themselves; None if there are too many."""
    lines = f"select row_number() over () as k, line from {lines_sql(source, source.spec.encoding)}"
    if not any(one.reason == _WORDS["INVALID ENCODING"] for one in unread):
        return lines
    fresh = connection.cursor()
    run(fresh, f"select count(*) from ({lines})")
    damaged = [one.line for one in unread_lines(fresh, source)]
    if len(damaged) > _MOST_DAMAGED_LINES:
        return None
    shifts = [line - index for index, line in enumerate(damaged, start=1)]
    moved = f"select k + len(list_filter({shifts}, lambda at: at < k)) as k, line from ({lines})"
    return f"select * from ({moved} union all select unnest({damaged}), '?') order by k"


def _records(source: SourceFile, numbered: str) -> str:
    """Number the records: `seen` as DuckDB's parser counts, `record` without blank lines; quotes span lines."""
    quote = literal(source.spec.quote)
    so_far = "over (rows between unbounded preceding and current row)"
    return f"""
        select k, seen, opens, sum((opens and not blank)::int) {so_far} as record
        from (select *, sum(opens::int) {so_far} as seen
          from (select k, coalesce(line, '') = '' as blank, (sum(quotes) {so_far} - quotes) % 2 = 0 as opens
            from (select k, line, coalesce(len(line) - len(replace(line, {quote}, '')), 0) as quotes from ({numbered}))))"""


def _texts(connection: duckdb.DuckDBPyConnection, numbered: str, records: set[int]) -> dict[int, tuple[int, str]]:
    wanted = ", ".join(map(str, records)) or "null"
    found = run(
        connection,
        f"""select record, min(k), string_agg(coalesce(text.line, ''), chr(10) order by k)
            from line join ({numbered}) text using (k) where record in ({wanted}) group by record""",
    )
    return {record: (line, text) for record, line, text in found}
