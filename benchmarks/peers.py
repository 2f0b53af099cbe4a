"""What a careful programmer writes with one engine alone: typed rows, the latest of each key, sorted Parquet by day.

No rejects, no audit, no table format, no memory of what was read. A value that cannot be read becomes NULL
(DuckDB drops the whole line of a CSV instead); rows without a key or a time are left out, rules are not looked at.
"""

import json
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from benchmarks.events import EVENT_COLUMNS, PAYLOAD_SHAPE, FileFormat, files_of
from benchmarks.program import bare_duckdb

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl

# Each peer is imported by its own function: a process must not pay for the others.
# ruff: noqa: PLC0415

Peer: TypeAlias = Literal["duckdb", "polars", "pandas", "spark", "dlt"]
ROW_GROUP_ROWS = 20_480
_TIME = "%Y-%m-%dT%H:%M:%S%.fZ"
_NETWORK = "STRUCT(kind VARCHAR, rtt_ms BIGINT)"
_DUCKDB_TYPES = EVENT_COLUMNS | {
    "payload": f"STRUCT(screen VARCHAR, app_version VARCHAR, network {_NETWORK}, tags VARCHAR[])"
}


def run_peer(peer: Peer, file_format: FileFormat, source: Path, target: Path) -> int:
    """Write the Parquet below `target`; how many rows it holds."""
    target.mkdir(parents=True)
    paths = [str(path) for path in files_of(source, file_format)]
    match peer:
        case "duckdb":
            return _duckdb(file_format, paths, target)
        case "polars":
            return _polars(file_format, paths, target)
        case "pandas":
            return _pandas(file_format, paths, target)
        case "spark":
            from benchmarks.peer_spark import run_spark

            return run_spark(file_format, paths, target)
        case "dlt":
            from benchmarks.peer_dlt import run_dlt

            return run_dlt(file_format, paths, target, ROW_GROUP_ROWS)


def _duckdb(file_format: FileFormat, paths: list[str], target: Path) -> int:
    connection = bare_duckdb()
    # Step by step: as one statement, ranking and sorting rows with text in them takes longer.
    _do(
        connection,
        f"create table event as {_duckdb_rows(file_format, paths)} "
        "where event_id is not null and event_time is not null",
    )
    _do(
        connection,
        "create table latest as select * from event "
        "qualify row_number() over (partition by event_id order by event_time desc) = 1",
    )
    options = f"format parquet, compression zstd, row_group_size {ROW_GROUP_ROWS}, partition_by (day)"
    by_day = "select *, strftime(event_time, '%Y-%m-%d') as day from latest order by day, user_id"
    _do(connection, f"copy ({by_day}) to '{target}' ({options}, overwrite_or_ignore)")
    (count,) = connection.execute("select count(*) from latest").fetchall()[0]
    return int(count)


def _duckdb_rows(file_format: FileFormat, paths: list[str]) -> str:
    if file_format == "jsonl":
        options = f"format = 'newline_delimited', columns = {_DUCKDB_TYPES}, ignore_errors = true"
        return f"select * from read_json({paths}, {options})"
    payload = f"from_json(try_cast(payload as json), '{PAYLOAD_SHAPE}') as payload"
    return (
        f"select * replace ({payload}) from read_csv({paths}, header = true, auto_detect = false, delim = ',', "
        f"quote = '\"', escape = '\"', columns = {EVENT_COLUMNS}, ignore_errors = true)"
    )


