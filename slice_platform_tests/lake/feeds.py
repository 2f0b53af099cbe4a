"""A dataset called `feed`, described in a few words, and what became of the files dropped into it."""

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from slice_platform.lake.accounts import Published
from slice_platform.lake.dataset import COMPONENT
from slice_platform.lake.ingest import Ingested, ingest
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform.lake.rejects import folder_of
from slice_platform.lake.table import data_files, load_table
from slice_platform.records import FileRow, FileStatus
from slice_platform_tests.samples import DatasetText, drop

FILES: list[dict[str, Any]] = [
    {"pattern": "*.jsonl*", "format": "jsonl"},
    {"pattern": "*.csv*", "format": "csv"},
    {"pattern": "*.parquet", "format": "parquet"},
]
ID = {"name": "id", "logicalType": "string", "required": True}
N = {"name": "n", "logicalType": "integer"}
KEY = {"name": "id", "logicalType": "string", "primaryKey": True}
DAY = {"name": "day", "logicalType": "date", "required": True}
POSITIVE = {**N, "logicalTypeOptions": {"minimum": 0}}
DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]
BY_DAY = {"column": "day", "grain": "day", "start": "2026-01-01"}


def feed(*columns: dict[str, Any], **attributes: Any) -> dict[str, DatasetText]:
    """The dataset with these properties (ODCS) and attributes of defs.yaml; all rejects are tolerated."""
    table = {"name": "feed", "properties": list(columns or (ID, N))}
    contract = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "feed", "version": "1.0.0", "status": "active"}
    chosen = {"files": FILES, "mode": "append", "tolerated_rejects": 1.0, **attributes}
    if "quality" in chosen:
        table["quality"] = chosen.pop("quality")
    defs = {"type": COMPONENT, "attributes": chosen}
    return {"feed": DatasetText(json.dumps({**contract, "schema": [table]}, indent=1), json.dumps(defs, indent=1))}


def merged(**attributes: Any) -> dict[str, DatasetText]:
    """A feed of (id, n, day): id is the key, the greatest n wins, a partition is a day."""
    return feed(KEY, N, DAY, **{"mode": "merge", "order_by": ["n"], "partition": BY_DAY, **attributes})


@dataclass(frozen=True)
class Fate:
    """What became of one file: its ledger row, the published rows and the lines of its rejects.csv."""

    row: FileRow
    rows: list[tuple[Any, ...]]
    rejects: list[tuple[str, str, str, str]]  # line, column, reason, raw

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.row.rows_read, self.row.rows_published, self.row.rows_rejected


def fate_of(lake: Lake, name: str, content: bytes) -> Fate:
    """Drop one file, ingest, and look."""
    drop(lake, f"feed/{name}", content)
    ingest(lake, "feed")
    row = lake.ledger.list_files("feed", source_key=f"landing/feed/{name}")[-1]
    assert row.is_accounted
    return Fate(row, rows_of_file(lake, row.id), rejects_of_file(lake, row))


def rows_of_file(lake: Lake, file_id: int) -> list[tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in lake.dataset("feed").contract.names)
    return rows_of(lake, f"select {names} from curated.feed where _file_id = {file_id} order by _row")


def rows_of(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in query(lake, sql).table.to_pylist()]


def rejects_of_file(lake: Lake, row: FileRow) -> list[tuple[str, str, str, str]]:
    key = f"{folder_of(row)}/rejects.csv"
    if lake.store.stat(key) is None:
        return []
    csv.field_size_limit(2 * 16 * 1024**2)
    with lake.store.open(key) as source:
        found = list(csv.reader(io.StringIO(source.read().decode(), newline="")))
    assert found[0] == ["file", "line", "column", "reason", "raw"]
    assert all(line[0] == row.source_key for line in found[1:])
    return [(line[1], line[2], line[3], line[4]) for line in found[1:]]


def lines(*records: tuple[str, int | None, int]) -> bytes:
    """JSON lines of (id, n, day of January 2026)."""
    return jsonl(*({"id": key, "n": n, "day": f"2026-01-{day:02d}"} for key, n, day in records))


def jsonl(*records: Any) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def table_of(lake: Lake) -> list[tuple[str, int | None, int]]:
    """The rows of a `merged` feed, as `lines` takes them."""
    return rows_of(lake, "select id, n, day(day) from curated.feed order by id, n, day")


def deliver(lake: Lake, **contents: bytes) -> Ingested:
    """Drop files (`a_csv=...` is a.csv) and ingest them together."""
    for name, content in contents.items():
        drop(lake, f"feed/{name.replace('_', '.')}", content)
    return ingest(lake, "feed")


def only_batch(done: Ingested) -> Published:
    (batch,) = done.batches
    return batch


def paths(lake: Lake) -> dict[str, int]:
    """The data files of the table as it is now, and their rows."""
    dataset = lake.dataset("feed")
    table = load_table(lake, dataset)
    return {file.path: file.rows for file in data_files(table, dataset.partition)} if table else {}


def opened(lake: Lake, path: str) -> io.BytesIO:
    """A data file, wherever the lake lies."""
    with lake.store.open(path.removeprefix(lake.store.path(""))) as stored:
        return io.BytesIO(stored.read())


def snapshots(lake: Lake) -> int:
    table = load_table(lake, lake.dataset("feed"))
    return len(table.metadata.snapshots) if table else 0


def assert_accounted(lake: Lake) -> None:
    """Promise 2, counted once more without the ledger: from the table and from quarantine."""
    in_table = dict(rows_of(lake, "select _file_id, count(*) from curated.feed group by 1")) if snapshots(lake) else {}
    for row in lake.ledger.list_files("feed", statuses=[FileStatus.PUBLISHED]):
        assert row.is_accounted, row
        assert row.rows_published == in_table.pop(row.id, 0), row
        rejected = {line for line, _, _, _ in rejects_of_file(lake, row)}
        assert row.rows_rejected == len(rejected), row
    assert in_table == {}
