"""A table of the lake into Postgres, and one changed day of a year: `python -m benchmarks.projection`.

First 1 000 000 rows of a curated table go to Postgres: by a projection (snapshot, judgement, ledger, comparison on both
sides), by ADBC from the same Parquet, by pandas. All take turns in every round, on one server with its own settings.

Then a row comes late to one day of a business table with 365 days, and to one with a single day: what brings it to the
table and on to Postgres is the same work, so what it costs more is what grows with the table.
"""

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.program import bare_duckdb, bench_folder, heading
from benchmarks.report import Circumstances, met
from benchmarks.warehouse_data import COLUMNS, create_sql, write_rows
from slice_platform.lake.business.build import refresh
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.table import data_files, load_table
from slice_platform.local.postgres_server import Server, running_server
from slice_platform.projections.projecting import Projecting
from slice_platform.projections.projection import projections_of
from slice_platform.settings import load_settings
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.postgres import PostgresDestination

RESULTS = Path(__file__).with_name("PROJECTION.md")
ROWS, SLOW_ROWS, ROUNDS, DAYS, DAY_ROWS = 1_000_000, 100_000, 5, 365, 1_000
DATABASE, OURS = "analytics", "projection"
GOAL_ADBC, GOAL_DAY = 0.6, 3.0
_TYPES = {
    "BIGINT": "integer", "INTEGER": "integer", "SMALLINT": "integer", "DOUBLE PRECISION": "number",
    "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp",
}  # fmt: skip
Way = Callable[[str, list[Path], str, int], None]


@dataclass(frozen=True)
class Run:
    """One way in one round."""

    way: str
    rows: int
    seconds: float


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder, started = bench_folder(asked.folder) / "projection", Circumstances.now()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with running_server(folder / "home" / "postgres", [DATABASE]) as server:
            runs = list(_contest(folder, server, asked))
            days = {days: _late_days(folder, server, days, asked.rounds) for days in (1, asked.days)}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    asked.output.write_text("\n".join(_report(runs, days, started, asked)) + "\n", encoding="utf-8")
    print(f"Written: {asked.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.projection", description="Measure projections.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--folder", type=Path, help="where lake and server lie; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default benchmarks/PROJECTION.md")
    return parser


# A million rows


def _contest(folder: Path, server: Server, asked: argparse.Namespace) -> Iterator[Run]:
    home = folder / "home"
    _write_dataset(home / "defs" / "customers")
    with open_lake(load_settings(home=home, defs_dir=home / "defs", landing_tick_seconds=0)) as lake:
        lake.store.make_dir(f"{LANDING}/customers")
        write_rows(Path(lake.store.path(f"{LANDING}/customers/rows.parquet")), asked.rows)
        ingest(lake, "customers")
        table = load_table(lake, lake.dataset("customers"))
        assert table is not None
        stored = [Path(file.path) for file in data_files(table, None)]
        destination = PostgresDestination(server.url("postgres"))
        for number in range(asked.rounds):
            yield _ours(lake, destination, server, asked.rows, number)
            for name, way, rows in (("ADBC", _adbc, asked.rows), ("pandas to_sql", _pandas, SLOW_ROWS)):
                yield _peer(server, name, way, stored, min(rows, asked.rows))


def _ours(lake: Lake, destination: Destination, server: Server, rows: int, number: int) -> Run:
    (projection,) = projections_of(lake.dataset("customers"))
    _run(server, "CHECKPOINT")
    begun = time.perf_counter()
    (done,) = Projecting(lake, destination, projection, f"round-{number}").project(["all"])
    seconds = time.perf_counter() - begun
    if done.projected is None or done.projected.measure.rows != rows:
        sys.exit(f"The projection ended with {done!r}, expected {rows} rows.")
    _run(server, "DROP TABLE customers")
    return _told(Run(OURS, rows, seconds))


def _peer(server: Server, name: str, way: Way, stored: list[Path], rows: int) -> Run:
    _run(server, re.sub("INTEGER|SMALLINT", "BIGINT", create_sql("peer")))  # as the lake has them
    _run(server, "CHECKPOINT")
    begun = time.perf_counter()
    way(server.url(DATABASE), stored, "peer", rows)
    seconds = time.perf_counter() - begun
    if (found := _run(server, "SELECT count(*) FROM peer")) != rows:
        sys.exit(f"{name} brought {found} rows of {rows}.")
    return _told(Run(name, rows, seconds))


