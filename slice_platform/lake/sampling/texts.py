"""The samples as a table of text, staged by the reader of the ingest: `stage`, a VARCHAR for every column."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from slice_platform.engine import run
from slice_platform.lake.cast_sql import value_shape
from slice_platform.lake.contract import Column, Contract
from slice_platform.lake.dataset import Dataset, DatasetSpec, FileSpec
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake, Tables, open_lake
from slice_platform.lake.reader import StagedFile, stage
from slice_platform.lake.sampling.dialect import refused
from slice_platform.lake.sampling.heads import Head
from slice_platform.lake.sampling.shape import TEXT, Shape, left_out, of_json, of_parquet, opaque, without_maps
from slice_platform.lake.sources import SourceFile, lines_sql, read_header
from slice_platform.lake.types import LogicalType
from slice_platform.lake.value_rules import ValueRules
from slice_platform.records import FileRow, FileStatus
from slice_platform.settings import load_settings
from slice_platform.sql_text import literal, quoted

_NO_NAME = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ].*)?|\d{1,2}[./]\d{1,2}[./]\d{4}.*|[+-]?\d+[.,]\d+|[^@\s]+@[^@\s]+\.[^@\s]+|"
    r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
PLACES = "sample"


@dataclass(frozen=True)
class SampleTable:
    """The samples, staged. A record that is none is `unread`; it has no row in `stage`, or one with `_broken`."""

    connection: duckdb.DuckDBPyConnection
    format: str
    shapes: dict[str, Shape]  # of the columns a contract can have, in the order of the file
    left_out: dict[str, str] = field(default_factory=dict)  # column and why

    @property
    def rows(self) -> int:
        return int(run(self.connection, "select count(*) from stage")[0][0])

    def with_shapes(self, shapes: dict[str, Shape]) -> "SampleTable":
        return SampleTable(self.connection, self.format, shapes, self.left_out)


@contextmanager
def scratch_lake(folder: Path) -> Iterator[tuple[Lake, duckdb.DuckDBPyConnection]]:
    """A lake of our own, with the deployment's limits on memory and threads, and an engine."""
    settings = load_settings(
        home=folder, lake_uri=None, metadata_url=None, catalog="sql", catalog_url=None, aws_endpoint_url=None
    )
    with open_lake(settings, Tables({}, {})) as lake, engine(lake) as connection:
        yield lake, connection


def file_rows(lake: Lake, dataset: str, heads: list[Head]) -> list[FileRow]:
    """The heads as raw files of the scratch lake, which is what the reader reads."""
    now = datetime.now(UTC)
    rows = []
    for number, head in enumerate(heads, start=1):
        key = f"{PLACES}/{number}/{head.copy.name}"
        size = head.copy.stat().st_size
        assert Path(lake.store.path(key)) == head.copy
        rows.append(
            FileRow(
                id=number, dataset=dataset, source_key=f"landing/{dataset}/{head.sample.name}", version="",
                size_bytes=size, plain_bytes=0, sha256=None, received_at=now, raw_key=key, status=FileStatus.RECEIVED,
                left_landing=True, rows_read=0, rows_published=0, rows_duplicate=0, rows_rejected=0, error=None,
                repeat_of=None,
            )
        )  # fmt: skip
    return rows


def load_texts(
    lake: Lake, connection: duckdb.DuckDBPyConnection, heads: list[Head], null_values: tuple[str, ...] = ()
) -> SampleTable:
    """Fill `stage` with the text of every column.

    Raises:
        PermanentError: a sample cannot be read, or has no row or no usable column.
    """
    kind = heads[0].spec.format
    if kind == "parquet":
        table = _parquet(connection, heads)
    else:
        found = _jsonl_shapes(connection, heads) if kind == "jsonl" else _csv_shapes(heads)
        without = left_out(list(found))
        table = SampleTable(connection, kind, {n: s for n, s in found.items() if n not in without}, without)
        if table.shapes:
            _stage_texts(lake, table, heads, null_values)
    if not table.shapes:
        raise refused(heads[0].sample, "it has no column that a contract can have", _told(table.left_out))
    if not table.rows:
        raise refused(heads[0].sample, "it has no rows that can be read", "Types are concluded from rows: give some.")
    return table


def _told(without: dict[str, str]) -> str:
    return "; ".join(f"{name!r}: {why}" for name, why in without.items()) or "Give a sample with columns."


def _stage_texts(lake: Lake, table: SampleTable, heads: list[Head], null_values: tuple[str, ...]) -> None:
    columns = tuple(
        Column(name, LogicalType("string"), False, False, None, ValueRules(), None, None)  # noqa: FBT003  # not ours
        for name in table.shapes
    )
    specs: dict[str, FileSpec] = {}
    for head in heads:
        specs[head.spec.pattern] = head.copy_spec.model_copy(update={"null_values": null_values})
    dataset = Dataset(
        "sample",
        Contract("sample", Path("sample"), "0", None, columns, ()),
        DatasetSpec(files=tuple(specs.values()), mode="append"),
    )
    staged = stage(lake, table.connection, dataset, file_rows(lake, "sample", heads))
    for head, one in zip(heads, staged, strict=True):
        if one.problem is not None:
            raise refused(head.sample, one.problem, "Mend the file, or take another sample.")
    _drop_broken(table.connection, staged)


def _drop_broken(connection: duckdb.DuckDBPyConnection, staged: list[StagedFile]) -> None:
    """What is no record says nothing about its columns; that it is there is told when the sample is read for real."""
    if any(one.rows_bad for one in staged):
        run(connection, "delete from stage where _errors is not null")


