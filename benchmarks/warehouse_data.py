"""Rows for the benchmark of the propagator: twelve columns of every common type, the same for the same count."""

import json
from pathlib import Path

from benchmarks.program import bare_duckdb

COLUMNS = {
    "id": "BIGINT",
    "customer": "INTEGER",
    "amount": "DECIMAL(12,2)",
    "rate": "DOUBLE PRECISION",
    "is_active": "BOOLEAN",
    "day": "DATE",
    "seen_at": "TIMESTAMP",
    "country": "VARCHAR(2)",
    "name": "VARCHAR(40)",
    "note": "VARCHAR(80)",
    "code": "VARCHAR(16)",
    "visits": "SMALLINT",
}


def write_rows(path: Path, rows: int, *, first: int = 0, padding: int = 24) -> None:
    """CSV or Parquet, by the suffix; `padding` is the length of the column `note`."""
    select = f"""
        select i + {first} as id, (hash(i) % 2000000000)::integer as customer,
            ((hash(i + 1) % 10000000) / 100)::decimal(12,2) as amount, (hash(i + 2) % 1000003) / 1000003 as rate,
            i % 3 = 0 as is_active, date '2020-01-01' + (i % 2000)::integer as day,
            timestamp '2020-01-01' + to_seconds((hash(i + 3) % 190000000)::bigint) as seen_at,
            ['IN', 'DE', 'US', 'FR'][1 + i % 4] as country, 'customer number ' || hash(i + 4) % 100000 as name,
            left(md5(i::varchar) || md5((i + 5)::varchar), {padding}) as note,
            case when i % 11 = 0 then null else left(md5((i + 6)::varchar), 12) end as code,
            (i % 300)::smallint as visits
        from range({rows}) as r(i)"""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = "format csv, header" if path.suffix == ".csv" else "format parquet, compression zstd"
    bare_duckdb().execute(f"copy ({select}) to '{path}' ({options})")


def create_document(key: list[str] | None = None) -> bytes:
    """The file of schema/create for these rows."""
    return json.dumps({"column_specification": COLUMNS, **({"primary_key": key} if key else {})}).encode()


def create_sql(table: str) -> str:
    body = ", ".join(f'"{name}" {what}' for name, what in COLUMNS.items())
    return f'DROP TABLE IF EXISTS "{table}"; CREATE TABLE "{table}" ({body})'
