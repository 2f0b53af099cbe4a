"""The SELECT around a model by which its columns are treated and take the types they are written in."""

from slice_platform.lake.business.binding import subquery
from slice_platform.lake.business.hashing import hashed
from slice_platform.lake.business.personal import Treated, TreatedColumn
from slice_platform.lake.types import LogicalType, duckdb_type
from slice_platform.sql_text import quoted

MASKED = "'***'"


def treated_sql(sql: str, treated: Treated) -> str:
    """The rows of the model `sql` as they are written. What is dropped is in no column of it.

    Where `treated.needs_key` the statements of `hash_variables` must have run before, or the query fails.
    """
    columns = (f"{_value(column)} as {quoted(column.name)}" for column in treated.columns)
    return f"select {', '.join(columns)} from {subquery(sql)}"


def _value(column: TreatedColumn) -> str:
    match column.treatment:
        case "mask":  # not even which rows had none
            return f"{MASKED if column.type.kind == 'string' else 'NULL'}::{duckdb_type(column.type)}"
        case "hash":
            return hashed(canonical_text(f"{quoted(column.name)}", column.model_type))
        case _:
            return f"{quoted(column.name)}::{duckdb_type(column.type)}"


def canonical_text(value: str, logical: LogicalType) -> str:
    """SQL of a text that is the same for the same value of the same type, in UTC; NULL stays NULL."""
    typed = f"{value}::{duckdb_type(logical)}"
    match logical.kind:
        case "string":
            return typed
        case "timestamp" if logical.has_zone:
            return f"(({typed}) at time zone 'UTC')::varchar || '+00'"
        case "number" if logical.precision is None:
            return f"({typed} + 0.0::double)::varchar"  # there is no -0.0
        case "object" | "array":
            return f"to_json({typed})::varchar"
        case _:
            return f"({typed})::varchar"
