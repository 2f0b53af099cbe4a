"""The files of the demo, each with what it holds: how many rows, and which of them are bad."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TypeAlias

from slice_platform.demo.encoding import DEFECTS, Defect, FileFormat, encode, line_number
from slice_platform.demo.source import NULL, SourceTable, TableName, read_bytes, read_table

MAX_WIND_MPH = 250  # as the contract of weather has it
BAD_FILES: dict[FileFormat, int] = {"csv": 3, "jsonl": 2}  # each with one row per defect

Days: TypeAlias = dict[date, list[int]]  # positions in the source of each local day's flights


@dataclass(frozen=True)
class BadRow:
    """A row that its contract refuses. `line` counts from 1; `column` is None where the whole line is broken.

    `source_row` is the position, from 0, of the true row in the source: the table lacks it.
    """

    dataset: TableName
    file: str
    line: int
    column: str | None
    what: str
    source_row: int


@dataclass(frozen=True)
class DemoFile:
    """A file that can be written at any time, with the same bytes each time."""

    dataset: TableName
    name: str
    rows: int
    content: Callable[[], bytes]
    bad_rows: tuple[BadRow, ...] = ()


def by_local_day(flights: SourceTable) -> Days:
    """The source's flights by local date of departure, in the order of the source."""
    days: Days = {}
    parts = zip(*(map(int, flights.column(name)) for name in ("year", "month", "day")), strict=True)
    for row, (year, month, day) in enumerate(parts):
        days.setdefault(date(year, month, day), []).append(row)
    return dict(sorted(days.items()))


def format_of(day: date) -> FileFormat:
    """CSV and JSON lines take turns."""
    return "csv" if day.toordinal() % 2 else "jsonl"


def flight_file(
    flights: SourceTable, name: str, rows: list[int], defects: Mapping[int, Defect] | None = None
) -> DemoFile:
    """A flights file; its format is that of its name."""
    defects = defects or {}
    file_format: FileFormat = "csv" if name.endswith(".csv.gz") else "jsonl"
    bad_rows = tuple(
        BadRow("flights", name, line_number(rows.index(row), file_format), defect.column, defect.what, row)
        for row, defect in defects.items()
    )
    return DemoFile("flights", name, len(rows), partial(encode, flights, rows, file_format, defects), bad_rows)


def daily_flight_files(
    flights: SourceTable, days: Days, *, spared: Iterable[date], chance: random.Random
) -> dict[date, DemoFile]:
    """One file per day; a few of them, none of the `spared`, have one row spoiled in each known way."""
    candidates = sorted(set(days) - set(spared))
    bad_days = [
        day
        for file_format, how_many in BAD_FILES.items()
        for day in chance.sample([day for day in candidates if format_of(day) == file_format], how_many)
    ]
    defects = {day: dict(zip(chance.sample(days[day], len(DEFECTS)), DEFECTS, strict=True)) for day in bad_days}
    return {
        day: flight_file(flights, f"flights-{day}.{format_of(day)}.gz", rows, defects.get(day))
        for day, rows in days.items()
    }


def monthly_weather_files() -> list[DemoFile]:
    """Twelve files, as the source has them: one hour of it is impossible, and nobody had to spoil it."""
    weather = read_table("weather")
    months: dict[int, list[int]] = {}
    for row, month in enumerate(weather.column("month")):
        months.setdefault(int(month), []).append(row)
    wind = weather.column("wind_speed")
    return [_weather_file(weather, month, rows, wind) for month, rows in sorted(months.items())]


def planes_file() -> DemoFile:
    """The whole register in one file."""
    return DemoFile("planes", "planes.csv", len(read_table("planes").lines), partial(read_bytes, "planes"))


def _weather_file(weather: SourceTable, month: int, rows: list[int], wind: list[str]) -> DemoFile:
    name = f"weather-2013-{month:02}.csv.gz"
    bad_rows = tuple(
        BadRow("weather", name, line_number(position, "csv"), "wind_speed", f"{wind[row]} mph of wind", row)
        for position, row in enumerate(rows)
        if wind[row] != NULL and float(wind[row]) > MAX_WIND_MPH
    )
    return DemoFile("weather", name, len(rows), partial(encode, weather, rows, "csv"), bad_rows)
