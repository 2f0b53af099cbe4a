"""Many small commits into one table: `python -m benchmarks.micro_batches [--batches N]`.

Every batch is 100 rows over three days with keys that nothing orders, so that any data file may hold any of
them. Measured is what one ingest takes, from landing to the booked commit, without Dagster: of the first
batches, and of the last. Upkeep runs every 100 batches, which stand for the hour after which the schedule looks
for small files; its own seconds are shown apart. The snapshots of the last hour, 100 of them, always stay.
"""

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.contender import DEFS
from benchmarks.program import bench_folder, heading
from benchmarks.report import Circumstances
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.query import query
from slice_platform.lake.upkeep.upkeep import upkeep
from slice_platform.settings import load_settings

RESULTS = Path(__file__).with_name("MICRO_BATCHES.md")
BATCHES, WITHOUT, ROWS, EVERY = 1000, 250, 100, 100
GOAL_RATIO = 2.0
_DATASET, _DAYS, _SHOWN = "readings", 3, 50
_GROUPS = 10  # of batches, in the table of the report


@dataclass
class Run:
    """The seconds of every batch, and of every upkeep between them."""

    with_upkeep: bool
    batches: list[float] = field(default_factory=list)
    upkeeps: list[float] = field(default_factory=list)
    data_files: int = 0

    @property
    def shown(self) -> int:
        """How many of the first and of the last batches are compared."""
        return min(_SHOWN, max(len(self.batches) // 4, 1))

    @property
    def first(self) -> float:
        return median(self.batches[: self.shown])

    @property
    def last(self) -> float:
        return median(self.batches[-self.shown :])

    @property
    def ratio(self) -> float:
        return self.last / self.first


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder = bench_folder(asked.folder)
    started = Circumstances.now()
    runs = [_run(folder / "with-upkeep", asked.batches, asked.every)]
    if asked.without:
        runs.append(_run(folder / "without-upkeep", asked.without, None))
    asked.output.write_text("\n".join(_report(runs, started, asked)) + "\n", encoding="utf-8")
    print(f"Written: {asked.output}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.micro_batches", description="Measure many small commits into one table."
    )
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--every", type=int, default=EVERY, help="batches between two upkeeps")
    parser.add_argument("--without", type=int, default=WITHOUT, help="batches of a second run without upkeep; 0: none")
    parser.add_argument("--folder", type=Path, help="where the lake is made; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="default benchmarks/MICRO_BATCHES.md")
    return parser


def _run(home: Path, batches: int, every: int | None) -> Run:
    shutil.rmtree(home, ignore_errors=True)
    run = Run(with_upkeep=every is not None)
    moment = datetime.now(UTC)  # until here an hour has passed when the next upkeep begins
    try:
        with open_lake(load_settings(home=home, defs_dir=DEFS, landing_tick_seconds=0)) as lake:
            for number in range(batches):
                lake.store.write(f"{LANDING}/{_DATASET}/{number:06d}.jsonl", _batch(number))
                begun = time.perf_counter()
                ingest(lake, _DATASET)
                run.batches.append(time.perf_counter() - begun)
                if every and number % every == every - 1 and number + 1 < batches:
                    now = datetime.now(UTC)
                    run.upkeeps.append(upkeep(lake, _DATASET, moment + timedelta(hours=1)).seconds)
                    moment = now
                if number % _SHOWN == _SHOWN - 1:
                    print(
                        f"{number + 1:5} batches, the last {_SHOWN}: {median(run.batches[-_SHOWN:]):.3f} s", flush=True
                    )
            run.data_files = sum(row.data_files for row in lake.ledger.list_partitions(_DATASET))
            _check(lake, batches)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return run


def _check(lake: Lake, batches: int) -> None:
    sql = f"select count(*), count(distinct reading_id), count(distinct _file_id) from curated.{_DATASET}"
    found = tuple(query(lake, sql).table.to_pylist()[0].values())
    if found != (expected := (batches * ROWS, batches * ROWS, batches)):
        sys.exit(f"The table has {found} rows, keys and files, expected {expected}.")


def _batch(number: int) -> bytes:
    lines = []
    for row in range(ROWS):
        key = hashlib.md5(f"{number} {row}".encode(), usedforsecurity=False).hexdigest()
        read_at = datetime(2026, 3, 1 + row % _DAYS, tzinfo=UTC) + timedelta(seconds=number)
        celsius = f"{int(key[:4], 16) % 4000 / 100:.2f}"
        record = {"reading_id": key, "read_at": read_at.isoformat(), "sensor": f"s{row}", "celsius": celsius}
        lines.append(json.dumps(record))
    return "".join(f"{line}\n" for line in lines).encode()


def _report(runs: list[Run], started: Circumstances, asked: argparse.Namespace) -> Iterator[str]:
    options = f" --batches {asked.batches}" if asked.batches != BATCHES else ""
    options += f" --every {asked.every}" if asked.every != EVERY else ""
    options += f" --without {asked.without}" if asked.without != WITHOUT else ""
    yield from heading("Micro-batches, measured", f"python -m benchmarks.micro_batches{options}", started)
    yield f"- A batch: one file of {ROWS} rows over {_DAYS} days, mode merge, keys in no order; landing to commit."
    yield ""
    yield "| | batches | first, s | last, s | last / first | upkeeps | seconds of one | data files at the end |"
    yield "|---|---|---|---|---|---|---|---|"
    for run in runs:
        upkeeps = f"{median(run.upkeeps):.1f} (to {max(run.upkeeps):.1f})" if run.upkeeps else "-"
        yield (
            f"| {'with' if run.with_upkeep else 'without'} upkeep | {len(run.batches):,} | {run.first:.3f} | "
            f"{run.last:.3f} | {run.ratio:.2f} | {len(run.upkeeps)} | {upkeeps} | {run.data_files:,} |"
        )
    yield ""
    yield f"First and last are medians of {runs[0].shown} batches; the median second of each tenth, with upkeep:"
    yield ""
    size = max(len(runs[0].batches) // _GROUPS, 1)
    tenths = [runs[0].batches[at : at + size] for at in range(0, len(runs[0].batches), size)]
    yield f"{', '.join(f'{median(tenth):.3f}' for tenth in tenths)}."
    yield ""
    yield "| goal | found | |"
    yield "|---|---|---|"
    verdict = "met" if runs[0].ratio <= GOAL_RATIO else "**not met**"
    yield f"| the last batches take at most {GOAL_RATIO:.0f} x the first | {runs[0].ratio:.2f} x | {verdict} |"


if __name__ == "__main__":
    main()
