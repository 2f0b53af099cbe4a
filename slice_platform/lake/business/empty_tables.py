"""A DuckDB in memory with the tables of a model, without rows: what binds there binds when the model runs.

The tables stand behind views, as in a query of the lake: so `rowid` and the like are as unknown here as there.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import duckdb

from slice_platform.lake.business.tables import TIERS, SourceTable
from slice_platform.lake.sql_tree import Node
from slice_platform.lake.types import duckdb_type
from slice_platform.sql_text import literal, quoted

HELD = "held"  # the schema of the tables behind the views
_PREPARED = (
    "set TimeZone = 'UTC'",
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set python_enable_replacements = false",  # a table name would find variables of this process
    "set enable_external_access = false",
)


@dataclass(frozen=True)
class BindingProblem:
    """Why DuckDB cannot bind a statement, and at which byte of it, where that is known."""

    kind: str
    message: str
    at: int | None
    name: str = ""  # of what is not there


@contextmanager
def empty_tables(tables: Iterable[SourceTable]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB that has these tables and nothing else."""
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        for statement in (*_PREPARED, *(f"create schema {name}" for name in (HELD, *TIERS)), *_created(tables)):
            connection.execute(statement).fetchall()
        yield connection


def plan_of(connection: duckdb.DuckDBPyConnection, sql: str) -> Node | BindingProblem:
    """The plan that DuckDB's binder makes of a SELECT, not yet optimized; else why there is none."""
    row = connection.execute(f"select json_serialize_plan({literal(sql)}::varchar)").fetchall()[0]
    answer = Node(json.loads(row[0]))
    plans = answer.nodes("plans")
    if not answer.says("error") and len(plans) == 1:
        return plans[0]
    at = answer.text("position")
    kind = answer.text("error_subtype") or answer.text("error_type")
    return BindingProblem(kind, answer.text("error_message"), int(at) if at.isdigit() else None, answer.text("name"))


def _created(tables: Iterable[SourceTable]) -> Iterator[str]:
    for table in tables:
        columns = ", ".join(f"{quoted(column.name)} {duckdb_type(column.type)}" for column in table.columns)
        held = f"{HELD}.{quoted(table.full_name)}"
        yield f"create table {held} ({columns})"
        yield f"create view {table.tier}.{quoted(table.name)} as from {held}"