def _adbc(conninfo: str, stored: list[Path], table: str, _rows: int) -> None:
    import adbc_driver_postgresql.dbapi as postgres  # noqa: PLC0415 -- each way is imported by whoever goes it
    import pyarrow.dataset as ds  # noqa: PLC0415 -- as above

    scanned = ds.dataset([str(path) for path in stored], format="parquet").scanner(columns=list(COLUMNS))
    with postgres.connect(conninfo) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(table, scanned.to_reader(), mode="append")
        connection.commit()


def _pandas(conninfo: str, stored: list[Path], table: str, rows: int) -> None:
    import pandas as pd  # noqa: PLC0415 -- as above
    import sqlalchemy as sa  # noqa: PLC0415 -- as above

    frame = pd.concat([pd.read_parquet(path, columns=list(COLUMNS)) for path in stored]).head(rows)
    engine = sa.create_engine("postgresql+psycopg://" + conninfo.removeprefix("postgresql://"))
    frame.to_sql(table, engine, if_exists="append", index=False, dtype={"amount": sa.Numeric(12, 2)})
    engine.dispose()


def _write_dataset(folder: Path) -> None:
    folder.mkdir(parents=True)
    properties = [{"name": name, **_property(kind)} for name, kind in COLUMNS.items()]
    properties[0]["primaryKey"] = True
    contract = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "customers", "version": "1.0.0",
                "status": "active", "schema": [{"name": "customers", "properties": properties}]}  # fmt: skip
    types = {name: kind for name, kind in COLUMNS.items() if kind.startswith("VARCHAR")}
    attributes = {"files": [{"pattern": "*.parquet", "format": "parquet"}], "mode": "append",
                  "projections": [{"destination": "postgres", "types": types, "primary_key": []}]}  # fmt: skip
    defs = {"type": "slice_platform.components.lake_dataset.LakeDataset", "attributes": attributes}
    (folder / "contract.yaml").write_text(json.dumps(contract))
    (folder / "defs.yaml").write_text(json.dumps(defs))


def _property(kind: str) -> dict[str, object]:
    if kind.startswith("DECIMAL"):
        return {"logicalType": "number", "physicalType": "decimal(12,2)"}
    if kind.startswith("VARCHAR"):
        return {"logicalType": "string"}
    return {"logicalType": _TYPES[kind]}


# One day of a year


def _late_days(folder: Path, server: Server, days: int, rounds: int) -> list[float]:
    """Seconds from a late row in the curated table to its day in business table and Postgres, round by round."""
    home = folder / f"days-{days}"
    _write_visits(home / "defs")
    with open_lake(load_settings(home=home, defs_dir=home / "defs", landing_tick_seconds=0)) as lake:
        _land_visits(lake, "first", f"range({days}) d(day), range({DAY_ROWS}) v(visit)")
        destination = PostgresDestination(server.url("postgres"))
        _bring(lake, destination, days)
        seconds = []
        for number in range(rounds):
            day = days * number // rounds
            _land_visits(lake, f"late-{number}", f"(select {day} as day), (select {DAY_ROWS + number} as visit)")
            begun = time.perf_counter()
            _bring(lake, destination, 1)
            seconds.append(time.perf_counter() - begun)
            print(f"{days} days: a late row in {seconds[-1]:.2f} s", flush=True)
        _run(server, "DROP TABLE daily; DROP TABLE _slice_projections; DROP TABLE _slice_load_ledger")
        return seconds


def _bring(lake: Lake, destination: Destination, expected: int) -> None:
    table = lake.business["daily"]
    (build,) = refresh(lake, table)
    (projection,) = projections_of(table)
    brought = list(Projecting(lake, destination, projection, "late").refresh())
    if (len(build.partitions), len(brought)) != (expected, expected):
        sys.exit(f"{len(build.partitions)} partitions were built, {len(brought)} brought; expected {expected}.")


