"""What has to be right about a file of rows before a database hears of it.

CSV takes a fast scan by DuckDB, which says yes or no for the whole file. Only where it says no, and for JSON lines, the
file is read record by record, and what is wrong is told with line, column and value.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from slice_platform.engine import run
from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.checksum import Measure, checksum
from slice_platform.warehouse.checksum_spelling import DuckDbSpelling
from slice_platform.warehouse.csv_records import MOST_RECORD_BYTES, csv_records
from slice_platform.warehouse.csv_shape import read_shape
from slice_platform.warehouse.input_file import InputFile
from slice_platform.warehouse.json_records import json_records
from slice_platform.warehouse.judgement import Rows, judge
from slice_platform.warehouse.parquet_rows import parquet_names, parquet_rows
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.table_spec import Column, TableSpec
from slice_platform.warehouse.transcript import Transcript, transcribe_csv, transcribe_json
from slice_platform.warehouse.value_sql import text_cell

KEYS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class CheckedRows:
    """Rows that go on. `relation` is what a SELECT of DuckDB takes them from, typed, in the order of `columns`."""

    columns: tuple[Column, ...]  # that the file has, in its order
    rows: int
    relation: str
    rows_set_aside: int = 0
    set_aside: tuple[Finding, ...] = ()  # the first findings of the rows that do not
    raw_csv: Path | None = None  # the file itself, where Postgres reads it as just these rows
    measure: Measure | None = None  # of the rows, where somebody compares it


def check_rows(
    connection: DuckDBPyConnection, file: InputFile, spec: TableSpec, *, is_update: bool = False
) -> CheckedRows:
    """The rows of a file, all of which fit the table; or those that do, where the table tolerates others.

    What `is_update` has the same columns in every row: those that it lacks keep their values.

    Raises:
        FileRefused: with what is wrong: the first 1 000 findings, and how many there are.
    """
    if file.path.stat().st_size == 0:
        raise refuse("The file is empty.")
    if file.format == "parquet":
        return _parquet(connection, file, spec)
    if file.format == "jsonl":
        return _json_lines(connection, file, spec, is_update=is_update)
    columns = header_columns(file.path, spec)
    fast = _scan(connection, file.path, columns, spec)
    return fast if fast is not None else _csv(connection, file, columns, spec)


def header_columns(path: Path, spec: TableSpec) -> tuple[Column, ...]:
    """The columns that the header of a CSV names, in its order.

    Raises:
        FileRefused: names that are unknown or come twice, or a key that is missing.
    """
    first = next(csv_records(path), None)
    if first is None:
        raise refuse("The file has blank lines only; a header is expected.")
    if first.finding is not None:
        raise FileRefused(first.finding)
    return named_columns(tuple(name or "" for name in first.fields), spec, line=first.line)


def named_columns(names: tuple[str, ...], spec: TableSpec, *, line: int | None = None) -> tuple[Column, ...]:
    """The columns of these names.

    Raises:
        FileRefused: some are unknown or come twice, or a column of the primary key is missing.
    """
    known = {column.name: column for column in spec.columns}
    alike = {name.strip().lower(): name for name in known}
    found = []
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            found.append(Finding("is there twice", line, value=name[:100]))
        if name not in known:
            meant = alike.get(name.strip().lower())
            hint = f"; did you mean {meant!r}?" if meant else f"; there are {', '.join(spec.names[:20])}"
            found.append(Finding(f"is no column of the table{hint}", line, value=name[:100]))
    found += [
        Finding("is missing: it is part of the primary key", line, value=name)
        for name in spec.primary_key
        if name not in names
    ]
    if found:
        raise FileRefused(*found)
    return tuple(known[name] for name in names)


def _scan(
    connection: DuckDBPyConnection, path: Path, columns: tuple[Column, ...], spec: TableSpec
) -> CheckedRows | None:
    """One pass over the file: the rows if all are right, else None."""
    texts = ", ".join(f"{literal(column.name)}: 'VARCHAR'" for column in columns)
    source = (
        f"read_csv({literal(path)}, header=true, auto_detect=false, delim=',', quote='\"', escape='\"', "
        f"allow_quoted_nulls=false, max_line_size={MOST_RECORD_BYTES}, columns={{{texts}}})"
    )
    shape = read_shape(path)
    inner = " or ".join(f"contains({quoted(column.name)}, '\"')" for column in columns) if shape.has_quotes else "false"
    found = _fast(connection, _text_rows(source, columns, spec), columns, f"count(*) filter (where {inner})")
    if found is None:
        return None
    # A quote inside a value may be one that Postgres takes for an opening one.
    checked, inside = found
    return checked if inside or not shape.is_plain(checked.rows) else replace(checked, raw_csv=path)


def _fast(
    connection: DuckDBPyConnection, rows: Rows, columns: tuple[Column, ...], more: str = "0"
) -> tuple[CheckedRows, int] | None:
    """All rows and what `more` comes to, if nothing is wrong with any."""
    sql = f"select count(*), count(*) filter (where {rows.wrong}), {more} from {rows.source}"
    try:
        ((total, wrong, counted),) = run(connection, sql)
        if wrong or (rows.key and _different_keys(connection, rows, total) != total):
            return None
    except duckdb.Error:
        return None  # the second reading says why, or that it is fine after all
    return CheckedRows(columns, total, f"(select {rows.values} from {rows.source})"), int(counted)


def _different_keys(connection: DuckDBPyConnection, rows: Rows, total: int) -> int:
    """How many keys there are, counted a share at a time: reading again costs less than memory for all of them."""
    key = f"({', '.join(cell.compared for cell in rows.keys)})"
    shares = total // KEYS_AT_ONCE + 1
    counted = 0
    for share in range(shares):
        where = f"where hash({key}) % {shares} = {share}" if shares > 1 else ""
        ((found,),) = run(connection, f"select count(distinct {key}) from {rows.source} {where}")
        counted += int(found)
    return counted


def _text_rows(source: str, columns: tuple[Column, ...], spec: TableSpec) -> Rows:
    cells = tuple(text_cell(column.name, column.type, is_key=column.name in spec.primary_key) for column in columns)
    return Rows(source, cells, spec.primary_key)


def _csv(connection: DuckDBPyConnection, file: InputFile, columns: tuple[Column, ...], spec: TableSpec) -> CheckedRows:
    records = csv_records(file.path)
    next(records)  # the header
    made = transcribe_csv(records, tuple(column.name for column in columns), file.path.with_suffix(".parquet"))
    return _judged(connection, made, columns, spec)


def _json_lines(connection: DuckDBPyConnection, file: InputFile, spec: TableSpec, *, is_update: bool) -> CheckedRows:
    records, target = json_records(file.path, spec), file.path.with_suffix(".parquet")
    made = transcribe_json(records, spec.names, target, same_keys=is_update)
    seen = tuple(name for name in spec.names if name in made.seen)
    columns = named_columns(seen, spec) if seen else spec.columns
    return _judged(connection, made, columns, spec)


def _judged(
    connection: DuckDBPyConnection, made: Transcript, columns: tuple[Column, ...], spec: TableSpec
) -> CheckedRows:
    rows = _text_rows(f"read_parquet({literal(made.path)})", columns, spec)
    verdict = judge(
        connection, rows, unread=made.unread, unread_findings=made.findings, tolerated=spec.tolerated_bad_rows
    )
    return CheckedRows(columns, verdict.rows, verdict.relation, verdict.rows_set_aside, verdict.findings)


def _parquet(connection: DuckDBPyConnection, file: InputFile, spec: TableSpec) -> CheckedRows:
    types = parquet_names(connection, file.path)
    columns = named_columns(tuple(types), spec)
    rows = parquet_rows(file.path, columns, types, spec)
    try:
        return check_typed(connection, rows, columns, spec)
    except duckdb.Error as error:
        raise refuse(f"The Parquet cannot be read: {str(error).splitlines()[0]}") from error


def check_typed(
    connection: DuckDBPyConnection,
    rows: Rows,
    columns: tuple[Column, ...],
    spec: TableSpec,
    *,
    is_measured: bool = False,
) -> CheckedRows:
    """Rows that have types, judged by one pass over them, or where something is wrong by a second that tells what.

    Raises:
        FileRefused: with what is wrong, row by row.
    """
    values = [(cell.value, column.type) for cell, column in zip(rows.cells, columns, strict=True)]
    total = checksum(DuckDbSpelling(), values) if is_measured else "0"
    if (fast := _fast(connection, rows, columns, total)) is not None:
        checked, found = fast
        return replace(checked, measure=Measure.of(checked.rows, found)) if is_measured else checked
    verdict = judge(connection, rows, unread=0, unread_findings=[], tolerated=spec.tolerated_bad_rows)
    return CheckedRows(columns, verdict.rows, verdict.relation, verdict.rows_set_aside, verdict.findings)
