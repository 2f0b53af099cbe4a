"""RESULTS.md: what was measured, on what, and whether the goals are met. Nobody edits it by hand."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from statistics import median

from benchmarks.contender import CONTENDERS, Contender
from benchmarks.events import FORMATS, Events, FileFormat
from benchmarks.measure import Cost
from benchmarks.program import heading

GOAL_RATIO = 1.5  # of the seconds of bare DuckDB
GOAL_SLOWER: dict[Contender, float] = {"spark": 5.0, "dlt": 5.0}  # times the seconds of slice ingest
GOAL_PEAK_BYTES = 2 * 1000**3
GOAL_COMPRESSION = 8.0  # raw JSON against curated Parquet
_MB, _GB = 1000**2, 1000**3
_LIBRARIES = ("duckdb", "pyarrow", "pyiceberg", "polars", "pandas", "numpy", "pyspark", "dlt")
_FORMAT_NAMES: dict[FileFormat, str] = {"jsonl": "JSON lines", "csv": "CSV"}
_NAMES: dict[Contender, str] = {
    "slice": "slice ingest",
    "duckdb": "bare DuckDB",
    "polars": "polars",
    "pandas": "pandas",
    "spark": "PySpark local[2]",
    "dlt": "dlt, merge",
}


@dataclass(frozen=True)
class Measurement:
    """One contender, one format, one round."""

    contender: Contender
    file_format: FileFormat
    round: int
    cost: Cost
    rows: int
    expected_rows: int
    parquet_bytes: int

    @property
    def counts_agree(self) -> bool:
        return self.rows == self.expected_rows


@dataclass(frozen=True)
class Circumstances:
    """What can be said of the machine without naming it."""

    cores: int
    memory_bytes: int
    system: str
    load: float
    python: str
    libraries: dict[str, str]
    measured_at: datetime

    @staticmethod
    def now() -> "Circumstances":
        return Circumstances(
            cores=os.cpu_count() or 1,
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            system=f"{platform.system()} {platform.machine()}",
            load=os.getloadavg()[0],
            python=platform.python_version(),
            libraries={name: number for name in _LIBRARIES if (number := _version(name))},
            measured_at=datetime.now(UTC),
        )

    def lines(self) -> Iterator[str]:
        libraries = ", ".join(f"{name} {number}" for name, number in self.libraries.items())
        yield (
            f"- Machine: {self.cores} cores, {self.memory_bytes / _GB:.0f} GB of memory, {self.system}; "
            f"load average {self.load:.1f} before the start."
        )
        yield f"- Python {self.python}, {libraries}."


@dataclass(frozen=True)
class Report:
    """Everything RESULTS.md is made of."""

    events: Events
    measured: list[Measurement]
    started: Circumstances
    command: str

    def of(self, contender: Contender, file_format: FileFormat) -> list[Measurement]:
        """By round; empty where the contender was left out."""
        return [m for m in self.measured if (m.contender, m.file_format) == (contender, file_format)]

    def ratios(self, contender: Contender, file_format: FileFormat) -> list[float]:
        """Seconds against bare DuckDB in the same round."""
        return self.against("duckdb", contender, file_format)

    def against(self, base: Contender, contender: Contender, file_format: FileFormat) -> list[float]:
        """Seconds against another contender in the same round."""
        seconds = {m.round: m.cost.seconds for m in self.of(base, file_format)}
        return [m.cost.seconds / seconds[m.round] for m in self.of(contender, file_format)]

    def text(self) -> str:
        return "\n".join([*self._head(), *self._tables(), *self._verdict(), *self._reading(), *_others()]) + "\n"

    def _head(self) -> Iterator[str]:
        events = self.events
        rounds = max(m.round for m in self.measured)
        bad = sum(count for kind, count in events.rows_by_kind.items() if kind != "good")
        yield from heading("Ingest, measured", self.command, self.started)
        yield f"- Data: {events.rows:,} device events, seeded: 5 % repeat a key, {bad:,} are bad; in 8 files as"
        for file_format, name in _FORMAT_NAMES.items():
            plain, stored = events.plain_bytes[file_format] / _MB, events.stored_bytes[file_format] / _MB
            yield f"  {name} {plain:,.1f} MB, as gz {stored:,.1f} MB."
        yield f"- {rounds} rounds; in each round every contender once, in its own process; Spark and dlt once in all."
        yield "- Seconds and peak memory are those of the whole process, imports included: median (lowest - highest)."

    def _tables(self) -> Iterator[str]:
        for file_format in FORMATS:
            yield ""
            yield f"## {_FORMAT_NAMES[file_format]}, gz"
            yield ""
            yield "| | seconds | x bare DuckDB, by round | peak memory, MB | rows out | as expected | Parquet, MB |"
            yield "|---|---|---|---|---|---|---|"
            for contender in CONTENDERS:
                if found := self.of(contender, file_format):
                    yield self._line(contender, found)

    def _line(self, contender: Contender, found: list[Measurement]) -> str:
        ratios = " / ".join(f"{ratio:.2f}" for ratio in self.ratios(contender, found[0].file_format))
        return " | ".join(
            (
                f"| {_NAMES[contender]}",
                _spread([m.cost.seconds for m in found], 1),
                ratios,
                _spread([m.cost.peak_bytes / _MB for m in found], 0),
                f"{found[0].rows:,}",
                "yes" if all(m.counts_agree for m in found) else f"NO, {found[0].expected_rows:,}",
                f"{found[0].parquet_bytes / _MB:,.1f} |",
            )
        )

    def _verdict(self) -> Iterator[str]:
        yield ""
        yield "## Goals"
        yield ""
        yield "| goal | found | |"
        yield "|---|---|---|"
        for file_format in FORMATS:
            ratio = median(self.ratios("slice", file_format))
            goal = f"{file_format}: at most {GOAL_RATIO} x the seconds of bare DuckDB, median of the rounds"
            yield f"| {goal} | {ratio:.2f} x | {met(ratio <= GOAL_RATIO)} |"
        for contender, least in GOAL_SLOWER.items():
            for file_format in FORMATS:
                if slower := self.against("slice", contender, file_format):
                    goal = f"{file_format}: {_NAMES[contender]} at least {least:.0f} x the seconds of slice ingest"
                    yield f"| {goal} | {slower[0]:.1f} x | {met(slower[0] >= least)} |"
        for file_format in FORMATS:
            peak = max(m.cost.peak_bytes for m in self.of("slice", file_format))
            goal = f"{file_format}: below {GOAL_PEAK_BYTES / _GB:.0f} GB of memory, highest of the rounds"
            yield f"| {goal} | {peak / _GB:.2f} GB | {met(peak < GOAL_PEAK_BYTES)} |"
        smaller = self.events.plain_bytes["jsonl"] / self.of("slice", "jsonl")[0].parquet_bytes
        goal = f"curated Parquet at least {GOAL_COMPRESSION:.0f} x smaller than the raw JSON"
        yield f"| {goal} | {smaller:.1f} x | {met(smaller >= GOAL_COMPRESSION)} |"

    def _reading(self) -> Iterator[str]:
        yield ""
        yield "## What differs"
        yield ""
        yield from (
            "- slice ingest takes files from landing, keeps a verified copy, checks each gz to its end and every value",
            "  against the contract, keeps each rejected row with its reason, proves counts and keys on what it wrote,",
            "  and commits to an Iceberg table. The others do none of this; they end with the same layout.",
            f"- slice ingest publishes {self.events.keys_without_bad:,} rows: the keys of the good rows. The others",
            "  look at no rule and keep bad rows too, if key and time can be read, with NULL for what cannot; DuckDB",
            "  leaves out a CSV line as soon as one value does not fit. Expected counts come from how data was made.",
            "- slice ingest stores three columns more: the file, the row's number in it, and when the file came.",
            "- bare DuckDB has two threads, as slice ingest has, and no memory limit; slice ingest has one of 1200 MB.",
            "- PySpark is local[2] with 4 GB; its seconds include the start of the JVM, its memory is that of the JVM.",
            "- dlt reads with its filesystem source (JSON by a reader that passes over lines cut short, CSV by DuckDB",
            "  into Arrow), normalizes in two processes and merges by key into DuckDB; the Parquet is written from it.",
            "- polars and pandas parse the time and the amount by themselves; pandas keeps the amount as a float.",
        )


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:  # a peer that is installed by `make bench` alone
        return None


def _others() -> Iterator[str]:
    yield ""
    yield "## Other measurements"
    yield ""
    yield from (
        "Each is a program of its own that takes minutes, and writes what it found beside this file:",
        "",
        "| command | question |",
        "|---|---|",
        "| `python -m benchmarks.volume` | [do batches above memory finish, and in how much](VOLUME.md) |",
        "| `python -m benchmarks.scan` | [what questions cost, of gz CSV, flat Parquet and our table](SCAN.md) |",
        "| `python -m benchmarks.late_batch` | [does a late batch cost what it touches](LATE_BATCH.md) |",
        "| `python -m benchmarks.micro_batches` | [do a thousand commits slow down the last one](MICRO_BATCHES.md) |",
    )


def _spread(values: list[float], digits: int) -> str:
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} - {max(values):,.{digits}f})"


def met(is_met: bool) -> str:  # noqa: FBT001  # the one thing it says
    return "met" if is_met else "**not met**"
