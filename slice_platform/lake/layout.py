"""The Parquet of the tables as we lay it out, and how DuckDB reads it back."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

import duckdb

from slice_platform.engine import run
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.table import DataFile
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.types import duckdb_type
from slice_platform.sql_text import listed, literal, quoted

ROW_GROUP_ROWS = 20_480
# With hundreds of columns, small groups would fill the footer with statistics; but a group is held in memory while it
# is written, sixteen bytes or more for each value.
WIDE_GROUP_VALUES = 12_800_000
WIDE_COLUMNS = 100
_VALUES_AT_ONCE = 4_000_000  # a partition of more is sorted alone, by all threads, so that memory holds
_MANY_PARTITIONS, _MANY_ROWS = 16, 50_000  # from here on it pays to bring the stage into the partitions' order first
# Measured: level 2 is smaller and faster than DuckDB's 3. Bloom filters repeat what a small group's dictionary says.
COMPRESSION = "compression zstd, compression_level 2, write_bloom_filter false"
OWN_COLUMNS = ("_file_id", "_row", "_ingested_at")


@dataclass(frozen=True)
class Target:
    """Where data files go, and how large they are to become."""

    folder: str  # what DuckDB writes to
    field_ids: str
    file_bytes: int
    bytes_per_row: float  # expected, stored
    threads: int
    columns: int  # without those of the platform


def write_partitions(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, rewritten: dict[str, list[DataFile]], target: Target
) -> list[str]:
    """Write new data files for the partitions that are the keys of `rewritten`; their paths.

    A partition gets its good staged rows, and those rows of its rewritten files that are not superseded.
    Sorted by `cluster_by`, row groups small enough to skip, zstd, files of about `target.file_bytes`. The cost
    follows the rows that are written, however many partitions they are in.
    """
    order = (*dataset.cluster_by, *dataset.key, "_file_id", "_row")
    staged = _staged_by_partition(connection, dataset, rewritten)

    def write(numbered: tuple[int, str]) -> list[str]:
        number, key = numbered
        cursor = connection.cursor()
        rows = _partition_rows(dataset, staged.get(key), rewritten[key])
        paths = write_sorted(cursor, rows, order, number, target)
        cursor.close()
        return paths

    numbered = list(enumerate(sorted(rewritten)))
    most = _VALUES_AT_ONCE // (len(dataset.contract.columns) + len(OWN_COLUMNS))
    expected = {key: sum(file.rows for file in files) for key, files in rewritten.items()}
    large = [(n, key) for n, key in numbered if expected[key] + (staged[key].rows if key in staged else 0) > most]
    small = [one for one in numbered if one not in set(large)]
    with ThreadPoolExecutor(max_workers=target.threads) as pool:
        written = dict(zip(small, pool.map(write, small), strict=True))
    written |= {one: write(one) for one in large}
    return [path for one in numbered for path in written[one]]


def write_sorted(
    connection: duckdb.DuckDBPyConnection, rows: str, order: Iterable[str], number: int, target: Target
) -> list[str]:
    """Write the rows of one partition in this order into as many files as they need, named after `number`."""
    (count,) = run(connection, f"select count(*) from ({rows})")[0]
    ordered = f"{rows} order by {', '.join(quoted(name) for name in dict.fromkeys(order))}" if order else rows
    parts = ceil(count * target.bytes_per_row / target.file_bytes) if count else 0
    paths = [f"{target.folder}/{number:05d}-{part}.parquet" for part in range(parts)]
    rows_per_group = _rows_per_group(target.columns)
    options = f"format parquet, {COMPRESSION}, row_group_size {rows_per_group}, field_ids {target.field_ids}"
    if parts == 1:
        run(connection, f"copy ({ordered}) to {literal(paths[0])} ({options})")
    elif parts > 1:
        _write_in_parts(connection, f"sorted_{number}", ordered, paths, options)
    return paths


def existing_rows(dataset: TableDefinition, paths: Iterable[str], *, numbered: bool = False) -> str:
    """A relation over data files with every column of the contract; columns they lack are NULL.

    With `numbered` it has also `_path` and `_pos`, the place of the row in its file.
    """
    typed = ", ".join(f"null::{duckdb_type(c.type)} as {quoted(c.name)}" for c in dataset.columns)
    where = ", filename = '_path', file_row_number = true" if numbered else ""
    place = "* rename (file_row_number as _pos)" if numbered else "*"
    return (
        f"((select {typed} limit 0) union all by name "
        f"select {place} from read_parquet({listed(paths)}, hive_partitioning = false, union_by_name = true{where}))"
    )


def written_rows(paths: Iterable[str]) -> str:
    """A relation over data files of one and the same schema."""
    return f"read_parquet({listed(paths)}, hive_partitioning = false)"


@dataclass(frozen=True)
class _Staged:
    """The good staged rows of one partition: how many, and what to select them from."""

    rows: int
    relation: str


def _staged_by_partition(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, rewritten: Iterable[str]
) -> dict[str, _Staged]:
    """Where the staged rows of each of the partitions are.

    Reading the stage once for each of hundreds of partitions would cost the square of the batch, so their rows are
    brought together first.
    """
    counts = dict(run(connection, "select _partition, count(*) from stage where _errors is null group by 1"))
    wanted = {key: counts[key] for key in rewritten if key in counts}
    if len(wanted) <= _MANY_PARTITIONS or sum(wanted.values()) <= _MANY_ROWS:
        of = "stage where _errors is null and _partition"
        return {key: _Staged(rows, f"{of} = {literal(key)}") for key, rows in wanted.items()}
    columns = ", ".join(quoted(name) for name in (*dataset.contract.names, *OWN_COLUMNS))
    run(
        connection,
        f"create or replace table by_partition as select {columns}, _partition from stage where _errors is null "
        "order by _partition",
    )
    places = run(connection, "select _partition, min(rowid), max(rowid) from by_partition group by 1")
    return {
        key: _Staged(wanted[key], f"by_partition where rowid between {first} and {last}")
        for key, first, last in places
        if key in wanted
    }


def _partition_rows(dataset: Dataset, staged: _Staged | None, rewritten: list[DataFile]) -> str:
    columns = ", ".join(quoted(name) for name in (*dataset.contract.names, *OWN_COLUMNS))
    new = f"select {columns} from {staged.relation if staged else 'stage where false'}"
    if not rewritten:
        return new
    old = existing_rows(dataset, [file.path for file in rewritten], numbered=True)
    return f"{new} union all select {columns} from {old} anti join superseded using (_path, _pos)"


def _rows_per_group(columns: int) -> int:
    """In whole vectors of DuckDB, of 2048 rows."""
    if columns <= WIDE_COLUMNS:
        return ROW_GROUP_ROWS
    return max(ROW_GROUP_ROWS, WIDE_GROUP_VALUES // columns // 2048 * 2048)


def _write_in_parts(cursor: duckdb.DuckDBPyConnection, name: str, ordered: str, paths: list[str], options: str) -> None:
    """Sort once into a table that may spill, then cut it by position."""
    run(cursor, f"create or replace table {name} as {ordered}")
    (count,) = run(cursor, f"select count(*) from {name}")[0]
    size = ceil(count / len(paths))
    for part, path in enumerate(paths):
        between = f"rowid between {part * size} and {(part + 1) * size - 1}"
        # In the order of the table, which is the order it was filled in: DuckDB preserves it.
        run(cursor, f"copy (select * from {name} where {between}) to {literal(path)} ({options})")
    run(cursor, f"drop table {name}")
