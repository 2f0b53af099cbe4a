"""Parquet as rows to be judged: what its types guarantee is taken, the rest is looked at as text."""

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from slice_platform.engine import run
from slice_platform.sql_text import literal, quoted
from slice_platform.warehouse.column_type import ColumnType, Kind
from slice_platform.warehouse.judgement import Rows
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.table_spec import Column, TableSpec
from slice_platform.warehouse.transcript import LINE
from slice_platform.warehouse.value_sql import Cell, text_cell, typed_cell, written_double

_SMALL = {"TINYINT", "SMALLINT", "UTINYINT"}
_MIDDLE = _SMALL | {"INTEGER", "USMALLINT"}
_FITS = {
    Kind.SMALLINT: _SMALL, Kind.INTEGER: _MIDDLE, Kind.BIGINT: _MIDDLE | {"BIGINT", "UINTEGER"}, Kind.REAL: {"FLOAT"},
    Kind.DOUBLE: {"FLOAT", "DOUBLE"}, Kind.BOOLEAN: {"BOOLEAN"}, Kind.DATE: {"DATE"},
    Kind.TIMESTAMP: {"TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_S"},
    Kind.TIMESTAMPTZ: {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP_S"},
}  # fmt: skip
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_NESTED = re.compile(r".*\[\d*\]|(STRUCT|MAP|UNION|LIST)\(.*", re.DOTALL)


def parquet_names(connection: DuckDBPyConnection, path: Path) -> dict[str, str]:
    """Its columns and their types, as DuckDB has them.

    Raises:
        FileRefused: it is no Parquet, or a damaged one.
    """
    try:
        found = run(connection, f"describe select * from read_parquet({literal(path)})")
    except duckdb.Error as error:
        raise refuse(f"The file is no Parquet that can be read: {str(error).splitlines()[0]}") from error
    return {name: kind for name, kind, *_ in found}


def parquet_rows(path: Path, columns: tuple[Column, ...], types: dict[str, str], spec: TableSpec) -> Rows:
    """The rows of these columns.

    Raises:
        FileRefused: a column holds what its type never is.
    """
    source = f"read_parquet({literal(path)}, file_row_number=true)"
    return typed_rows(source, "file_row_number + 1", columns, types, spec)


def typed_rows(
    source: str, number: str, columns: tuple[Column, ...], types: Mapping[str, str], spec: TableSpec
) -> Rows:
    """The rows of these columns of what a SELECT takes from `source`; `number` is SQL of which row it is, from 1.

    Raises:
        FileRefused: a column holds what its type never is.
    """
    cells: list[Cell] = []
    sources: list[str] = []
    findings: list[Finding] = []
    for column in columns:
        is_key, has = column.name in spec.primary_key, types[column.name]
        if fits(column.type, has):
            cells.append(typed_cell(column.name, column.type, is_key=is_key))
            sources.append(_moment(column, has))
        elif has == "BLOB" or (_NESTED.fullmatch(has) and column.type.kind is not Kind.SUPER):
            findings.append(Finding(f"is {has} in the file, {column.type} in the table", column=column.name))
        else:
            cells.append(text_cell(column.name, column.type, is_key=is_key))
            sources.append(f"{_text(quoted(column.name), has)} as {quoted(column.name)}")
    if findings:
        raise FileRefused(*findings)
    return Rows(
        f"(select {number} as {LINE}, {', '.join(sources)} from {source})", tuple(cells), spec.primary_key, "row"
    )


def _text(value: str, has: str) -> str:
    if has == "DOUBLE":
        return written_double(value)
    return f"to_json({value})::varchar" if _NESTED.fullmatch(has) else f"{value}::varchar"


def fits(kind: ColumnType, has: str) -> bool:
    """Whether every value of the file's type is one of the table's."""
    if kind.kind is Kind.DECIMAL and (found := _DECIMAL.fullmatch(has)):
        precision, scale = int(found[1]), int(found[2])
        return scale <= (kind.scale or 0) and precision - scale <= (kind.precision or 0) - (kind.scale or 0)
    return has in _FITS.get(kind.kind, ())


def _moment(column: Column, has: str) -> str:
    """A moment without a zone is in UTC."""
    name = quoted(column.name)
    if column.type.kind is Kind.TIMESTAMPTZ and has != "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {name}::timestamp) as {name}"
    return name
