"""Batches above memory: `python -m benchmarks.volume`, some minutes and 15 GB of disk.

5 GB of JSON lines, and a header of 391 columns as CSV, each in one commit under a memory limit of 1 GB. Measured are
the seconds of the whole ingest, the peak memory of its process, and what it laid on disk beside the lake.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.consumers import FILES as CONSUMER_FILES
from benchmarks.consumers import ensure_consumers, write_definition
from benchmarks.contender import DEFS
from benchmarks.events import FILES as EVENT_FILES
from benchmarks.events import ensure_events, files_of
from benchmarks.measure import Cost, run_measured, watched
from benchmarks.program import bench_folder, heading
from benchmarks.report import Circumstances, met

RESULTS = Path(__file__).with_name("VOLUME.md")
EVENTS, CONSUMERS = 15_000_000, 400_000
MEMORY_LIMIT = "1GB"
_MEMORY_BYTES = 1000**3
# Beside what DuckDB counts against its limit: Python and Arrow (0.13 GB), reading CSV and Parquet, the allocator.
OVERHEAD_BYTES = 500 * 1000**2
_REST_SECONDS = 6.0  # a file in landing counts as complete once it rested for five seconds
_MB, _GB = 1000**2, 1000**3


@dataclass(frozen=True)
class Batch:
    """Files to be published in one commit, and what is to become of them."""

    name: str
    dataset: str
    defs: Path
    files: list[Path]
    plain_bytes: int
    expected_rows: int

    @property
    def stored_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files)


@dataclass(frozen=True)
class Outcome:
    batch: Batch
    cost: Cost
    rows: int
    spilled_bytes: int  # the most that lay in the spill folder at once, unpacked files included
    curated_bytes: int


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder = bench_folder(asked.folder)
    batches = [_events(folder, asked.events), _consumers(folder, asked.consumers)]
    started = Circumstances.now()
    outcomes = [_measure(batch, folder / "volume") for batch in batches]
    asked.output.write_text("\n".join(_report(outcomes, started, asked)) + "\n", encoding="utf-8")
    print(f"Written: {asked.output}")
    if wrong := [one for one in outcomes if one.rows != one.batch.expected_rows]:
        sys.exit(f"{wrong[0].batch.name}: {wrong[0].rows:,} rows, expected {wrong[0].batch.expected_rows:,}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volume", description="Measure batches above memory.")
    parser.add_argument("--events", type=int, default=EVENTS, help="rows of JSON lines")
    parser.add_argument("--consumers", type=int, default=CONSUMERS, help="rows of 391 columns")
    parser.add_argument("--folder", type=Path, help="where data is kept between runs; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report; default benchmarks/VOLUME.md")
    return parser


def _events(folder: Path, rows: int) -> Batch:
    source = folder / f"events-{rows}-jsonl"
    made = ensure_events(source, rows, ("jsonl",))
    files = files_of(source, "jsonl")
    name = f"{rows:,} device events, JSON lines, {EVENT_FILES} files"
    return Batch(name, "events", DEFS, files, made.plain_bytes["jsonl"], made.keys_without_bad)


def _consumers(folder: Path, rows: int) -> Batch:
    source = folder / f"consumers-{rows}"
    made = ensure_consumers(source, rows)
    write_definition(folder / "defs")
    name = f"{rows:,} consumers of 391 columns, CSV, {CONSUMER_FILES} files"
    files = sorted(source.glob("*.csv.gz"))
    return Batch(name, "consumers", folder / "defs", files, made.plain_bytes, made.persons)


def _measure(batch: Batch, home: Path) -> Outcome:
    shutil.rmtree(home, ignore_errors=True)
    landing = home / "lake" / "landing" / batch.dataset
    landing.mkdir(parents=True)
    for path in batch.files:
        shutil.copyfile(path, landing / path.name)
    time.sleep(_REST_SECONDS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLICE_")}
    environment["SLICE_DUCKDB_MEMORY_LIMIT"] = MEMORY_LIMIT
    command = [sys.executable, "-m", "benchmarks.one_ingest", str(home), str(batch.defs), batch.dataset]
    try:
        with watched(home / "spill") as spill:
            cost, printed = run_measured(command, environment)
        curated = sum(path.stat().st_size for path in (home / "lake" / "curated").rglob("*.parquet"))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    print(f"{batch.name}: {cost.seconds:.1f} s, peak {cost.peak_bytes / _MB:,.0f} MB", flush=True)
    return Outcome(batch, cost, int(printed), spill.peak_bytes, curated)


def _report(outcomes: list[Outcome], started: Circumstances, asked: argparse.Namespace) -> Iterator[str]:
    options = f" --events {asked.events}" if asked.events != EVENTS else ""
    options += f" --consumers {asked.consumers}" if asked.consumers != CONSUMERS else ""
    yield from heading("Batches above memory, measured", f"python -m benchmarks.volume{options}", started)
    yield f"- Each batch once, in one commit, with `SLICE_DUCKDB_MEMORY_LIMIT={MEMORY_LIMIT}` and two threads."
    yield "- Seconds and peak memory are those of the whole process, from landing to the commit."
    yield "- On disk: the most that lay in the spill folder at once; that is the stage, and the files being unpacked."
    yield ""
    yield "| batch | plain, MB | gz, MB | seconds | plain MB/s | peak memory, MB | on disk, MB | rows | as expected |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for one in outcomes:
        batch, cost = one.batch, one.cost
        yield (
            f"| {batch.name} | {batch.plain_bytes / _MB:,.0f} | {batch.stored_bytes / _MB:,.0f} | {cost.seconds:,.1f} "
            f"| {batch.plain_bytes / _MB / cost.seconds:,.0f} | {cost.peak_bytes / _MB:,.0f} "
            f"| {one.spilled_bytes / _MB:,.0f} | {one.rows:,} | {'yes' if one.rows == batch.expected_rows else 'NO'} |"
        )
    yield ""
    yield "| goal | found | |"
    yield "|---|---|---|"
    most = _MEMORY_BYTES + OVERHEAD_BYTES
    for one in outcomes:
        goal = f"{one.batch.dataset}: finishes in at most the limit and {OVERHEAD_BYTES / _MB:,.0f} MB of memory"
        yield f"| {goal} | {one.cost.peak_bytes / _GB:.2f} GB | {met(one.cost.peak_bytes <= most)} |"
    yield ""
    yield "The limit is DuckDB's. Beside it there are Python, Arrow and pyiceberg, 0.13 GB before the first row,"
    yield "and what DuckDB does not count: file buffers, and memory that its allocator has not yet given back."


if __name__ == "__main__":
    main()
