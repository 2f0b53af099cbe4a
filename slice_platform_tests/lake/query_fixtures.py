"""A small dataset with a column of every kind that queries are pruned by, and lakes that hold some of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake, open_lake
from slice_platform.settings import load_settings
from slice_platform_tests.samples import DatasetText, drop

DAYS = 6
VISITS_A_DAY = 12

VISITS = DatasetText(
    contract="""\
apiVersion: v3.1.0
kind: DataContract
id: visits
version: 1.0.0
status: active
schema:
  - name: visits
    properties:
      - {name: id, logicalType: string, primaryKey: true}
      - {name: day, logicalType: date, required: true}
      - {name: moment, logicalType: timestamp}
      - {name: seen, logicalType: timestamp, logicalTypeOptions: {timezone: true}}
      - {name: n, logicalType: integer}
      - {name: amount, logicalType: number, logicalTypeOptions: {precision: 6, scale: 2}}
      - {name: ratio, logicalType: number}
      - name: page
        logicalType: object
        properties:
          - {name: path, logicalType: string}
          - {name: n, logicalType: integer}
""",
    defs="""\
type: slice_platform.components.lake_dataset.LakeDataset
attributes:
  files:
    - {pattern: "*.jsonl*", format: jsonl}
    - {pattern: "*.parquet", format: parquet}
    - {pattern: "*.txt", format: csv, delimiter: ";", encoding: latin-1, null_values: [NA]}
    - {pattern: "*.csv*", format: csv}
  mode: merge
  partition: {column: day, grain: day, start: 2013-01-01}
  tolerated_rejects: 0.5
""",
)


def visit(day: int, number: int) -> dict[str, object]:
    """Values that grow with the day, so that each column tells the files of the days apart; every fifth has gaps."""
    at = datetime(2013, 1, 1, tzinfo=UTC) + timedelta(days=day, hours=number * 2, microseconds=number)
    gap = number % 5 == 4
    return {
        "id": f"v{day}-{number:02d}",
        "day": str(date(2013, 1, 1) + timedelta(days=day)),
        "moment": None if gap else at.replace(tzinfo=None).isoformat(),
        "seen": at.isoformat(),
        "n": None if gap else day * 100 + number,
        "amount": None if gap else str(Decimal(day * 100 + number) / 4),
        "ratio": day + number / 100,
        "page": {"path": f"/{number}", "n": number},
    }


@contextmanager
def lake_of_visits(home: Path) -> Iterator[Lake]:
    """Six days of visits: six partitions of one data file each."""
    VISITS.write(home / "defs" / "visits")
    with open_lake(load_settings(home=home, defs_dir=home / "defs", landing_tick_seconds=0)) as lake:
        fill_visits(lake)
        yield lake


def fill_visits(lake: Lake) -> None:
    for day in range(DAYS):
        lines = (json.dumps(visit(day, number)) for number in range(VISITS_A_DAY))
        drop(lake, f"visits/day{day}.jsonl", "\n".join(lines).encode())
    ingest(lake, "visits")
