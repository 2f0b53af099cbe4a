"""Which rows of a relation are right, and what is wrong with the others, each with its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from slice_platform.engine import run
from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.refusal import FileRefused, Finding, Place
from slice_platform.warehouse.transcript import LINE, MOST_FINDINGS
from slice_platform.warehouse.value_sql import Cell

_REPEATS = "_repeats"  # a table: rows whose key an earlier row has. Not a temporary one: other cursors read it too


@dataclass(frozen=True)
class Rows:
    """A relation with a column `_line`, its cells, and which of them are the key."""

    source: str
    cells: tuple[Cell, ...]
    key: tuple[str, ...]
    place: Place = "line"  # what `_line` counts

    @property
    def wrong(self) -> str:
        """SQL that is true of a row with a value that is wrong."""
        return "(" + " or ".join(f"({cell.reason}) is not null" for cell in self.cells) + ")"

    @property
    def keys(self) -> tuple[Cell, ...]:
        """Two rows have the same key where these are `compared` alike."""
        return tuple(cell for cell in self.cells if cell.name in self.key)

    @property
    def values(self) -> str:
        return ", ".join(f"{cell.value} as {quoted(cell.name)}" for cell in self.cells)


@dataclass(frozen=True)
class Verdict:
    """`relation` is what a SELECT takes the good rows from."""

    relation: str
    rows: int
    rows_set_aside: int
    findings: tuple[Finding, ...]


def judge(
    connection: DuckDBPyConnection, rows: Rows, *, unread: int, unread_findings: list[Finding], tolerated: float
) -> Verdict:
    """The rows that go on; `unread` more could not even be read.

    Raises:
        FileRefused: others than these are there, beyond the share that is `tolerated`.
    """
    wrong_cells = " + ".join(f"(({cell.reason}) is not null)::int" for cell in rows.cells)
    counts = (
        f"select count(*), count(*) filter (where {rows.wrong}), coalesce(sum({wrong_cells}), 0) from {rows.source}"
    )
    ((total, wrong, cells),) = run(connection, counts)
    repeats = _find_repeats(connection, rows) if rows.key else 0
    findings = [*unread_findings, *_wrong_values(connection, rows), *(_repeats(connection, rows) if repeats else ())]
    findings.sort(key=lambda one: one.line or 0)
    bad, all_rows = unread + wrong + repeats, total + unread
    if bad and bad > tolerated * all_rows:
        said = [_too_many(bad, all_rows, tolerated)] if tolerated else []
        raise FileRefused(*said, *findings[:MOST_FINDINGS], total=unread + int(cells) + repeats)
    where = f"not {rows.wrong}" + (f" and {LINE} not in (select {LINE} from {_REPEATS})" if repeats else "")
    relation = f"(select {rows.values} from {rows.source} where {where})"
    return Verdict(relation, total - wrong - repeats, bad, tuple(findings[:MOST_FINDINGS]))


def _too_many(bad: int, of: int, tolerated: float) -> Finding:
    return Finding(f"{bad} of {of} rows are bad, more than the {tolerated:.1%} that may be set aside")


def _wrong_values(connection: DuckDBPyConnection, rows: Rows) -> Iterator[Finding]:
    cases = ", ".join(
        f"case when ({cell.reason}) is not null then "
        f"{{'name': {literal(cell.name)}, 'shown': {cell.shown}, 'reason': {cell.reason}}} end"
        for cell in rows.cells
    )
    found = (
        f"select {LINE}, unnest(list_filter([{cases}], lambda one: one is not null)) as one from {rows.source} "
        f"where {rows.wrong} order by {LINE} limit {MOST_FINDINGS}"
    )
    for line, name, shown, reason in run(connection, f"select {LINE}, one.name, one.shown, one.reason from ({found})"):
        yield Finding(reason, line, name, shown, rows.place)


def _find_repeats(connection: DuckDBPyConnection, rows: Rows) -> int:
    """Note the rows whose key an earlier row has; how many there are."""
    count = range(len(rows.keys))
    keys = ", ".join(f"{cell.compared} as k{n}, {cell.value} as v{n}" for n, cell in enumerate(rows.keys))
    listed = ", ".join(f"k{n}" for n in count)
    differ = " or ".join(f"min(v{n}) <> max(v{n})" for n in count)
    run(
        connection,
        f"create or replace table {_REPEATS} as "
        f"with good as (select {LINE}, {keys} from {rows.source} where not {rows.wrong}), "
        f"twice as (select {listed}, min({LINE}) as first, {differ} as differ from good group by {listed} "
        f"having count(*) > 1) select good.{LINE}, first, differ, {', '.join(f'v{n}::varchar as v{n}' for n in count)} "
        f"from good join twice using ({listed}) where good.{LINE} <> first",
    )
    ((found,),) = run(connection, f"select count(*) from {_REPEATS}")
    return int(found)


def _repeats(connection: DuckDBPyConnection, rows: Rows) -> Iterator[Finding]:
    names = ", ".join(cell.name for cell in rows.keys)
    for line, first, differ, *key in run(connection, f"select * from {_REPEATS} order by {LINE} limit {MOST_FINDINGS}"):
        reason = f"is in {rows.place} {first} as well{': blanks at the end do not count' if differ else ''}"
        yield Finding(reason, line, names, ", ".join(key), rows.place)
