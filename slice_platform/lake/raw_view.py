"""Raw files as a table of text, for looking at what came: raw.<dataset>, read as the ingest reads it.

Files that look alike are read together, so that a thousand files are a handful of scans.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import duckdb

from slice_platform.engine import run
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import LANDING, Lake
from slice_platform.lake.landing import path_below_dataset
from slice_platform.lake.sources import BUFFER_BYTES, MAX_LINE_BYTES, SourceFile, read_header
from slice_platform.lake.table_definition import TableDefinition, names_of
from slice_platform.lake.views import View, no_rows
from slice_platform.records import FileRow, FileStatus
from slice_platform.sql_text import listed, literal, quoted

_Columns: TypeAlias = tuple[tuple[str, str], ...]  # name and type, as the file has them

_PATH = "_slice_path"  # DuckDB's column with a row's file; no contract has such a name
_LOOKS_AT_ONCE = 16


@dataclass(frozen=True)
class _RawFile:
    row: FileRow
    source: SourceFile


def raw_columns(dataset: TableDefinition) -> list[tuple[str, str]]:
    """Name and DuckDB type of each column of raw.<dataset>: all text, and `_file`, the key it had in landing."""
    return [(name, "VARCHAR") for name in (*names_of(dataset), "_file")]


def raw_view(lake: Lake, connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> View:
    """Every record of the received and published files, whatever the checks say of it.

    What the parser cannot take for a record is left out, and so is a file whose columns cannot be told.
    """
    files = _files(lake, dataset)
    groups: dict[tuple[str, str, _Columns], list[_RawFile]] = defaultdict(list)
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        found = pool.map(lambda file: _columns_of(lake, connection, file), files)
        for file, columns in zip(files, found, strict=True):
            if columns is not None:
                groups[file.source.spec.model_dump_json(), file.source.compression, columns].append(file)
    selects = [_select(dataset, [f.source for f in group], columns) for (_, _, columns), group in groups.items()]
    opened = [file for group in groups.values() for file in group]
    return View(
        sql=" union all by name ".join([no_rows(raw_columns(dataset)), *selects]),
        columns=tuple(raw_columns(dataset)),
        paths=tuple(file.source.path for file in opened),
        files_total=len(files),
        stored_bytes=sum(file.row.size_bytes for file in opened),
    )


def _files(lake: Lake, dataset: Dataset) -> list[_RawFile]:
    found = []
    for row in lake.ledger.list_files(dataset.name, statuses=[FileStatus.RECEIVED, FileStatus.PUBLISHED]):
        below = path_below_dataset(row.source_key)
        spec = dataset.file_spec(below)
        if spec is not None and row.raw_key is not None and row.size_bytes > 0:
            found.append(_RawFile(row, SourceFile(row.id, lake.store.path(row.raw_key), below, spec)))
    return found


def _columns_of(lake: Lake, connection: duckdb.DuckDBPyConnection, file: _RawFile) -> _Columns | None:
    """The columns in the order of the file, or None if there is no telling."""
    try:
        match file.source.spec.format:
            case "jsonl":
                return ()
            case "csv":
                assert file.row.raw_key is not None
                with lake.store.open(file.row.raw_key) as stream:
                    return tuple((name, "VARCHAR") for name in read_header(file.source, stream)) or None
            case "parquet":
                parquet = f"read_parquet({listed([file.source.path])}, hive_partitioning = false)"
                described = run(connection.cursor(), f"describe select * from {parquet}")
                return tuple((str(row[0]), str(row[1])) for row in described)
    except (OSError, EOFError, csv.Error, UnicodeError, duckdb.Error):
        return None


def _select(dataset: Dataset, group: list[SourceFile], columns: _Columns) -> str:
    """One SELECT over files that look alike, with those columns of raw.<dataset> that they have."""
    relations: dict[str, Callable[[Dataset, list[SourceFile], _Columns], tuple[dict[str, str], str]]] = {
        "jsonl": _jsonl,
        "csv": _csv,
        "parquet": _parquet,
    }
    texts, relation = relations[group[0].spec.format](dataset, group, columns)
    texts |= {c.name: "from_path" for c in dataset.contract.columns if dataset.is_from_path(c)}
    wanted = [f"{texts[name]} as {quoted(name)}" for name in dataset.contract.names if name in texts]
    came = ", ".join(
        f"({literal(file.path)}, {literal(f'{LANDING}/{dataset.name}/{file.below}')}, {_path_value(dataset, file)})"
        for file in group
    )
    return (
        f"select {', '.join([*wanted, '_file'])} from {relation} "
        f"join (values {came}) as came({_PATH}, _file, from_path) using ({_PATH})"
    )


def _jsonl(dataset: Dataset, group: list[SourceFile], _columns: _Columns) -> tuple[dict[str, str], str]:
    """SQL of each column's text, and of the relation it is taken from."""
    wanted = [column for column in dataset.contract.columns if not dataset.is_from_path(column)]
    shape = json.dumps({c.name: "JSON" if c.type.is_nested else "VARCHAR" for c in wanted}, ensure_ascii=False)
    lines = (
        f"read_csv({listed(file.path for file in group)}, columns = {{'line': 'VARCHAR'}}, header = false, "
        f"auto_detect = false, delim = '\x01', quote = '', escape = '', strict_mode = false, {_reading(group[0])})"
    )
    objects = f"select {_PATH}, try_cast(line as json) as j from {lines}"
    relation = f"(select {_PATH}, from_json(j, {literal(shape)}) as r from ({objects}) where json_type(j) = 'OBJECT')"
    return {column.name: f"r.{quoted(column.name)}::varchar" for column in wanted}, relation


def _csv(_dataset: Dataset, group: list[SourceFile], columns: _Columns) -> tuple[dict[str, str], str]:
    spec = group[0].spec
    position = {name: f"h{n}" for n, (name, _) in enumerate(columns)}
    nulls = ", ".join(literal(value) for value in dict.fromkeys(("", *spec.null_values)))
    fields = ", ".join(f"'{field}': 'VARCHAR'" for field in (f"h{n}" for n in range(len(columns))))
    relation = (
        f"read_csv({listed(file.path for file in group)}, columns = {{{fields}}}, header = true, auto_detect = false, "
        f"delim = {literal(spec.delimiter)}, quote = {literal(spec.quote)}, escape = {literal(spec.quote)}, "
        f"nullstr = [{nulls}], allow_quoted_nulls = false, encoding = '{spec.encoding}', {_reading(group[0])})"
    )
    return position, relation


def _parquet(dataset: Dataset, group: list[SourceFile], columns: _Columns) -> tuple[dict[str, str], str]:
    kinds = dict(columns)
    nested = {c.name for c in dataset.contract.columns if c.type.is_nested and kinds.get(c.name) != "VARCHAR"}
    texts = {n: f"to_json({quoted(n)})::varchar" if n in nested else f"{quoted(n)}::varchar" for n in kinds}
    paths = listed(file.path for file in group)
    return texts, f"read_parquet({paths}, hive_partitioning = false, filename = '{_PATH}')"


def _reading(source: SourceFile) -> str:
    return (
        f"compression = '{source.compression}', max_line_size = {MAX_LINE_BYTES}, buffer_size = {BUFFER_BYTES}, "
        "ignore_errors = true, "
        f"filename = '{_PATH}', hive_partitioning = false"
    )


def _path_value(dataset: Dataset, source: SourceFile) -> str:
    value = dataset.path_value(source.below)
    return "null::varchar" if value is None else literal(value)
