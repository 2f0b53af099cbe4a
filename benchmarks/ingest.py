"""Measure `slice ingest` beside bare engines: `python -m benchmarks.ingest [--rows N] [--rounds N]`.

The contenders take turns, so that a busy minute of the machine falls on all of them; those that take minutes
have one turn only. This process itself stays small and imports no engine: its memory would count as its children's.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.contender import CONTENDERS, LANDING, Contender
from benchmarks.events import FORMATS, Events, FileFormat, files_of, read_events
from benchmarks.measure import run_measured
from benchmarks.program import bench_folder
from benchmarks.report import Circumstances, Measurement, Report

RESULTS = Path(__file__).with_name("RESULTS.md")
ROWS, ROUNDS = 2_000_000, 3
SLOW: tuple[Contender, ...] = ("spark", "dlt")
_PEERS = tuple(one for one in CONTENDERS if one not in ("slice", "duckdb"))
_REST_SECONDS = 6.0  # a file in landing counts as complete once it rested for five seconds


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder = bench_folder(asked.folder)
    source = folder / f"events-{asked.rows}"
    print(f"{asked.rows:,} events in {source}", flush=True)
    _run_alone(["benchmarks.events", str(source), str(asked.rows)])
    contenders = [one for one in CONTENDERS if one in ("slice", "duckdb", *asked.peers)]
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        report = _measure(source, work, contenders, asked.rounds, _command(asked))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    asked.output.write_text(report.text(), encoding="utf-8")
    print(f"Written: {asked.output}")
    if wrong := [m for m in report.measured if not m.counts_agree]:
        sys.exit(
            f"{wrong[0].contender} has {wrong[0].rows:,} rows of {wrong[0].file_format}, not {wrong[0].expected_rows:,}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest", description="Measure ingest beside bare engines."
    )
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument(
        "--peers", nargs="*", choices=_PEERS, default=_PEERS, help="besides bare DuckDB; default all of them"
    )
    parser.add_argument("--folder", type=Path, help="where data is kept between runs; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report; default benchmarks/RESULTS.md")
    return parser


def _command(asked: argparse.Namespace) -> str:
    rows = f" --rows {asked.rows}" if asked.rows != ROWS else ""
    rounds = f" --rounds {asked.rounds}" if asked.rounds != ROUNDS else ""
    return f"python -m benchmarks.ingest{rows}{rounds}"


def _measure(source: Path, work: Path, contenders: list[Contender], rounds: int, command: str) -> Report:
    events, measured = read_events(source), []
    turns = [(turn, one, name) for turn in range(1, rounds + 1) for one in FORMATS for name in contenders]
    turns = [(turn, one, name) for turn, one, name in turns if turn == 1 or name not in SLOW]
    for turn, file_format, name in turns:
        if name == "slice":
            _land(source, file_format, _target(work, turn, file_format, name))
    time.sleep(_REST_SECONDS)
    started = Circumstances.now()
    for turn, file_format, name in turns:
        target = _target(work, turn, file_format, name)
        one = _measure_one(events, source, target, (turn, file_format, name))
        measured.append(one)
        print(
            f"round {turn}  {file_format:5}  {name:6}  {one.cost.seconds:6.1f} s  "
            f"{one.cost.peak_bytes / 1e6:6,.0f} MB  {one.rows:,} rows",
            flush=True,
        )
        shutil.rmtree(target)
    return Report(events, measured, started, command)


def _measure_one(events: Events, source: Path, target: Path, which: tuple[int, FileFormat, Contender]) -> Measurement:
    turn, file_format, name = which
    command = [sys.executable, "-m", "benchmarks.contender", name, file_format, str(source), str(target)]
    cost, printed = run_measured(command, _environment())
    written = {"slice": target / "lake" / "curated", "spark": target / "table", "dlt": target / "table"}.get(
        name, target
    )
    stored = sum(path.stat().st_size for path in written.rglob("*.parquet"))
    return Measurement(
        name, file_format, turn, cost, int(printed.split()[-1]), _expected(events, file_format, name), stored
    )


def _expected(events: Events, file_format: FileFormat, name: Contender) -> int:
    if name == "slice":
        return events.keys_without_bad
    is_strict_line = file_format == "csv" and name in ("duckdb", "dlt")  # which reads CSV with DuckDB
    return events.keys_with_soft_but_amount if is_strict_line else events.keys_with_soft


def _target(work: Path, turn: int, file_format: FileFormat, name: Contender) -> Path:
    return work / f"{turn}-{file_format}-{name}"


def _land(source: Path, file_format: FileFormat, home: Path) -> None:
    landing = home / LANDING
    landing.mkdir(parents=True)
    for path in files_of(source, file_format):
        shutil.copyfile(path, landing / path.name)


def _environment() -> dict[str, str]:
    """Ours without the platform's variables: its settings are measured as they come."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SLICE_")}


def _run_alone(module: list[str]) -> None:
    subprocess.run([sys.executable, "-m", *module], check=True)


if __name__ == "__main__":
    main()
