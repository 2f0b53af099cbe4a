"""A late batch against a large table and a small one: `python -m benchmarks.late_batch`, a quarter of an hour.

20 million visits lie in 365 day partitions; then 200 000 come late, over 30 of these days, one in twenty with a key
that is there already. The same is done to a table of a tenth of the days, with as many rows a day: what the late
batch touches is the same, so what it costs more on the large table is what grows with the table.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median

from benchmarks.contender import DEFS
from benchmarks.program import bare_duckdb, bench_folder, heading
from benchmarks.report import Circumstances, met
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.query import query
from slice_platform.lake.table import DataFile, data_files, load_table
from slice_platform.settings import load_settings

RESULTS = Path(__file__).with_name("LATE_BATCH.md")
ROWS, LATE_ROWS, ROUNDS = 20_000_000, 200_000, 3
DAYS, SMALL_DAYS, LATE_DAYS = 365, 36, 30
GOAL_RATIO = 1.5  # seconds on the large table against those on the small one
_DATASET, _DAYS_PER_BATCH, _AGAIN = "visits", 46, 20
_MB = 1000**2


@dataclass(frozen=True)
class Late:
    """What one late batch cost, and what it did."""

    seconds: float
    partitions: int
    rewritten: int
    rewritten_bytes: int
    added: int
    added_bytes: int


@dataclass(frozen=True)
class Table:
    """A table before its late batches, and the batches."""

    days: int
    rows: int
    files: int
    stored_bytes: int
    fill_seconds: float
    late: tuple[Late, ...]

    @property
    def seconds(self) -> float:
        return median(one.seconds for one in self.late)


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder = bench_folder(asked.folder)
    started = Circumstances.now()
    per_day = asked.rows // DAYS
    tables = [_table(folder / f"late-{days}", days, per_day, asked) for days in (SMALL_DAYS, DAYS)]
    asked.output.write_text("\n".join(_report(tables, started, asked)) + "\n", encoding="utf-8")
    print(f"Written: {asked.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.late_batch", description="Measure a late batch.")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the large table")
    parser.add_argument("--late-rows", type=int, default=LATE_ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="late batches, one after the other")
    parser.add_argument("--folder", type=Path, help="where the lake is made; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default benchmarks/LATE_BATCH.md")
    return parser


def _table(home: Path, days: int, per_day: int, asked: argparse.Namespace) -> Table:
    shutil.rmtree(home, ignore_errors=True)
    try:
        with open_lake(load_settings(home=home, defs_dir=DEFS, landing_tick_seconds=0)) as lake:
            begun = time.perf_counter()
            for first in range(0, days, _DAYS_PER_BATCH):
                _land(lake, f"days-{first:03d}", _days_sql(range(first, min(first + _DAYS_PER_BATCH, days)), per_day))
                ingest(lake, _DATASET)
                print(f"{days} days: {time.perf_counter() - begun:.0f} s to day {first}", flush=True)
            fill_seconds = time.perf_counter() - begun
            before = _files(lake)
            rounds = tuple(_late(lake, days, per_day, asked.late_rows, number) for number in range(asked.rounds))
            known = ceil(asked.late_rows // LATE_DAYS / _AGAIN) * LATE_DAYS * asked.rounds
            _check(lake, days * per_day + asked.late_rows // LATE_DAYS * LATE_DAYS * asked.rounds - known)
            stored = sum(file.size_bytes for file in before.values())
            return Table(days, days * per_day, len(before), stored, fill_seconds, rounds)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _late(lake: Lake, days: int, per_day: int, rows: int, number: int) -> Late:
    step = days // LATE_DAYS
    late_days = range(number % step, step * LATE_DAYS, step)
    _land(lake, f"late-{number}", _late_sql(late_days, per_day, rows // LATE_DAYS, number))
    before = _files(lake)
    begun = time.perf_counter()
    ingest(lake, _DATASET)
    seconds = time.perf_counter() - begun
    after = _files(lake)
    gone = [file for path, file in before.items() if path not in after]
    came = [file for path, file in after.items() if path not in before]
    print(f"{days} days: late batch {number} {seconds:.1f} s, {len(gone)} files rewritten", flush=True)
    return Late(
        seconds=seconds,
        partitions=len({file.partition_key for file in came}),
        rewritten=len(gone),
        rewritten_bytes=sum(file.size_bytes for file in gone),
        added=len(came),
        added_bytes=sum(file.size_bytes for file in came),
    )


def _files(lake: Lake) -> dict[str, DataFile]:
    dataset = lake.dataset(_DATASET)
    table = load_table(lake, dataset)
    assert table is not None
    return {file.path: file for file in data_files(table, dataset.partition)}


def _check(lake: Lake, expected: int) -> None:
    (rows,) = query(lake, f"select count(*) from curated.{_DATASET}").table.to_pylist()[0].values()
    if rows != expected:
        sys.exit(f"The table has {rows:,} rows, expected {expected:,}.")


def _land(lake: Lake, name: str, sql: str) -> None:
    connection = bare_duckdb()
    path = f"{lake.store.path(LANDING)}/{_DATASET}/{name}.parquet"
    lake.store.make_dir(f"{LANDING}/{_DATASET}")
    connection.execute(f"copy ({sql}) to '{path}' (format parquet, compression zstd)").fetchall()
    connection.close()


def _days_sql(days: range, per_day: int) -> str:
    return _visits_sql(f"range({days.start}, {days.stop}) days(day), range({per_day}) visits(visit)", "0")


def _late_sql(days: range, per_day: int, rows: int, number: int) -> str:
    """New visits, and one in twenty that is known: it comes again, a second later."""
    again = f"visit % {_AGAIN} = 0"
    known = f"case when {again} then (visit + {number}) % {per_day} else {per_day} + {number * rows} + visit end"
    days_and_visits = (
        f"range({days.start}, {days.stop}, {days.step}) days(day), "
        f"(select {known} as visit, {again} as again from range({rows}) visits(visit))"
    )
    return _visits_sql(days_and_visits, "again::integer")


def _visits_sql(days_and_visits: str, seconds_later: str) -> str:
    return f"""
        select cast(md5('visit ' || day || ' ' || visit) as uuid)::varchar as visit_id,
          timestamptz '2025-01-01 00:00:00+00' + to_days(day::integer)
            + to_seconds(visit * 7919 % 86000 + {seconds_later}) as visited_at,
          (visit * 104729 + day) % 1000003 as user_id,
          ['home', 'search', 'cart', 'help', 'offers'][1 + visit * 31 % 5] as page,
          visit * 613 % 1800 as seconds
        from {days_and_visits}"""


def _report(tables: list[Table], started: Circumstances, asked: argparse.Namespace) -> Iterator[str]:
    options = f" --rows {asked.rows}" if asked.rows != ROWS else ""
    options += f" --late-rows {asked.late_rows}" if asked.late_rows != LATE_ROWS else ""
    options += f" --rounds {asked.rounds}" if asked.rounds != ROUNDS else ""
    yield from heading("A late batch, measured", f"python -m benchmarks.late_batch{options}", started)
    yield f"- A late batch: {asked.late_rows:,} rows over {LATE_DAYS} days, one in {_AGAIN} with a key that is there."
    yield "  Keys are in no order, so any file may hold any of them: the key column of the whole table is read."
    yield f"- Seconds from landing to the commit: median (lowest - highest) of {asked.rounds} late batches."
    yield ""
    yield "| table | rows | files | MB | late batch, seconds | partitions | rewritten | MB | written | MB |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for table in tables:
        late, seconds = table.late[0], [one.seconds for one in table.late]
        yield (
            f"| {table.days} days | {table.rows:,} | {table.files:,} | {table.stored_bytes / _MB:,.0f} "
            f"| {table.seconds:.1f} ({min(seconds):.1f} - {max(seconds):.1f}) | {late.partitions} "
            f"| {late.rewritten} | {late.rewritten_bytes / _MB:,.0f} | {late.added} | {late.added_bytes / _MB:,.0f} |"
        )
    small, large = tables
    ratio = large.seconds / small.seconds
    yield ""
    per_second = large.rows / large.fill_seconds
    yield f"The large table was filled in {large.fill_seconds:,.0f} s, {per_second:,.0f} rows a second."
    yield ""
    yield "| goal | found | |"
    yield "|---|---|---|"
    goal = f"on ten times the table a late batch takes at most {GOAL_RATIO} x the seconds"
    yield f"| {goal} | {ratio:.2f} x | {met(ratio <= GOAL_RATIO)} |"
    touched = all(one.partitions == LATE_DAYS for table in tables for one in table.late)
    yield f"| no partition is touched but the {LATE_DAYS} | {large.late[0].partitions} | {met(touched)} |"


if __name__ == "__main__":
    main()
