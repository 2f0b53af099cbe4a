"""Every reader sees one table: DuckDB behind `query`, pyiceberg's own scan, and polars."""

import json
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyiceberg.table import Table

from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform.lake.table import load_table
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import BY_DAY, DAY, KEY, N, deliver, feed
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT

COLUMNS: list[dict[str, Any]] = [
    KEY,
    DAY,
    N,
    {"name": "money", "logicalType": "number", "logicalTypeOptions": {"precision": 18, "scale": 4}},
    {"name": "large", "logicalType": "number", "logicalTypeOptions": {"precision": 38, "scale": 0}},
    {"name": "ratio", "logicalType": "number"},
    {"name": "flag", "logicalType": "boolean"},
    {"name": "clock", "logicalType": "time"},
    {"name": "local", "logicalType": "timestamp"},
    {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
    OBJECT,
    LIST,
]


def record(number: int) -> dict[str, Any]:
    if number % 7 == 0:
        return {"id": f"k{number}", "day": "2026-01-01"}
    return {
        "id": f"k{number}",
        "day": f"2026-01-{number % 5 + 1:02d}",
        "n": number - 50,
        "money": f"{number}.0625",
        "large": f"-{number}" + "0" * 30,
        "ratio": number / 7,
        "flag": number % 2 == 0,
        "clock": "23:59:59.999999",
        "local": f"2026-01-01T00:00:{number % 60:02d}.5",
        "at": f"2026-01-01T00:00:{number % 60:02d}+05:30",
        "o": {"a": number, "b": None if number % 3 else "ü"},
        "l": [number, None] * (number % 3),
    }


@pytest.fixture
def lake(make_lake: MakeLake) -> Lake:
    """Several commits, some of which rewrote files."""
    lake = make_lake(feed(*COLUMNS, mode="merge", order_by=["n"], partition=BY_DAY))
    for numbers in (range(60), range(40, 100), range(0, 100, 9)):
        text = "\n".join(json.dumps(record(number) | {"n": number + numbers.start}) for number in numbers)
        deliver(lake, **{f"f{numbers.start}{numbers.step}_jsonl": text.encode()})
    return lake


def table_of(lake: Lake) -> Table:
    table = load_table(lake, lake.dataset("feed"))
    assert table is not None
    return table


def by_id(found: pa.Table) -> list[dict[str, Any]]:
    return sorted(found.to_pylist(), key=lambda row: str(row["id"]))


def test_the_scan_of_pyiceberg_agrees_with_the_query(lake: Lake) -> None:
    rows = by_id(query(lake, "select * from curated.feed").table)
    assert len(rows) == 100
    assert by_id(table_of(lake).scan().to_arrow()) == rows


@pytest.mark.directory("polars has an S3 client of its own, to be told where S3 is")
@pytest.mark.filterwarnings("ignore:Iceberg scan planning:polars.exceptions.PerformanceWarning")
def test_polars_agrees_with_the_query(lake: Lake) -> None:
    rows = by_id(query(lake, "select * from curated.feed").table)
    found = pl.scan_iceberg(table_of(lake), reader_override="native").collect()
    assert by_id(found.to_arrow()) == rows


@pytest.mark.parametrize("where", ["day = '2026-01-03'", "id = 'k12'", "n >= 90"])
def test_filters_agree(lake: Lake, where: str) -> None:
    rows = by_id(query(lake, f"select * from curated.feed where {where}").table)
    assert rows
    assert by_id(table_of(lake).scan(row_filter=where).to_arrow()) == rows


def test_types_are_those_of_the_contract(lake: Lake) -> None:
    found = {field.name: str(field.type) for field in query(lake, "select * from curated.feed").table.schema}
    assert found == {
        "id": "string",
        "day": "date32[day]",
        "n": "int64",
        "money": "decimal128(18, 4)",
        "large": "decimal128(38, 0)",
        "ratio": "double",
        "flag": "bool",
        "clock": "time64[us]",
        "local": "timestamp[us]",
        "l": "list<l: int64>",
        "at": "timestamp[us, tz=UTC]",
        "o": "struct<a: int64, b: string>",
        "_file_id": "int64",
        "_row": "int64",
        "_ingested_at": "timestamp[us, tz=UTC]",
    }
