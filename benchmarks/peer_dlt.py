"""The same work as the other peers, by dlt: its filesystem source, merged into DuckDB, and Parquet from there."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.events import EVENT_COLUMNS, PAYLOAD_SHAPE, FileFormat
from benchmarks.program import bare_duckdb

# dlt is imported by whoever runs it: no other process must pay for it.
# ruff: noqa: PLC0415

_CHUNK_ROWS = 20_000
_COLUMNS: dict[str, dict[str, Any]] = {
    "event_id": {"data_type": "text"},
    "user_id": {"data_type": "text"},
    "event_time": {"data_type": "timestamp", "dedup_sort": "desc", "nullable": True},
    "platform": {"data_type": "text"},
    "amount": {"data_type": "decimal", "precision": 12, "scale": 2},
    "session_seconds": {"data_type": "bigint"},
    "battery_percent": {"data_type": "bigint"},
    "is_foreground": {"data_type": "bool"},
    "payload": {"data_type": "json"},
}
_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "NORMALIZE__WORKERS": "2",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "200000",
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "200000",  # several files, so that two processes share them
}


def run_dlt(file_format: FileFormat, paths: list[str], target: Path, row_group_rows: int) -> int:
    """Write the Parquet below `target`; how many rows it holds."""
    os.environ.update(_SETTINGS)
    import dlt

    database = target / "events.duckdb"
    pipeline = dlt.pipeline(
        "events",
        pipelines_dir=str(target / "_dlt"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="lake",
    )
    pipeline.run(_resource(file_format, paths), loader_file_format="parquet")
    return _written(database, target, row_group_rows)


def _resource(file_format: FileFormat, paths: list[str]) -> Any:
    """Its own readers where they stand the data: the one for JSON ends at the first line that is cut short."""
    import dlt
    from dlt.sources.filesystem import filesystem, read_csv_duckdb

    files = filesystem(bucket_url=Path(paths[0]).parent.as_uri(), file_glob=f"*.{file_format}.gz")
    if file_format == "csv":
        rows = read_csv_duckdb(
            chunk_size=_CHUNK_ROWS, use_pyarrow=True, header=True, dtype=EVENT_COLUMNS, ignore_errors=True
        )
    else:
        rows = dlt.transformer(_json_rows)()
    with_key = (files | rows).with_name("events")
    if file_format == "csv":
        with_key.add_map(lambda table: table.filter(table["event_id"].is_valid()))
    with_key.apply_hints(
        write_disposition={"disposition": "merge", "strategy": "delete-insert"},
        primary_key="event_id",
        columns=_COLUMNS,
    )
    with_key.max_table_nesting = 0
    return with_key


def _json_rows(items: Any) -> Iterator[list[dict[str, Any]]]:
    from dlt.common import json

    for item in items:
        chunk: list[dict[str, Any]] = []
        with item.open() as lines:
            for line in lines:
                if not line.rstrip().endswith(b"}"):
                    continue
                row = json.loadb(line)
                if row["event_id"] is not None:
                    chunk.append(row)
                if len(chunk) >= _CHUNK_ROWS:
                    yield chunk
                    chunk = []
        yield chunk


def _written(database: Path, target: Path, row_group_rows: int) -> int:
    connection = bare_duckdb(str(database))
    names = ", ".join(name for name in EVENT_COLUMNS if name != "payload")
    rows = (
        f"select {names}, from_json(payload::json, '{PAYLOAD_SHAPE}') as payload, "
        "strftime(event_time, '%Y-%m-%d') as day from lake.events where event_time is not null order by day, user_id"
    )
    options = f"format parquet, compression zstd, row_group_size {row_group_rows}, partition_by (day)"
    (count,) = connection.execute(f"copy ({rows}) to '{target / 'table'}' ({options})").fetchall()[0]
    return int(count)
