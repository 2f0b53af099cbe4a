"""The Parquet of the tables as we lay it out, and how DuckDB reads it back."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil

import duckdb

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import run
from slice_platform.lake.table import DataFile
from slice_platform.lake.types import duckdb_type, listed, literal, quoted

ROW_GROUP_ROWS = 20_480
WIDE_ROW_GROUP_ROWS = 122_880  # with hundreds of columns, small groups would fill the footer with statistics
WIDE_COLUMNS = 100
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


def write_partitions(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, rewritten: dict[str, list[DataFile]], target: Target
) -> list[str]:
    """Write new data files for the partitions that are the keys of `rewritten`; their paths.

    A partition gets its good staged rows, and those rows of its rewritten files that are not superseded.
    Sorted by `cluster_by`, row groups small enough to skip, zstd, files of about `target.file_bytes`.
    """
    order = ", ".join(quoted(name) for name in dict.fromkeys((*dataset.cluster_by, *dataset.key, "_file_id", "_row")))
    rows_per_group = WIDE_ROW_GROUP_ROWS if len(dataset.contract.columns) > WIDE_COLUMNS else ROW_GROUP_ROWS
    options = f"format parquet, {COMPRESSION}, row_group_size {rows_per_group}, field_ids {target.field_ids}"

    def write(numbered: tuple[int, str]) -> list[str]:
        number, key = numbered
        cursor = connection.cursor()
        rows = _partition_rows(dataset, key, rewritten[key])
        (count,) = run(cursor, f"select count(*) from ({rows})")[0]
        parts = ceil(count * target.bytes_per_row / target.file_bytes) if count else 0
        paths = [f"{target.folder}/{number:05d}-{part}.parquet" for part in range(parts)]
        if parts == 1:
            run(cursor, f"copy ({rows} order by {order}) to {literal(paths[0])} ({options})")
        elif parts > 1:
            _write_in_parts(cursor, f"{rows} order by {order}", paths, count, options)
        cursor.close()
        return paths

    with ThreadPoolExecutor(max_workers=target.threads) as pool:
        return [path for paths in pool.map(write, enumerate(sorted(rewritten))) for path in paths]


def existing_rows(dataset: Dataset, paths: Iterable[str], *, numbered: bool = False) -> str:
    """A relation over data files with every column of the contract; columns they lack are NULL.

    With `numbered` it has also `_path` and `_pos`, the place of the row in its file.
    """
    typed = ", ".join(f"null::{duckdb_type(c.type)} as {quoted(c.name)}" for c in dataset.contract.columns)
    where = ", filename = '_path', file_row_number = true" if numbered else ""
    place = "* rename (file_row_number as _pos)" if numbered else "*"
    return (
        f"((select {typed} limit 0) union all by name "
        f"select {place} from read_parquet({listed(paths)}, hive_partitioning = false, union_by_name = true{where}))"
    )


def written_rows(paths: Iterable[str]) -> str:
    """A relation over data files of one and the same schema."""
    return f"read_parquet({listed(paths)}, hive_partitioning = false)"


def _partition_rows(dataset: Dataset, key: str, rewritten: list[DataFile]) -> str:
    columns = ", ".join(quoted(name) for name in (*dataset.contract.names, *OWN_COLUMNS))
    new = f"select {columns} from stage where _errors is null and _partition = {literal(key)}"
    if not rewritten:
        return new
    old = existing_rows(dataset, [file.path for file in rewritten], numbered=True)
    return f"{new} union all select {columns} from {old} anti join superseded using (_path, _pos)"


def _write_in_parts(
    cursor: duckdb.DuckDBPyConnection, ordered: str, paths: list[str], count: int, options: str
) -> None:
    """Sort once into a table that may spill, then cut it by position."""
    run(cursor, f"create or replace temp table sorted as {ordered}")
    size = ceil(count / len(paths))
    for part, path in enumerate(paths):
        between = f"rowid between {part * size} and {(part + 1) * size - 1}"
        run(cursor, f"copy (select * from sorted where {between} order by rowid) to {literal(path)} ({options})")
    run(cursor, "drop table sorted")
