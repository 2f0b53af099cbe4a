"""Files into Postgres: `python -m benchmarks.warehouse [--rows N] [--rounds N]`.

Measured is what `slice propagate` does with a file (gate, ledger, load, move) without Dagster, against other ways that
check nothing and remember nothing. All ways take turns in every round, on one server with its own settings. Ways that
would take minutes get fewer rows; compared are rows per second. Many small files go through the command as it is typed.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measure import Cost, run_measured
from benchmarks.program import bench_folder, heading
from benchmarks.report import Circumstances
from benchmarks.warehouse_data import create_document, create_sql, write_rows
from benchmarks.warehouse_peers import Way, adbc, dlt_append, executemany, pandas_to_sql, psql_copy, raw_copy
from slice_platform.local.postgres_server import Server, running_server
from slice_platform.settings import load_settings
from slice_platform.store import Store
from slice_platform.warehouse.drop_path import TableRef, Task
from slice_platform.warehouse.outcome import Done
from slice_platform.warehouse.postgres import PostgresDestination
from slice_platform.warehouse.propagate import Door, Propagator

RESULTS = Path(__file__).with_name("WAREHOUSE.md")
ROWS, SLOW_ROWS, ROUNDS = 2_000_000, 100_000, 3
TABLE, UPSERTED, CHANGED = 1_000_000, 200_000, 2  # rows of the table; of the file; one in so many is new
FILES, FILE_ROWS, TABLES = 500, 1_000, 20
LARGE_BYTES = 1_000_000_000
DATABASE = "analytics"
RAW = "psycopg, raw COPY"
GOALS = {RAW: 0.5, "pandas to_sql": 10.0, "dlt, append": 4.0}
GOAL_SECONDS, GOAL_RSS_BYTES = 180.0, 500_000_000
_MB = 1_000_000


@dataclass(frozen=True)
class Contest:
    """One way in one round."""

    way: str
    kind: str
    rows: int
    seconds: float

    @property
    def rate(self) -> float:
        return self.rows / self.seconds


@dataclass(frozen=True)
class Bench:
    """A server, a propagator that loads into it, and a folder for files."""

    server: Server
    propagator: Propagator
    folder: Path

    @property
    def conninfo(self) -> str:
        return self.server.url(DATABASE)

    def drop(self, table: str, task: Task, name: str, source: Path | bytes) -> None:
        ref = TableRef("postgres", DATABASE, table)
        path = Path(self.propagator.store.path(f"{ref.folder}/{task.value}/{name}"))
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(source, bytes):
            path.write_bytes(source)
        else:
            os.link(source, path)  # a producer has written it before the clock starts

    def work_off(self, table: str) -> None:
        for outcome in self.propagator.work_off(TableRef("postgres", DATABASE, table), run_id="benchmark"):
            if not isinstance(outcome, Done) or outcome.applied.was_known:
                sys.exit(f"A file was not loaded: {outcome!r}")

    def run(self, sql: str) -> int:
        """The statements; the first number of the last one's answer, if it has one."""
        import psycopg  # noqa: PLC0415  # so late, as by everyone here

        with psycopg.connect(self.conninfo) as connection:
            cursor = connection.execute(sql.encode())
            return int(cursor.fetchall()[0][0]) if cursor.description else 0


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder = bench_folder(asked.folder) / "warehouse"
    started = Circumstances.now()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        # First, while this process is small: what a parent holds counts for the peak of its child.
        large = _large_file(folder / "large", LARGE_BYTES * asked.rows // ROWS)
        small = _small_files(folder / "small", max(asked.rows * FILES // ROWS, TABLES))
        with running_server(folder / "home" / "postgres", [DATABASE]) as server:
            bench = _bench(server, folder)
            contests = [one for number in range(asked.rounds) for one in _round(bench, asked, number)]
            upserts = [one for number in range(asked.rounds) for one in _upserts(bench, asked.rows, number)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    report = _report(contests, upserts, small, large, started, asked)
    asked.output.write_text("\n".join(report) + "\n", encoding="utf-8")
    print(f"Written: {asked.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warehouse", description="Measure files into Postgres.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--without-dlt", action="store_true", help="for want of the extra `bench`")
    parser.add_argument("--folder", type=Path, help="where files and server lie; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default benchmarks/WAREHOUSE.md")
    return parser


def _bench(server: Server, folder: Path) -> Bench:
    settings = load_settings(home=folder / "home", landing_tick_seconds=0)
    store = Store(settings.propagator_root)
    doors = {"postgres": Door(PostgresDestination(server.url("postgres")), frozenset({DATABASE}))}
    return Bench(server, Propagator(store, doors, settings), folder)  # type: ignore[arg-type]  # a literal's key


def _ways(asked: argparse.Namespace) -> Iterator[tuple[str, str, int, Way | None]]:
    """Name, kind of file, rows; None: ours."""
    slow = min(SLOW_ROWS, asked.rows)
    yield RAW, "csv", asked.rows, raw_copy
    yield "slice propagate", "csv", asked.rows, None
    yield "psql \\copy", "csv", asked.rows, psql_copy
    yield "ADBC", "csv", asked.rows, adbc
    yield "slice propagate", "parquet", asked.rows, None
    yield "ADBC", "parquet", asked.rows, adbc
    yield "pandas to_sql", "csv", slow, pandas_to_sql
    yield "SQLAlchemy executemany", "csv", slow, executemany
    if not asked.without_dlt:
        yield "dlt, append", "csv", asked.rows, dlt_append


def _round(bench: Bench, asked: argparse.Namespace, number: int) -> Iterator[Contest]:
    for name, kind, rows, way in _ways(asked):
        path = bench.folder / "files" / f"{rows}.{kind}"
        if not path.exists():
            write_rows(path, rows)
        table = f"t{number}_{kind}"
        if way is None:
            bench.run(f'DROP TABLE IF EXISTS "{table}"')
            bench.drop(table, Task.CREATE, f"{number}.json", create_document())
            bench.work_off(table)
            bench.drop(table, Task.LOAD, f"{number}.{kind}", path)
        else:
            bench.run(create_sql(table))
        bench.run("CHECKPOINT")
        begun = time.perf_counter()
        _go(bench, way, path, table)
        seconds = time.perf_counter() - begun
        place = f'dlt."{table}"' if way is dlt_append else f'"{table}"'
        if (found := bench.run(f"SELECT count(*) FROM {place}")) != rows:
            sys.exit(f"{name} loaded {found} rows of {rows}.")
        bench.run(f"DROP TABLE {place}")
        print(f"round {number + 1}: {name}, {kind}: {rows / seconds:,.0f} rows/s", flush=True)
        yield Contest(name, kind, rows, seconds)


def _go(bench: Bench, way: Way | None, path: Path, table: str) -> None:
    if way is None:
        bench.work_off(table)
    else:
        way(bench.conninfo, path, table)


def _upserts(bench: Bench, rows: int, number: int) -> Iterator[Contest]:
    """The same file into the same table: by hand (COPY to a temporary table, MERGE), and by us."""
    size, changed = TABLE * rows // ROWS, UPSERTED * rows // ROWS
    table, path, all_rows = f"u{number}", bench.folder / "files" / "upsert.csv", bench.folder / "files" / "table.csv"
    if not path.exists():
        write_rows(all_rows, size)
        write_rows(path, changed, first=size - changed // CHANGED)
    ways: dict[str, Callable[[], None]] = {"COPY and MERGE by hand": lambda: _merge_by_hand(bench, path, table)}
    ways["slice propagate"] = lambda: bench.work_off(table)
    for name, way in ways.items():
        bench.run(f'DROP TABLE IF EXISTS "{table}"')
        bench.drop(table, Task.CREATE, f"{name}.json", create_document(["id"]) + b" " * number)
        bench.work_off(table)
        raw_copy(bench.conninfo, all_rows, table)
        if name == "slice propagate":
            bench.drop(table, Task.UPSERT, "u.csv", path)
        bench.run("CHECKPOINT")
        begun = time.perf_counter()
        way()
        yield Contest(name, "csv", changed, time.perf_counter() - begun)
        if (found := bench.run(f'SELECT count(*) FROM "{table}"')) != size + changed - changed // CHANGED:
            sys.exit(f"{name} left {found} rows.")
    bench.run(f'DROP TABLE "{table}"')


def _merge_by_hand(bench: Bench, path: Path, table: str) -> None:
    import psycopg  # noqa: PLC0415

    with psycopg.connect(bench.conninfo) as connection, connection.cursor() as cursor:
        names = [
            column.name for column in cursor.execute(f'SELECT * FROM "{table}" LIMIT 0'.encode()).description or ()
        ]
        cursor.execute(f'CREATE TEMP TABLE s (LIKE "{table}") ON COMMIT DROP'.encode())
        with cursor.copy(b"COPY s FROM STDIN WITH (FORMAT csv, HEADER true)") as copy, path.open("rb") as source:
            while chunk := source.read(4 * 1024**2):
                copy.write(chunk)
        sets, values = ", ".join(f"{n} = s.{n}" for n in names[1:]), ", ".join(f"s.{n}" for n in names)
        cursor.execute(
            f'MERGE INTO "{table}" t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET {sets} '
            f"WHEN NOT MATCHED THEN INSERT VALUES ({values})".encode()
        )


def _small_files(home: Path, files: int) -> tuple[int, Cost]:
    """`slice propagate` as it is typed, with files for twenty tables; how many there were."""
    root = home / "propagator" / "destination=postgres" / f"database={DATABASE}"
    for number in range(TABLES):
        schema = root / f"table_name=small_{number}" / "schema" / "create"
        schema.mkdir(parents=True)
        (schema / "create.json").write_bytes(create_document(["id"]))
    for number in range(files):
        path = root / f"table_name=small_{number % TABLES}" / "input" / "load" / f"{number}.csv"
        write_rows(path, FILE_ROWS, first=number * FILE_ROWS)
    return files + TABLES, _propagate(home)


def _large_file(home: Path, size: int) -> tuple[int, Cost]:
    """`slice propagate` with one large file; its size in bytes."""
    root = home / "propagator" / "destination=postgres" / f"database={DATABASE}" / "table_name=large"
    (root / "schema" / "create").mkdir(parents=True)
    (root / "schema" / "create" / "create.json").write_bytes(create_document(["id"]))
    path = root / "input" / "load" / "large.csv"
    write_rows(path, max(size // 143, 1))
    return path.stat().st_size, _propagate(home)


def _propagate(home: Path) -> Cost:
    program = str(Path(sys.executable).with_name("slice"))
    environment = {**os.environ, "SLICE_HOME": str(home), "SLICE_LANDING_TICK_SECONDS": "0"}
    return run_measured([program, "propagate"], environment)[0]


def _report(
    contests: list[Contest],
    upserts: list[Contest],
    small: tuple[int, Cost],
    large: tuple[int, Cost],
    started: Circumstances,
    asked: argparse.Namespace,
) -> Iterator[str]:
    options = "".join(
        f" --{name} {value}"
        for name, value, usual in (("rows", asked.rows, ROWS), ("rounds", asked.rounds, ROUNDS))
        if value != usual
    )
    yield from heading("Files into Postgres, measured", f"python -m benchmarks.warehouse{options}", started)
    rounds = f"medians of {asked.rounds} rounds, in which all ways take turns"
    yield f"- {asked.rows:,} rows of 12 columns in one file; {rounds}."
    yield ""
    yield "| way | file | rows | rows/s | x raw COPY |"
    yield "|---|---|---|---|---|"
    for way, kind in dict.fromkeys((one.way, one.kind) for one in contests):
        mine = [one for one in contests if (one.way, one.kind) == (way, kind)]
        ratio = _ratio(contests, (way, kind), (RAW, "csv"))
        yield f"| {way} | {kind} | {mine[0].rows:,} | {median(one.rate for one in mine):,.0f} | {ratio:.2f} |"
    yield ""
    yield f"Upsert of {upserts[0].rows:,} rows, half of them new, into {TABLE * asked.rows // ROWS:,}:"
    yield ""
    yield "| way | seconds |"
    yield "|---|---|"
    for way in dict.fromkeys(one.way for one in upserts):
        yield f"| {way} | {median(one.seconds for one in upserts if one.way == way):.2f} |"
    yield ""
    yield from _verdicts(contests, small, large)


def _verdicts(contests: list[Contest], small: tuple[int, Cost], large: tuple[int, Cost]) -> Iterator[str]:
    files, cost = small
    yield f"{files} files, {TABLES} of them schemas, the others of {FILE_ROWS:,} rows, by `slice propagate`:"
    yield f"{cost.seconds:.0f} s, {files / cost.seconds * 60:,.0f} files a minute."
    peak = large[1].peak_bytes
    yield f"One CSV of {large[0] / _MB:,.0f} MB: {large[1].seconds:.0f} s, at most {peak / _MB:,.0f} MB of memory."
    yield ""
    yield "| goal | found | |"
    yield "|---|---|---|"
    for way, goal in GOALS.items():
        if any(one.way == way for one in contests):
            ratio = _ratio(contests, ("slice propagate", "csv"), (way, "csv"))
            yield f"| CSV at {goal:g} x the rows/s of {way} | {ratio:.2f} x | {_verdict(ratio >= goal)} |"
    is_fast, is_small = cost.seconds < GOAL_SECONDS, peak < GOAL_RSS_BYTES
    yield f"| {FILES} files in {GOAL_SECONDS / 60:.0f} minutes | {cost.seconds:.0f} s | {_verdict(is_fast)} |"
    yield f"| 1 GB of CSV below {GOAL_RSS_BYTES / _MB:.0f} MB | {peak / _MB:.0f} MB | {_verdict(is_small)} |"


def _ratio(contests: list[Contest], one: tuple[str, str], two: tuple[str, str]) -> float:
    """The median of the ratios within each round."""
    rates = [[found.rate for found in contests if (found.way, found.kind) == who] for who in (one, two)]
    return float(median(mine / other for mine, other in zip(*rates, strict=True)))


def _verdict(is_met: bool) -> str:  # noqa: FBT001 -- its one argument
    return "met" if is_met else "**not met**"


if __name__ == "__main__":
    main()