def _do(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    connection.execute(sql).fetchall()


def _polars(file_format: FileFormat, paths: list[str], target: Path) -> int:
    import polars as pl

    text = pl.String()
    leaves = pl.Struct(
        {
            "screen": text,
            "app_version": text,
            "network": pl.Struct({"kind": text, "rtt_ms": text}),
            "tags": pl.List(text),
        }
    )
    typed = pl.Struct(
        {
            "screen": text,
            "app_version": text,
            "network": pl.Struct({"kind": text, "rtt_ms": pl.Int64}),
            "tags": pl.List(text),
        }
    )
    # JSON is read as text first: polars gives up on a file with one value of another type, or one line cut short.
    if file_format == "jsonl":
        whole = pl.Struct({name: leaves if name == "payload" else text for name in _DUCKDB_TYPES})
        lines = pl.scan_lines(paths).filter(pl.col("line").str.ends_with("}"))
        rows = lines.select(pl.col("line").str.json_decode(whole).struct.unnest())
    else:
        csv = pl.scan_csv(paths, schema=dict.fromkeys(_DUCKDB_TYPES, text), truncate_ragged_lines=True)
        rows = csv.with_columns(pl.col("payload").str.json_decode(leaves))
    frame = (
        rows.with_columns(
            pl.col("event_time").str.to_datetime(_TIME, time_unit="us", time_zone="UTC", strict=False),
            pl.col("amount").cast(pl.Decimal(12, 2), strict=False),
            pl.col("session_seconds", "battery_percent").cast(pl.Int64, strict=False),
            pl.col("is_foreground") == "true",
            pl.col("payload").cast(typed, strict=False),
        )
        .drop_nulls(["event_id", "event_time"])
        .sort("event_time", descending=True)
        .unique("event_id", keep="first")
        .with_columns(day=pl.col("event_time").dt.date())
        .sort("day", "user_id")
        .collect()
    )
    for (day,), part in frame.partition_by("day", as_dict=True).items():
        _write_polars(part.drop("day"), target / f"day={day}")
    return frame.height


def _write_polars(part: "pl.DataFrame", folder: Path) -> None:
    folder.mkdir()
    part.write_parquet(folder / "data_0.parquet", compression="zstd", row_group_size=ROW_GROUP_ROWS)


def _pandas(file_format: FileFormat, paths: list[str], target: Path) -> int:
    import pandas as pd

    read = _pandas_jsonl if file_format == "jsonl" else _pandas_csv
    frame = pd.concat([_pandas_typed(read(path)) for path in paths], ignore_index=True)
    frame = frame.sort_values("event_time", ascending=False).drop_duplicates("event_id")
    frame = frame.assign(day=frame["event_time"].dt.strftime("%Y-%m-%d")).sort_values(["day", "user_id"])
    for day, part in frame.groupby("day"):
        _write_pandas(part.drop(columns="day"), target / f"day={day}")
    return len(frame)


def _pandas_jsonl(path: str) -> "pd.DataFrame":
    import gzip

    import pandas as pd

    with gzip.open(path, "rt", encoding="utf-8") as lines:
        whole = "".join(line for line in lines if line.endswith("}\n"))
    return pd.read_json(StringIO(whole), lines=True, dtype=False, convert_dates=False)


def _pandas_csv(path: str) -> "pd.DataFrame":
    import pandas as pd

    frame = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    frame["payload"] = [json.loads(text) if isinstance(text, str) else None for text in frame["payload"]]
    frame["is_foreground"] = frame["is_foreground"] == "true"
    return frame


def _pandas_typed(frame: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    frame["event_time"] = pd.to_datetime(frame["event_time"], errors="coerce", utc=True, format="ISO8601")
    frame = frame.dropna(subset=["event_id", "event_time"])
    for name in ("amount", "session_seconds", "battery_percent"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    for payload in frame["payload"]:
        if not isinstance(payload["network"]["rtt_ms"], int):
            payload["network"]["rtt_ms"] = None
    return frame


def _write_pandas(part: "pd.DataFrame", folder: Path) -> None:
    import pyarrow as pa

    text = pa.string()
    network = pa.struct({"kind": text, "rtt_ms": pa.int64()})
    schema = pa.schema(
        {
            **dict.fromkeys(("event_id", "user_id"), text),
            "event_time": pa.timestamp("us", "UTC"),
            "platform": text,
            "amount": pa.float64(),
            "session_seconds": pa.int64(),
            "battery_percent": pa.int64(),
            "is_foreground": pa.bool_(),
            "payload": pa.struct({"screen": text, "app_version": text, "network": network, "tags": pa.list_(text)}),
        }
    )
    folder.mkdir()
    part.to_parquet(
        folder / "data_0.parquet", compression="zstd", row_group_size=ROW_GROUP_ROWS, schema=schema, index=False
    )
