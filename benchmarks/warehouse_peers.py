"""Other ways of a file into Postgres. Each takes conninfo, the file and the name of a table that is there, empty."""

import csv
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.warehouse_data import COLUMNS

# Each way is imported by whoever goes it.
# ruff: noqa: PLC0415

Way: TypeAlias = Callable[[str, Path, str], None]
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)


def raw_copy(conninfo: str, path: Path, table: str) -> None:
    """COPY as psycopg has it, of the bytes as they are."""
    import psycopg

    with psycopg.connect(conninfo) as connection, connection.cursor() as cursor, path.open("rb") as source:
        statement = f'COPY "{table}" ({_NAMES}) FROM STDIN WITH (FORMAT csv, HEADER true)'
        with cursor.copy(statement.encode()) as copy:
            while chunk := source.read(4 * 1024**2):
                copy.write(chunk)


def psql_copy(conninfo: str, path: Path, table: str) -> None:
    from slice_platform.local.postgres_server import program

    command = f"\\copy \"{table}\" ({_NAMES}) from '{path}' with (format csv, header true)"
    subprocess.run([program("psql"), "-q", "-d", conninfo, "-c", command], check=True)


def adbc(conninfo: str, path: Path, table: str) -> None:
    """Arrow by ADBC: of CSV by pyarrow's reader, of Parquet by its batches."""
    import adbc_driver_postgresql.dbapi as postgres

    with postgres.connect(conninfo) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(table, _batches(path), mode="append")
        connection.commit()


def pandas_to_sql(conninfo: str, path: Path, table: str) -> None:
    import pandas as pd

    frame = pd.read_csv(path, parse_dates=["day", "seen_at"])
    with _engine(conninfo) as engine:
        frame.to_sql(table, engine, if_exists="append", index=False)


def executemany(conninfo: str, path: Path, table: str) -> None:
    """SQLAlchemy's insert of rows as dictionaries, 10 000 at a time."""
    import sqlalchemy as sa

    with _engine(conninfo) as engine, engine.begin() as connection, path.open(newline="") as source:
        target = sa.Table(table, sa.MetaData(), autoload_with=connection)
        rows = []
        for row in csv.DictReader(source):
            rows.append({name: _python(name, value) for name, value in row.items()})
            if len(rows) == 10_000:
                connection.execute(target.insert(), rows)
                rows = []
        if rows:
            connection.execute(target.insert(), rows)


def dlt_append(conninfo: str, path: Path, table: str) -> None:
    """Arrow batches through dlt, which loads them as CSV by COPY."""
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt

    pipeline = dlt.pipeline(
        "warehouse",
        pipelines_dir=str(path.parent / "_dlt"),
        # It wants a password and a host; neither counts beside the folder of the socket.
        destination=dlt.destinations.postgres(conninfo.replace("postgres@/", "postgres:any@localhost/")),
        dataset_name="dlt",
    )
    pipeline.run(_batches(path), table_name=table, loader_file_format="csv", write_disposition="append")


def _batches(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    types = {
        "customer": pa.int32(),
        "amount": pa.decimal128(12, 2),
        "seen_at": pa.timestamp("us"),
        "visits": pa.int16(),
    }
    if path.suffix == ".parquet":
        file = pq.ParquetFile(path)
        return pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches(100_000))
    return pyarrow.csv.open_csv(
        path, convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    )


@contextmanager
def _engine(conninfo: str) -> Iterator[Any]:
    """Its connections are closed after the block."""
    import sqlalchemy as sa

    engine = sa.create_engine("postgresql+psycopg://" + conninfo.removeprefix("postgresql://"))
    try:
        yield engine
    finally:
        engine.dispose()


def _python(name: str, value: str) -> object:
    if value == "":
        return None
    if COLUMNS[name] in ("BIGINT", "INTEGER", "SMALLINT"):
        return int(value)
    return value == "true" if COLUMNS[name] == "BOOLEAN" else value