def _csv_shapes(heads: list[Head]) -> dict[str, Shape]:
    names: dict[str, Shape] = {}
    for head in heads:
        names |= dict.fromkeys(_csv_names(head), TEXT)
    return names


def _csv_names(head: Head) -> list[str]:
    try:
        with head.copy.open("rb") as stream:
            names = read_header(SourceFile(0, str(head.copy), head.copy.name, head.copy_spec), stream)
    except (UnicodeError, csv.Error) as error:
        raise refused(head.sample, f"its header cannot be read: {error}", "Mend the first line.") from error
    if not any(names):
        raise refused(head.sample, "its first line is empty", "Columns are bound by name: begin with a header line.")
    if data := [name for name in names if _NO_NAME.fullmatch(name.strip())]:
        why = f"its first line is data, not names of columns: {data[0][:60]!r}"
        raise refused(head.sample, why, "Columns are bound by name: add a header line.")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        why = f"its header names {', '.join(repr(name) for name in twice)} more than once"
        raise refused(head.sample, why, "A file like that is set aside: rename these columns where the file is made.")
    return names


def _jsonl_shapes(connection: duckdb.DuckDBPyConnection, heads: list[Head]) -> dict[str, Shape]:
    lines = " union all ".join(
        f"select line from {lines_sql(SourceFile(0, str(h.copy), h.copy.name, h.copy_spec))}" for h in heads
    )
    objects = f"select v from (select try_cast(line as json) as v from ({lines})) where json_type(v) = 'OBJECT'"
    cursor = connection.cursor()  # with a reject_errors of its own
    try:
        run(cursor, f"create table sample_objects as {objects}")
        (found,) = run(cursor, "select json_group_structure(v) from sample_objects")[0]
        structure = json.loads(found) if found else None
        if not isinstance(structure, dict):
            raise refused(heads[0].sample, "no line of it is a JSON object with fields", "Write one object a line.")
        shapes = {name: of_json(inner) for name, inner in structure.items()}
        at = {name: literal("$." + json.dumps(name, ensure_ascii=False)) for name in shapes}
        return {
            name: without_maps(cursor, shape, f"select v->{at[name]} as v from sample_objects") if name else shape
            for name, shape in shapes.items()
        }
    finally:
        run(cursor, "drop table if exists sample_objects")
        cursor.close()


def _parquet(connection: duckdb.DuckDBPyConnection, heads: list[Head]) -> SampleTable:
    paths = ", ".join(literal(head.copy) for head in heads)
    relation = f"read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
    try:
        described = connection.sql(f"select * from {relation}")
        found = {str(n): of_parquet(t) for n, t in zip(described.columns, described.types, strict=True)}
        without = left_out(list(found))
        shapes = {name: shape for name, shape in found.items() if name not in without}
        texts = ", ".join(
            f"{f'to_json({quoted(n)})::varchar' if s.hint in ('object', 'array') else f'{quoted(n)}::varchar'} "
            f"as {quoted(n)}"
            for n, s in shapes.items()
        )
        if shapes:
            run(connection, f"create or replace table stage as select {texts} from {relation}")
    except duckdb.Error as error:
        raise refused(heads[0].sample, f"its Parquet cannot be read: {error}", "Take another sample.") from error
    return SampleTable(connection, "parquet", shapes, without)


def find_json_columns(table: SampleTable) -> SampleTable:
    """CSV and Parquet text that is a JSON object or list in every row gets the shape of what it holds."""
    shapes = dict(table.shapes)
    for name, shape in table.shapes.items():
        if shape.hint not in ("text", "words") or table.format == "jsonl":
            continue
        text = quoted(name)
        looks = f"select bool_and(regexp_matches({text}, '^\\s*[{{\\[]')) from (select {text} from stage "
        if not run(table.connection, f"{looks} where {text} is not null limit 200)")[0][0]:
            continue
        documents = f"select try_cast({text} as json) as v from stage where {text} is not null"
        valid, found = run(
            table.connection,
            f"select bool_and(coalesce(json_type(v) in ('OBJECT', 'ARRAY'), false)), json_group_structure(v) "
            f"from ({documents})",
        )[0]
        if valid:
            made = without_maps(table.connection, of_json(json.loads(found)), documents)
            shapes[name] = made if made.hint in ("object", "array") else opaque("JSON text")
    return table.with_shapes(shapes)


def leaf_relations(table: SampleTable, name: str) -> list[tuple[tuple[str, ...], Shape, str]]:
    """Every leaf of a column: its place (`*` is an item of a list), its shape, and SQL that yields its texts as `t`."""
    shape = table.shapes[name]
    if shape.hint not in ("object", "array"):
        return [((), shape, f"select {quoted(name)} as t from stage")]
    values = f"nested_{list(table.shapes).index(name)}"
    parsed = f"from_json(try_cast({quoted(name)} as json), {value_shape(shape.as_text.logical)}) as v"
    run(table.connection, f"create or replace table {values} as select {parsed} from stage")
    return list(_below(shape, (), f"select v from {values}"))


def _below(shape: Shape, place: tuple[str, ...], relation: str) -> Iterator[tuple[tuple[str, ...], Shape, str]]:
    if shape.hint == "object":
        for name, inner in shape.fields:
            yield from _below(inner, (*place, name), f"select v.{quoted(name)} as v from ({relation})")
    elif shape.items is not None:
        yield from _below(shape.items, (*place, "*"), f"select unnest(v) as v from ({relation})")
    else:
        yield place, shape, f"select v as t from ({relation})"
