"""The checks that a built partition must pass before it is published."""

from collections.abc import Iterator

import duckdb

from slice_platform.engine import run
from slice_platform.errors import ModelFailed
from slice_platform.lake.audit import UNIQUE_KEY, Verdict
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.selecting import MADE
from slice_platform.lake.classification import is_closed
from slice_platform.lake.layout import existing_rows
from slice_platform.lake.table_definition import names_of
from slice_platform.sql_text import literal, quoted

RUNS, IN_PARTITION = "model_runs", "rows_in_partition"
_RAN = Verdict(RUNS, passed=True, is_blocking=True, message="the SQL ran through")


def check_names(table: BusinessTable) -> list[tuple[str, bool, str]]:
    """Every check of a business table: (name, whether it blocks, description)."""
    found = [(rule.name, rule.is_blocking, rule.description) for rule in table.quality]
    if table.key:
        found.insert(0, (UNIQUE_KEY, True, f"No two rows have the same {', '.join(table.key)}, and none lacks it."))
    if table.partition:
        by = f"The model gives rows of the partition it is asked for alone, by {table.partition.column}."
        found.insert(0, (IN_PARTITION, True, by))
    return [(RUNS, True, "The SQL of the model does not fail on the data."), *found]


def failed(error: ModelFailed) -> Verdict:
    """What there is to say of a partition whose rows could not be made."""
    return Verdict(RUNS, passed=False, is_blocking=True, message=str(error))


def judge(connection: duckdb.DuckDBPyConnection, table: BusinessTable, key: str) -> Iterator[Verdict]:
    """What the checks say of the rows that were made."""
    yield _RAN
    if table.partition is not None:
        yield _in_partition(connection, table, key)
    if table.key:
        yield _unique_key(connection, table)
    for rule in table.quality:
        figure, passed = run(
            connection, f"select figure, {rule.condition} from (select {rule.measure} as figure from {MADE})"
        )[0]
        message = f"{rule.description}: expected {rule.expected}, found {figure}"
        yield Verdict(rule.name, passed=bool(passed), is_blocking=rule.is_blocking, message=message)


def same_rows(connection: duckdb.DuckDBPyConnection, table: BusinessTable, before: list[str]) -> bool:
    """Whether the data files hold just the rows that were made, in whatever order."""
    if not before:
        return bool(run(connection, f"select count(*) = 0 from {MADE}")[0][0])
    columns = ", ".join(quoted(name) for name in names_of(table))
    counted = f"select count(*), sum(hash({columns})) from "
    return run(connection, counted + existing_rows(table, before)) == run(connection, counted + MADE)


def _in_partition(connection: duckdb.DuckDBPyConnection, table: BusinessTable, key: str) -> Verdict:
    assert table.partition is not None
    column, found = quoted(table.partition.column), table.partition.key_sql
    wrong, example = run(
        connection,
        f"select count(*), any_value({column}::varchar) from {MADE} "
        f"where {column} is null or {found} <> {literal(key)}",
    )[0]
    message = f"all rows are of {key}"
    if wrong:
        is_hidden = any(is_closed(one.classification) for one in table.columns if one.name == table.partition.column)
        shown = "NULL" if example is None else "another" if is_hidden else repr(example)
        message = (
            f"{wrong} rows are not of partition {key}: {table.partition.column} is {shown}. Let model.sql select by "
            "$partition_start and $partition_end what the column is made from"
        )
    return Verdict(IN_PARTITION, passed=not wrong, is_blocking=True, message=message)


def _unique_key(connection: duckdb.DuckDBPyConnection, table: BusinessTable) -> Verdict:
    names = [quoted(name) for name in table.key]
    columns, lacks = ", ".join(names), " or ".join(f"{name} is null" for name in names)
    again = run(connection, f"select {columns}, count(*) from {MADE} group by all having count(*) > 1 limit 3")
    (nulls,) = run(connection, f"select count(*) from {MADE} where {lacks}")[0]
    message = "no key occurs twice"
    if again:
        some = "; ".join(f"({', '.join(map(str, row[:-1]))}) {row[-1]} times" for row in again)
        # What is told goes to logs and chats.
        is_closed_key = any(is_closed(one.classification) for one in table.columns if one.name in table.key)
        found = "its values are not shown, as they are personal data" if is_closed_key else some
        message = f"{', '.join(table.key)} occurs more than once: {found}. Group or deduplicate in model.sql"
    elif nulls:
        message = f"{nulls} rows have no {' or '.join(table.key)}. Leave them out in model.sql, or give them a value"
    return Verdict(UNIQUE_KEY, passed=not again and not nulls, is_blocking=True, message=message)