def _write_visits(defs: Path) -> None:
    at = {"name": "seen_at", "logicalType": "timestamp", "required": True, "logicalTypeOptions": {"timezone": True}}
    properties = [{"name": "id", "logicalType": "string", "primaryKey": True}, at,
                  {"name": "seconds", "logicalType": "integer"}]  # fmt: skip
    contract = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "visits", "version": "1.0.0",
                "status": "active", "schema": [{"name": "visits", "properties": properties}]}  # fmt: skip
    attributes = {"files": [{"pattern": "*.parquet", "format": "parquet"}], "mode": "merge",
                  "partition": {"column": "seen_at", "grain": "day", "start": "2025-01-01"}}  # fmt: skip
    (defs / "visits").mkdir(parents=True)
    (defs / "visits" / "contract.yaml").write_text(json.dumps(contract))
    (defs / "visits" / "defs.yaml").write_text(
        json.dumps({"type": "slice_platform.components.lake_dataset.LakeDataset", "attributes": attributes})
    )
    (defs / "daily").mkdir()
    (defs / "daily" / "model.sql").write_text(
        "select seen_at::date as day, seconds % 100 as band, count(*) as visits, sum(seconds)::bigint as seconds\n"
        "from curated.visits where seen_at >= $partition_start and seen_at < $partition_end "
        "group by all\n"
    )
    table = {"description": "Visits by day.", "key": ["day", "band"],
             "partition": {"column": "day", "grain": "day", "start": "2025-01-01"},
             "projections": [{"destination": "postgres"}]}  # fmt: skip
    (defs / "daily" / "defs.yaml").write_text(
        json.dumps({"type": "slice_platform.components.business_table.BusinessTable", "attributes": table})
    )


def _land_visits(lake: Lake, name: str, days_and_visits: str) -> None:
    lake.store.make_dir(f"{LANDING}/visits")
    sql = f"""
        select md5(day || ' ' || visit) as id,
            timestamptz '2025-01-01 00:00:00+00' + to_days(day::integer) + to_seconds(visit * 61 % 86000) as seen_at,
            visit * 613 % 1800 as seconds
        from {days_and_visits}"""
    path = lake.store.path(f"{LANDING}/visits/{name}.parquet")
    bare_duckdb().execute(f"copy ({sql}) to '{path}' (format parquet)").fetchall()
    ingest(lake, "visits")


# The report


def _report(
    runs: list[Run], days: dict[int, list[float]], started: Circumstances, asked: argparse.Namespace
) -> Iterator[str]:
    usual = (("rows", asked.rows, ROWS), ("days", asked.days, DAYS), ("rounds", asked.rounds, ROUNDS))
    options = "".join(f" --{name} {value}" for name, value, default in usual if value != default)
    yield from heading("Projections, measured", f"python -m benchmarks.projection{options}", started)
    yield f"- {asked.rows:,} rows of 12 columns from a curated table into Postgres; medians of {asked.rounds} rounds."
    yield ""
    yield "| way | rows | rows/s | x ADBC |"
    yield "|---|---|---|---|"
    for way in dict.fromkeys(one.way for one in runs):
        mine = [one for one in runs if one.way == way]
        rate = median(one.rows / one.seconds for one in mine)
        yield f"| {way} | {mine[0].rows:,} | {rate:,.0f} | {_ratio(runs, way, 'ADBC'):.2f} |"
    yield ""
    yield f"A late row of one day ({DAY_ROWS:,} rows), from the curated table to business table and Postgres:"
    yield ""
    yield "| days of the table | seconds |"
    yield "|---|---|"
    for count, seconds in days.items():
        yield f"| {count} | {median(seconds):.2f} ({min(seconds):.2f} - {max(seconds):.2f}) |"
    yield ""
    yield "| goal | found | |"
    yield "|---|---|---|"
    adbc, pandas = _ratio(runs, OURS, "ADBC"), _ratio(runs, OURS, "pandas to_sql")
    same = "the rows/s of ADBC from the same Parquet"
    yield f"| at least {GOAL_ADBC} x {same} | {adbc:.2f} x | {met(adbc >= GOAL_ADBC)} |"
    yield f"| against pandas to_sql | {pandas:.1f} x | |"
    grown = median(days[asked.days]) / median(days[1])
    goal = f"a day of {asked.days} at most {GOAL_DAY:g} x the seconds of a table of one day"
    yield f"| {goal} | {grown:.2f} x | {met(grown <= GOAL_DAY)} |"


def _ratio(runs: list[Run], one: str, other: str) -> float:
    """The median of the ratios within each round."""
    rates = [[found.rows / found.seconds for found in runs if found.way == way] for way in (one, other)]
    return float(median(mine / theirs for mine, theirs in zip(*rates, strict=True)))


def _told(run: Run) -> Run:
    print(f"{run.way}: {run.rows / run.seconds:,.0f} rows/s", flush=True)
    return run


def _run(server: Server, sql: str) -> int:
    """The statements; the first number of the last one's answer, if it has one."""
    import psycopg  # noqa: PLC0415 -- as above

    with psycopg.connect(server.url(DATABASE), autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return int(cursor.fetchall()[0][0]) if cursor.description else 0


if __name__ == "__main__":
    main()
