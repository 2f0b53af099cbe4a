"""Rows of the lake on their way to a database, judged as the rows of a file are."""

from collections.abc import Mapping
from dataclasses import replace

from duckdb import DuckDBPyConnection

from slice_platform.engine import run
from slice_platform.sql_text import quoted
from slice_platform.warehouse.checksum import Measure, checksum
from slice_platform.warehouse.checksum_spelling import DuckDbSpelling
from slice_platform.warehouse.gate import CheckedRows, check_typed, named_columns
from slice_platform.warehouse.parquet_rows import typed_rows
from slice_platform.warehouse.refusal import FileRefused, Finding
from slice_platform.warehouse.table_spec import TableSpec


def check_relation(
    connection: DuckDBPyConnection, relation: str, types: Mapping[str, str], spec: TableSpec
) -> CheckedRows:
    """All rows of `relation`, which is what a SELECT takes from, with their measure. `types` as DESCRIBE has them.

    Every value means the same to every destination, keys are there and differ, and every column of the table has its
    own. The relation is read twice: now, and when the rows go to a database.

    Raises:
        FileRefused: with what is wrong: columns and values, the first 1 000 of them.
    """
    if missing := [name for name in spec.names if name not in types]:
        raise FileRefused(*(Finding("is missing in the lake's table", column=name) for name in missing))
    columns = named_columns(tuple(types), spec)
    rows = typed_rows(relation, "row_number() over ()", columns, types, replace(spec, tolerated_bad_rows=0.0))
    checked = check_typed(connection, rows, columns, replace(spec, tolerated_bad_rows=0.0), is_measured=True)
    return checked if checked.measure else replace(checked, measure=measure_rows(connection, checked))


def measure_rows(connection: DuckDBPyConnection, checked: CheckedRows) -> Measure:
    """What the rows come to, as a database will count them."""
    total = checksum(DuckDbSpelling(), [(quoted(column.name), column.type) for column in checked.columns])
    ((rows, found),) = run(connection, f"select count(*), {total} from {checked.relation}")
    return Measure.of(int(rows), int(found))
