"""Key, order and partition: what the person asked for, checked, or what the sample and the names suggest."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations

from slice_platform.engine import run
from slice_platform.errors import PermanentError
from slice_platform.lake.cast_sql import typed
from slice_platform.lake.partitions import Grain, beginning
from slice_platform.lake.sampling.columns import ColumnGuess
from slice_platform.lake.sampling.names import happened_rank, is_changed_at, key_rank
from slice_platform.lake.sampling.texts import SampleTable
from slice_platform.lake.sampling.yaml_text import shown
from slice_platform.sql_text import quoted

_GRAINS: tuple[Grain, ...] = ("hour", "day", "month", "year")
_ENOUGH_ROWS = 50  # below this only a name makes a key: of two rows anything is unique
_MOST_PARTS, _MOST_CANDIDATES = 3, 12
_DAY_ROWS, _MONTH_ROWS = 5_000, 50  # a day, from which a partition a day, a month, is worth its files
_MOST_DAYS = 10_000  # since the start, for a partition a day: the UI lists them all


@dataclass(frozen=True)
class KeyProposal:
    """The columns that name a row; none where none was found. `repeated` are rows beyond the first of their key."""

    columns: tuple[str, ...]
    why: str
    is_guess: bool
    repeated: int = 0


@dataclass(frozen=True)
class PartitionProposal:
    column: str
    grain: Grain
    start: datetime
    why: str


def propose_key(table: SampleTable, columns: list[ColumnGuess], dataset: str, asked: tuple[str, ...]) -> KeyProposal:
    """The key asked for, or the best candidate.

    Raises:
        PermanentError: what was asked for is no column, is nested, or has rows without a value.
    """
    rows = table.rows
    if asked:
        return _asked_key(table, columns, asked, rows)
    candidates = _candidates(columns, dataset)
    singles = [(rank, c) for rank, c in candidates if c.distinct == rows]
    named = [c for rank, c in singles if rank < _ANY]
    if named:
        return KeyProposal((named[0].name,), f"complete and different in all {rows:,} rows", is_guess=True)
    if rows < _ENOUGH_ROWS:
        return KeyProposal((), f"{rows:,} rows are too few to tell, and no name says it", is_guess=True)
    first = [c for rank, c in singles if rank == _ANY and c in columns[:2]]
    if first:
        return KeyProposal((first[0].name,), f"complete and different in all {rows:,} rows", is_guess=True)
    if found := _combination(table, [c for _, c in candidates], rows):
        return KeyProposal(found, f"together complete and different in all {rows:,} rows", is_guess=True)
    if singles:
        return KeyProposal((singles[0][1].name,), f"complete and different in all {rows:,} rows", is_guess=True)
    return KeyProposal((), f"no column, and no few columns, are different in all {rows:,} rows", is_guess=True)


_ANY = 4  # the rank of a column whose name says nothing of a key


def _candidates(columns: list[ColumnGuess], dataset: str) -> list[tuple[int, ColumnGuess]]:
    """Columns that can be part of a key, best first; measures and long texts cannot."""
    found = []
    for column in columns:
        kind, rank = column.type.kind, key_rank(column.name, dataset)
        if not column.is_required or kind in ("object", "array", "boolean", "number", "time"):
            continue
        if kind in ("date", "timestamp") and is_changed_at(column.name):
            continue
        temporal = kind in ("date", "timestamp")
        found.append((_ANY + temporal if rank is None or temporal else rank, column))
    return sorted(found, key=lambda one: one[0])


def _combination(table: SampleTable, candidates: list[ColumnGuess], rows: int) -> tuple[str, ...]:
    tried = [column for column in candidates if column.distinct > 1 and column.distinct < rows][:_MOST_CANDIDATES]
    dates = [c for c in candidates if c.type.kind in ("date", "timestamp") and c not in tried and c.distinct < rows]
    tried += dates[:2]
    for parts in range(2, _MOST_PARTS + 1):
        for some in combinations(tried, parts):
            product = 1
            for column in some:
                product *= column.distinct
            if product >= rows and not _repeats(table, tuple(c.name for c in some), rows):
                return tuple(column.name for column in some)
    return ()


def _repeats(table: SampleTable, names: tuple[str, ...], rows: int) -> int:
    listed = ", ".join(quoted(name) for name in names)
    what = f"({listed})" if len(names) > 1 else listed
    return rows - int(run(table.connection, f"select count(distinct {what}) from stage")[0][0])


def _asked_key(table: SampleTable, columns: list[ColumnGuess], asked: tuple[str, ...], rows: int) -> KeyProposal:
    for name in asked:
        column = column_named(columns, name, "--key")
        if column.type.kind in ("object", "array"):
            raise PermanentError(
                f"Making {name!r} the key: it is an {column.type.kind}. Name columns of single values."
            )
        if column.values < rows:
            raise PermanentError(
                f"Making {name!r} part of the key: {rows - column.values:,} of {rows:,} rows have no value there, and "
                "would all be rejected. Name columns that every row has."
            )
    repeated = _repeats(table, asked, rows)
    if not repeated:
        return KeyProposal(asked, f"as asked; different in all {rows:,} rows", is_guess=False)
    listed = ", ".join(quoted(name) for name in asked)
    often = run(
        table.connection,
        f"select {listed}, count(*) as n from stage group by {listed} having n > 1 order by n desc, {listed} limit 3",
    )
    examples = ", ".join(f"{' '.join(shown(str(part)) for part in row[:-1])} {row[-1]:,} times" for row in often)
    return KeyProposal(asked, f"as asked; it repeats: {examples}", is_guess=False, repeated=repeated)


def column_named(columns: list[ColumnGuess], name: str, option: str) -> ColumnGuess:
    found = next((column for column in columns if column.name == name), None)
    if found is None:
        near = [c.name for c in columns if c.name.lower() == name.lower()]
        known = ", ".join(near or [c.name for c in columns[:30]])
        raise PermanentError(f"Looking for {name!r} ({option}): the sample has no such column. It has: {known}.")
    return found


def propose_order(columns: list[ColumnGuess], key: tuple[str, ...]) -> tuple[str, ...]:
    """The column that says when a row changed last, if one says so."""
    for column in columns:
        if (
            column.name not in key
            and is_changed_at(column.name)
            and column.type.kind in ("timestamp", "date", "integer")
        ):
            return (column.name,)
    return ()


def propose_partition(
    table: SampleTable, columns: list[ColumnGuess], asked: str | None
) -> tuple[PartitionProposal | None, str]:
    """The partition asked for (`column`, `column:grain` or `none`), or the best candidate; and why there is none.

    Raises:
        PermanentError: what was asked for cannot be a partition.
    """
    if asked == "none":
        return None, "as asked"
    if asked:
        return _asked_partition(table, columns, asked), ""
    candidates = [
        (rank, position, column)
        for position, column in enumerate(columns)
        if column.type.kind in ("date", "timestamp")
        and column.is_required
        and (rank := happened_rank(column.name)) is not None
    ]
    for _, _, column in sorted(candidates, key=lambda one: one[:2]):
        found = _by_rows(table, column, None)
        if found.start.year >= 1900:
            return found, ""
    return None, "no column that every row has says when its row happened"


def _asked_partition(table: SampleTable, columns: list[ColumnGuess], asked: str) -> PartitionProposal:
    names = {column.name for column in columns}
    name, _, grain = (asked, "", "") if asked in names else asked.rpartition(":") if ":" in asked else (asked, "", "")
    column = column_named(columns, name, "--partition")
    if column.type.kind not in ("date", "timestamp"):
        why = "; ".join((*column.doubts, *column.notes))
        raise PermanentError(
            f"Dividing the table by {name!r}: in the sample it is {column.type.logical}, not a date or timestamp"
            f"{f' ({why})' if why else ''}. Name another column, or --partition none."
        )
    if not column.is_required:
        missing = table.rows - column.values
        raise PermanentError(
            f"Dividing the table by {name!r}: {missing:,} of {table.rows:,} rows have no value there, and would be "
            "rejected. Name a column that every row has, or --partition none."
        )
    if grain and grain not in _GRAINS:
        raise PermanentError(f"Dividing the table by {name!r}: a grain is hour, day, month or year, not {grain!r}.")
    if grain == "hour" and column.type.kind == "date":
        raise PermanentError(f"Dividing the table by {name!r}: it is a date, which has no hours. Choose day.")
    return _by_rows(table, column, next((one for one in _GRAINS if one == grain), None))


def _by_rows(table: SampleTable, column: ColumnGuess, asked: Grain | None) -> PartitionProposal:
    value = typed(column.type.logical, quoted(column.name))
    first, days = run(
        table.connection,
        f"select strftime(min(v), '%Y-%m-%d'), count(distinct strftime(v, '%Y-%m-%d')) "
        f"from (select {value} as v from stage)",
    )[0]
    start = beginning("year", datetime.fromisoformat(first).replace(tzinfo=UTC))
    a_day = table.rows / max(days, 1)
    if asked:
        return PartitionProposal(column.name, asked, start, "as asked")
    grain: Grain = "day" if a_day >= _DAY_ROWS else "month" if a_day >= _MONTH_ROWS else "year"
    if grain == "day" and (datetime.now(UTC) - start).days > _MOST_DAYS:
        grain = "month"
    return PartitionProposal(column.name, grain, start, f"about {a_day:,.0f} row{'s' if a_day >= 1.5 else ''} a day")
