"""Which files made a partition as it is now, and what became of the files of a day, as the ledger and the table say.

Rows by file are exact and cheap: a data file that holds rows of one source file only says so in the table's
manifests; of the others one column is read, in one query for all partitions that are asked for.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import duckdb
import sqlalchemy as sa
from pyiceberg.conversions import from_bytes
from pyiceberg.types import LongType

from slice_platform.engine import run
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import DataFile, data_files, load_table
from slice_platform.ledger import file_row
from slice_platform.ledger_tables import file_partitions, files
from slice_platform.records import FileRow, FileStatus
from slice_platform.sql_text import listed

_NO_ARRIVAL = (FileStatus.ARRIVING, FileStatus.REPEATED)
_ASKED_AT_ONCE = 500  # ids in one statement: databases bound how many values one may carry


@dataclass(frozen=True)
class Standing:
    """The data files of some partitions as the table is now."""

    files: Mapping[str, Sequence[DataFile]]
    file_id_field: int = -1  # Iceberg's id of the column _file_id


@dataclass(frozen=True)
class PartitionSources:
    """The versions of files that had good rows for one partition: how many, and the latest of them, latest first."""

    total: int = 0
    latest: tuple[FileRow, ...] = ()
    rows_by_file: Mapping[int, int] | None = None  # rows in the partition now; of files that are not listed, too

    def rows_of(self, file: FileRow) -> int:
        return (self.rows_by_file or {}).get(file.id, 0)


@dataclass(frozen=True)
class Arrivals:
    """The files that came on one day, in UTC. Repeated deliveries are listed and not counted."""

    day: date
    files: int
    files_published: int
    files_quarantined: int
    files_withdrawn: int  # superseded or retracted
    size_bytes: int
    rows_read: int
    rows_published: int
    rows_duplicate: int
    rows_rejected: int
    latest: tuple[FileRow, ...]


def standing_files(lake: Lake, dataset: Dataset, partition_keys: Iterable[str]) -> Standing:
    """Of each of these partitions the data files; none where it is empty."""
    wanted: dict[str, list[DataFile]] = {key: [] for key in partition_keys}
    table = load_table(lake, dataset) if wanted else None
    if table is None:
        return Standing(wanted)
    for file in data_files(table, dataset.partition):
        if file.partition_key in wanted:
            wanted[file.partition_key].append(file)
    return Standing(wanted, table.schema().find_field("_file_id").field_id)


def sources_of(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    standing: Standing,
    most: int,
) -> dict[str, PartitionSources]:
    """For each partition in `standing` the files it was made from; at most `most` of them are listed."""
    rows = _rows_by_file(connection, standing)
    totals: dict[str, int] = {}
    latest: defaultdict[str, list[FileRow]] = defaultdict(list)
    for found in lake.ledger.read(_latest_by_partition(dataset, list(standing.files), most)):
        totals[found["partition_key"]] = found["total"]
        latest[found["partition_key"]].append(file_row(found))
    return {key: PartitionSources(totals.get(key, 0), tuple(latest[key]), rows[key]) for key in standing.files}


def arrivals_of(lake: Lake, dataset: Dataset, day: date, most: int) -> Arrivals:
    """What came on a day and what became of it, as the ledger knows it now; at most `most` files are listed."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    that_day = (files.c.dataset == dataset.name) & files.c.received_at.between(
        begin, begin + timedelta(days=1) - timedelta(microseconds=1)
    )
    sums = [sa.func.sum(files.c[name]).label(name) for name in _SUMMED]
    by_status = sa.select(files.c.status, sa.func.count().label("files"), *sums).where(that_day)
    totals: Counter[str] = Counter()
    for found in lake.ledger.read(by_status.group_by(files.c.status)):
        if found["status"] not in _NO_ARRIVAL:
            totals["files"] += found["files"]
            totals[found["status"]] += found["files"]
            totals.update({name: int(found[name]) for name in _SUMMED})
    listing = sa.select(files).where(that_day, files.c.status != FileStatus.ARRIVING)
    latest = lake.ledger.read(listing.order_by(files.c.id.desc()).limit(most))
    return Arrivals(
        day=day,
        files=totals["files"],
        files_published=totals[FileStatus.PUBLISHED],
        files_quarantined=totals[FileStatus.QUARANTINED],
        files_withdrawn=totals[FileStatus.SUPERSEDED] + totals[FileStatus.RETRACTED],
        latest=tuple(map(file_row, latest)),
        **{name: totals[name] for name in _SUMMED},
    )


def days_of_arrival(lake: Lake, file_ids: Iterable[int]) -> list[date]:
    """The days, in UTC, on which these files came."""
    days: set[date] = set()
    ids = iter(sorted(set(file_ids)))
    while some := list(islice(ids, _ASKED_AT_ONCE)):
        days |= {
            row["received_at"].astimezone(UTC).date() if row["received_at"].tzinfo else row["received_at"].date()
            for row in lake.ledger.read(sa.select(files.c.received_at).where(files.c.id.in_(some)))
        }
    return sorted(days)


_SUMMED = ("size_bytes", "rows_read", "rows_published", "rows_duplicate", "rows_rejected")


def _rows_by_file(connection: duckdb.DuckDBPyConnection, standing: Standing) -> dict[str, Counter[int]]:
    rows: dict[str, Counter[int]] = {key: Counter() for key in standing.files}
    mixed: dict[str, str] = {}  # path -> partition
    for key, partition in standing.files.items():
        for file in partition:
            only = _only_source(file, standing.file_id_field)
            if only is None:
                mixed[file.path] = key
            else:
                rows[key][only] += file.rows
    if mixed:
        scan = f"read_parquet({listed(mixed)}, hive_partitioning = false, union_by_name = true, filename = '_path')"
        for path, file_id, count in run(connection, f"select _path, _file_id, count(*) from {scan} group by all"):
            rows[mixed[path]][file_id] += count
    return rows


def _only_source(file: DataFile, field_id: int) -> int | None:
    """The source file of all rows of a data file, where its bounds in the manifest say that it is one."""
    low, high = ((bounds or {}).get(field_id) for bounds in (file.iceberg.lower_bounds, file.iceberg.upper_bounds))
    if low is None or low != high:
        return None
    return int(from_bytes(LongType(), low))


def _latest_by_partition(dataset: Dataset, keys: list[str], most: int) -> sa.Select[Any]:
    place, key = sa.func.row_number(), file_partitions.c.partition_key
    ranked = (
        sa.select(
            file_partitions,
            place.over(partition_by=key, order_by=file_partitions.c.file_id.desc()).label("place"),
            sa.func.count().over(partition_by=key).label("total"),
        )
        .join(files, files.c.id == file_partitions.c.file_id)
        .where(files.c.dataset == dataset.name, key.in_(keys))
        .subquery()
    )
    return (
        sa.select(ranked.c.partition_key, ranked.c.total, files)
        .join(files, files.c.id == ranked.c.file_id)
        .where(ranked.c.place <= most)
        .order_by(files.c.id.desc())
    )
