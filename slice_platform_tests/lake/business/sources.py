"""Tables that models read in the tests of binding, lineage and personal data; they hold no rows but in MARKED."""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from slice_platform.engine import run
from slice_platform.lake.business.binding import BoundModel, bind
from slice_platform.lake.business.tables import SourceColumn, SourceTable
from slice_platform.lake.types import Field, LogicalType, duckdb_type
from slice_platform.sql_text import quoted

PATH = Path("defs/business/contacts/model.sql")
TEXT, INTEGER = LogicalType("string"), LogicalType("integer")
MONEY, INSTANT = LogicalType("number", precision=10, scale=2), LogicalType("timestamp", has_zone=True)
HOME = LogicalType("object", fields=(Field("city", TEXT), Field("floor", INTEGER)))
PEOPLE = SourceTable(
    "curated",
    "people",
    (
        SourceColumn("id", INTEGER, "internal"),
        SourceColumn("email", TEXT, "confidential"),
        SourceColumn("name", TEXT, "restricted"),
        SourceColumn("home", HOME, "confidential"),
        SourceColumn("tags", LogicalType("array", items=TEXT)),
        SourceColumn("joined_at", INSTANT),
    ),
)
ORDERS = SourceTable(
    "curated",
    "orders",
    (
        SourceColumn("id", INTEGER),
        SourceColumn("person", INTEGER),
        SourceColumn("amount", MONEY),
        SourceColumn("note", TEXT, "public"),
    ),
)
DAILY = SourceTable("business", "Daily", (SourceColumn("day", LogicalType("date")), SourceColumn("visitor", TEXT)))
TABLES: Mapping[str, SourceTable] = {table.full_name: table for table in (PEOPLE, ORDERS, DAILY)}
MARKED = {  # a text says which column it is from
    "curated.people": "select i, 'curated.people.email#' || i, 'curated.people.name#' || i, "
    "{'city': 'curated.people.home#' || i, 'floor': i}, ['curated.people.tags#' || i], "
    "timestamptz '2013-01-01 00:00:00+00' from range(1, 4) t(i)",
    "curated.orders": "select 100 + i, i, i * 7.5, 'curated.orders.note#' || i from range(1, 4) t(i)",
    "business.Daily": "select date '2013-01-01', 'business.Daily.visitor#' || i from range(1, 4) t(i)",
}


def bound(sql: str, tables: Mapping[str, SourceTable] = TABLES) -> BoundModel:
    return bind(PATH, sql, tables)


def fill(connection: duckdb.DuckDBPyConnection, rows: Mapping[str, str], tables: Mapping[str, SourceTable]) -> None:
    """Make the tables, each with the rows of a SELECT."""
    run(connection, "set TimeZone = 'UTC'")
    for tier in ("curated", "business"):
        run(connection, f"create schema {tier}")
    for name, table in tables.items():
        columns = ", ".join(f"{quoted(column.name)} {duckdb_type(column.type)}" for column in table.columns)
        run(connection, f"create table {table.tier}.{quoted(table.name)} ({columns})")
        run(connection, f"insert into {table.tier}.{quoted(table.name)} {rows[name]}")
