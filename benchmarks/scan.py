"""What three questions to a consumer header cost: `python -m benchmarks.scan`, about twenty minutes.

Count all, count one state, eight columns of one state; asked of the gz CSV as it came, of flat Parquet in the order of
the CSV, and of our table. The state is the one with 2.3 % of the rows, as California had in the header that the
questions come from; California itself, with its true 11.9 %, is shown as well.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.consumers import COLUMNS, Consumers, columns, ensure_consumers, write_definition
from benchmarks.program import bare_duckdb, bench_folder, heading
from benchmarks.report import Circumstances, met
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.query import query
from slice_platform.lake.scan_cost import ScanCost
from slice_platform.settings import load_settings

RESULTS = Path(__file__).with_name("SCAN.md")
ROWS, ROUNDS = 3_000_000, 3
STATE, LARGEST = "WA", "CA"
FILE_BYTES = 8 * 1024**2
GOAL_FASTER, GOAL_FEWER = 150.0, 250.0
_EIGHT = "first_name, last_name, house_number, pre_direction, street_name, street_suffix, state, zip_code"
_MB = 1000**2


@dataclass(frozen=True)
class Question:
    name: str
    select: str
    where: str
    expected: Callable[[Consumers], int]

    def of(self, table: str) -> str:
        return f"select {self.select} from {table}{self.where}"


QUESTIONS = (
    Question("count", "count(*)", "", lambda made: made.persons),
    Question(f"count of {STATE}", "count(*)", f" where state = '{STATE}'", lambda made: made.persons_by_state[STATE]),
    Question(f"8 columns of {STATE}", _EIGHT, f" where state = '{STATE}'", lambda made: made.persons_by_state[STATE]),
    Question(
        f"8 columns of {LARGEST}", _EIGHT, f" where state = '{LARGEST}'", lambda made: made.persons_by_state[LARGEST]
    ),
)


@dataclass(frozen=True)
class Answer:
    """Seconds of each round, and what was found and read."""

    seconds: tuple[float, ...]
    found: int
    cost: ScanCost


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    folder = bench_folder(asked.folder)
    source, home = folder / f"consumers-{asked.rows}", folder / "scan"
    made = ensure_consumers(source, asked.rows)
    write_definition(folder / "defs")
    shutil.rmtree(home, ignore_errors=True)
    settings = load_settings(
        home=home, defs_dir=folder / "defs", landing_tick_seconds=0, target_file_bytes=asked.file_bytes
    )
    try:
        with open_lake(settings) as lake:
            sources = _sources(lake, source, home)
            started = Circumstances.now()
            answers = _ask(sources, asked.rounds)
            files = len(list(home.glob("lake/curated/**/*.parquet")))
            stored = {name: sum(path.stat().st_size for path in one.files) for name, one in sources.items()}
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report = _report(made, answers, stored, files, started, asked)
    asked.output.write_text("\n".join(report) + "\n", encoding="utf-8")
    print(f"Written: {asked.output}")
    for (name, question), answer in answers.items():
        # The files as they came hold every row, the repeated and the bad ones, too.
        if name == "our table" and answer.found != question.expected(made):
            sys.exit(f"{question.name} of {name}: {answer.found:,}, expected {question.expected(made):,}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scan", description="Measure what questions cost.")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--file-bytes", type=int, default=FILE_BYTES, help="target size of the table's data files")
    parser.add_argument("--folder", type=Path, help="where data is kept between runs; default bench below SLICE_HOME")
    parser.add_argument("--output", type=Path, default=RESULTS, help="the report; default benchmarks/SCAN.md")
    return parser


@dataclass(frozen=True)
class Source:
    """Something to ask: gives the number of rows of an answer, and the bytes it read."""

    files: list[Path]
    ask: Callable[[Question], tuple[int, ScanCost]]


def _sources(lake: Lake, source: Path, home: Path) -> dict[str, Source]:
    texts = sorted(source.glob("*.csv.gz"))
    flat = home / "flat.parquet"
    types = {name: "VARCHAR" for name, _, _ in columns()}
    csv = (
        f"read_csv({[str(path) for path in texts]}, header = true, auto_detect = false, delim = ',', columns = {types})"
    )
    _copy_flat(csv, flat)
    for path in texts:
        lake.store.copy_in(str(path), f"{LANDING}/consumers/{path.name}")
    ingest(lake, "consumers")
    table = sorted(home.glob("lake/curated/**/*.parquet"))
    return {
        "gz CSV": Source(texts, lambda one: _of_files(one, csv, texts)),
        "flat Parquet": Source([flat], lambda one: _of_files(one, f"read_parquet('{flat}')", [flat])),
        "our table": Source(table, lambda one: _of_table(lake, one)),
    }


def _copy_flat(csv: str, flat: Path) -> None:
    bare_duckdb().execute(f"copy (select * from {csv}) to '{flat}' (format parquet, compression snappy)").fetchall()


def _of_files(question: Question, relation: str, files: list[Path]) -> tuple[int, ScanCost]:
    connection = bare_duckdb()
    connection.execute("set enable_profiling = 'no_output'")
    connection.execute("set profiling_coverage = 'all'")
    found = connection.sql(question.of(relation)).to_arrow_table()
    read = int(json.loads(connection.get_profiling_information())["io"]["total_bytes_read"])
    stored = sum(path.stat().st_size for path in files)
    if files[0].suffix == ".gz":  # packed text has to be read to its end, whatever is asked
        read = stored
    return _rows_of(question, found), ScanCost(len(files), len(files), stored, read)


def _of_table(lake: Lake, question: Question) -> tuple[int, ScanCost]:
    result = query(lake, question.of("curated.consumers"))
    return _rows_of(question, result.table), result.cost


def _rows_of(question: Question, table: object) -> int:
    import pyarrow as pa  # noqa: PLC0415  # for its type

    assert isinstance(table, pa.Table)
    return int(table.column(0)[0].as_py()) if question.select == "count(*)" else int(table.num_rows)


def _ask(sources: dict[str, Source], rounds: int) -> dict[tuple[str, Question], Answer]:
    """Each question to each source in turn; the first round, which warms the page cache, is not counted."""
    answers = {}
    for question in QUESTIONS:
        for name, source in sources.items():
            times = []
            found, cost = source.ask(question)
            for _ in range(rounds if name != "gz CSV" else min(rounds, 2)):
                begun = time.perf_counter()
                found, cost = source.ask(question)
                times.append(time.perf_counter() - begun)
            answers[name, question] = Answer(tuple(times), found, cost)
            print(f"{question.name:16} {name:12} {median(times):8.3f} s {cost.read_bytes / _MB:10.3f} MB", flush=True)
    return answers


def _report(
    made: Consumers,
    answers: dict[tuple[str, Question], Answer],
    stored: dict[str, int],
    files: int,
    started: Circumstances,
    asked: argparse.Namespace,
) -> Iterator[str]:
    options = f" --rows {asked.rows}" if asked.rows != ROWS else ""
    options += f" --rounds {asked.rounds}" if asked.rounds != ROUNDS else ""
    yield from heading("Scans, measured", f"python -m benchmarks.scan{options}", started)
    yield f"- Data: {made.rows:,} rows of {COLUMNS} columns, plain {made.plain_bytes / _MB:,.0f} MB; as"
    yield f"  {', '.join(f'{name} {size / _MB:,.1f} MB' for name, size in stored.items())}."
    yield f"- Our table is sorted by state and address, in {files} files of about {asked.file_bytes / 1024**2:.0f} MB:"
    yield "  a small table must have small files to show what a large one has with files of 128 MB."
    yield f"- Seconds: median (lowest - highest) of {asked.rounds} repetitions, of 2 for gz CSV; warm page cache, two"
    yield "  threads. Those of our table include opening the engine and planning on the catalog."
    yield "- Bytes: what was read. $: of Athena at 5 USD a TB, without its least charge of 10 MB, which would hide all"
    yield "  differences at this size."
    yield ""
    yield "| question | of | rows | seconds | MB read | $ for a million such queries | x faster | x fewer bytes |"
    yield "|---|---|---|---|---|---|---|---|"
    for (name, question), one in answers.items():
        base = answers["gz CSV", question]
        dollars = one.cost.read_bytes / 1024**4 * 5.0 * 1e6
        yield (
            f"| {question.name} | {name} | {one.found:,} | {median(one.seconds):.3f} ({min(one.seconds):.3f} - "
            f"{max(one.seconds):.3f}) | {one.cost.read_bytes / _MB:,.3f} | {dollars:,.2f} "
            f"| {median(base.seconds) / median(one.seconds):,.1f} "
            f"| {base.cost.read_bytes / max(one.cost.read_bytes, 1):,.1f} |"
        )
    yield ""
    yield "| goal | found | |"
    yield "|---|---|---|"
    ours, base = answers["our table", QUESTIONS[2]], answers["gz CSV", QUESTIONS[2]]
    faster = median(base.seconds) / median(ours.seconds)
    fewer = base.cost.read_bytes / ours.cost.read_bytes
    goal = f"{QUESTIONS[2].name}: at least"
    yield f"| {goal} {GOAL_FASTER:.0f} x faster than gz CSV | {faster:,.0f} x | {met(faster >= GOAL_FASTER)} |"
    yield f"| {goal} {GOAL_FEWER:.0f} x fewer bytes than gz CSV | {fewer:,.0f} x | {met(fewer >= GOAL_FEWER)} |"


if __name__ == "__main__":
    main()
