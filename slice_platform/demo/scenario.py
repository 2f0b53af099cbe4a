"""What the demo delivers, and what must come of it: every row of every file is accounted for beforehand.

A year of daily flight files arrives in disorder, a damaged file and some bad rows among them. Then come
a late file, a file delivered twice, and a day that was sent before under another name.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple, TypeAlias

from slice_platform.demo.files import (
    BadRow,
    DemoFile,
    by_local_day,
    daily_flight_files,
    flight_file,
    monthly_weather_files,
    planes_file,
)
from slice_platform.demo.source import TableName, read_table
from slice_platform.records import FileRow, FileStatus

DEFAULT_SEED = 2013
TABLES: tuple[TableName, ...] = ("flights", "weather", "planes")
LATE = date(2013, 6, 15)
DELIVERED_TWICE = date(2013, 5, 1)
SENT_AGAIN = date(2013, 7, 4)
SENT_AGAIN_NAME = f"flights-{SENT_AGAIN}-resent.jsonl.gz"
DAMAGED = date(2013, 3, 10)
DAMAGED_NAME = f"flights-{DAMAGED}-part2.jsonl.gz"
_KEPT_SHARE = 0.6  # of the damaged file's bytes

Progress: TypeAlias = Callable[[int, int], None]  # files written, files in all


class Delivery(NamedTuple):
    """A file to copy to `landing/<dataset>/<its name>`; one path may be delivered more than once."""

    dataset: TableName
    path: Path


@dataclass(frozen=True)
class Totals:
    """What the ledger of one dataset adds up to, and so what its table holds: `rows_published` rows.

    Rows are those of published files; of a damaged file nobody knows how many it had.
    """

    rows_read: int = 0
    rows_published: int = 0
    rows_duplicate: int = 0
    rows_rejected: int = 0
    files_published: int = 0
    files_quarantined: int = 0
    files_repeated: int = 0


@dataclass(frozen=True)
class Scenario:
    """Files ready to be delivered in two waves, and the totals that must hold after each."""

    folder: Path
    wave_1: tuple[Delivery, ...]
    wave_2: tuple[Delivery, ...]
    after_wave_1: dict[TableName, Totals]
    after_wave_2: dict[TableName, Totals]
    bad_rows: tuple[BadRow, ...]
    damaged: str  # names of the flights files that have a story of their own
    late: str
    delivered_twice: str
    sent_again: str

    def refused(self, dataset: TableName) -> list[int]:
        """Positions in the source of the rows that the table lacks because their delivered form is bad."""
        return sorted(row.source_row for row in self.bad_rows if row.dataset == dataset)


def count(files: Iterable[FileRow]) -> Totals:
    """What the ledger's rows of one dataset add up to, to be compared with what was foretold."""
    by_status: dict[FileStatus, list[FileRow]] = {}
    for file in files:
        by_status.setdefault(file.status, []).append(file)
    published = by_status.get(FileStatus.PUBLISHED, [])
    return Totals(
        rows_read=sum(file.rows_read for file in published),
        rows_published=sum(file.rows_published for file in published),
        rows_duplicate=sum(file.rows_duplicate for file in published),
        rows_rejected=sum(file.rows_rejected for file in published),
        files_published=len(published),
        files_quarantined=len(by_status.get(FileStatus.QUARANTINED, [])),
        files_repeated=len(by_status.get(FileStatus.REPEATED, [])),
    )


def prepare(folder: Path, *, seed: int = DEFAULT_SEED, progress: Progress = lambda _done, _all: None) -> Scenario:
    """Write every file of the demo to `folder`/<dataset>/ and foretell what must come of it.

    Equal seeds give equal bytes in equal order; it is safe to repeat. Takes a few seconds.

    Raises:
        PermanentError: the package with the source's data is not installed.
    """
    chance = random.Random(seed)
    flights = read_table("flights")
    days = by_local_day(flights)
    by_day = daily_flight_files(flights, days, spared=(LATE, DELIVERED_TWICE, SENT_AGAIN), chance=chance)
    late = by_day.pop(LATE)
    first = [*by_day.values(), *monthly_weather_files(), planes_file()]
    again = flight_file(flights, SENT_AGAIN_NAME, days[SENT_AGAIN])
    damaged = _cut(flight_file(flights, DAMAGED_NAME, days[DAMAGED]))
    _write(folder, [*first, damaged, late, again], progress)

    wave_1 = [*first, damaged]
    chance.shuffle(wave_1)
    after_wave_1 = {table: _totals(table, first) for table in TABLES}
    return Scenario(
        folder=folder,
        wave_1=_deliveries(folder, wave_1),
        wave_2=_deliveries(folder, [late, by_day[DELIVERED_TWICE], again]),
        after_wave_1=after_wave_1,
        after_wave_2={**after_wave_1, "flights": _totals_after_wave_2(after_wave_1["flights"], late, again)},
        bad_rows=tuple(row for file in first for row in file.bad_rows),
        damaged=damaged.name,
        late=late.name,
        delivered_twice=by_day[DELIVERED_TWICE].name,
        sent_again=again.name,
    )


def _cut(file: DemoFile) -> DemoFile:
    whole = file.content()
    return replace(file, content=lambda: whole[: int(len(whole) * _KEPT_SHARE)])


def _write(folder: Path, files: list[DemoFile], progress: Progress) -> None:
    for done, file in enumerate(files, start=1):
        path = folder / file.dataset / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content())
        progress(done, len(files))


def _deliveries(folder: Path, files: Iterable[DemoFile]) -> tuple[Delivery, ...]:
    return tuple(Delivery(file.dataset, folder / file.dataset / file.name) for file in files)


def _totals(table: TableName, sound: list[DemoFile]) -> Totals:
    files = [file for file in sound if file.dataset == table]
    read = sum(file.rows for file in files)
    rejected = sum(len(file.bad_rows) for file in files)
    return Totals(
        rows_read=read,
        rows_published=read - rejected,
        rows_rejected=rejected,
        files_published=len(files),
        files_quarantined=1 if table == "flights" else 0,
    )


def _totals_after_wave_2(before: Totals, late: DemoFile, again: DemoFile) -> Totals:
    return replace(
        before,
        rows_read=before.rows_read + late.rows + again.rows,
        rows_published=before.rows_published + late.rows,
        rows_duplicate=again.rows,
        files_published=before.files_published + 2,
        files_repeated=1,
    )
