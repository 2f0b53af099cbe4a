"""Rows on their way, as one Parquet file of this machine: the same rows in the same order give the same bytes."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from slice_platform.sql_text import literal, quoted
from slice_platform.store import CHUNK_BYTES
from slice_platform.warehouse.source.reading import Scalar
from slice_platform.warehouse.source.window import written_value

_GROUP_ROWS, _GROUP_BYTES = 50_000, 32 * 1024**2  # a row group ends with the batch that reaches one of them


@dataclass(frozen=True)
class Spilled:
    path: Path
    rows: int

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def sha256(self) -> str:
        found = hashlib.sha256()
        with self.path.open("rb") as source:
            while chunk := source.read(CHUNK_BYTES):
                found.update(chunk)
        return found.hexdigest()

    def tail(self, column: str, since: Scalar) -> str:
        """A fingerprint of the rows from a value of the column on, in any order."""
        with duckdb.connect(":memory:") as connection:
            connection.execute("set TimeZone = 'UTC'").fetchall()
            what = "count(*), sum(hash(t)::hugeint), bit_xor(hash(t))"
            found = connection.execute(
                f"select {what} from read_parquet({literal(self.path)}, hive_partitioning = false) t "
                f"where {quoted(column)} >= {literal(written_value(since))}"
            ).fetchall()
        return " ".join(map(str, found[0]))


def spill(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> Spilled:
    """Write the batches; no more than one row group of them is in memory."""
    rows, group, size = 0, [], 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            group.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if size >= _GROUP_BYTES or sum(one.num_rows for one in group) >= _GROUP_ROWS:
                _write(writer, group, schema)
                group, size = [], 0
        _write(writer, group, schema)
    return Spilled(path, rows)


def _write(writer: pq.ParquetWriter, group: list[pa.RecordBatch], schema: pa.Schema) -> None:
    if group:
        table = pa.Table.from_batches(group, schema)
        writer.write_table(table, row_group_size=max(1, table.num_rows))
