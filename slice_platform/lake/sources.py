"""Relations over one raw file: a row per record, its contract columns still as text.

Columns: `_t0.._tn` in the contract's order (leaves of nested ones are text too), `_d0.._dn` the JSON document
that a nested one was taken from, `_row` (the record's number in the file, from 1), `_raw` (its
text), `_broken` (why it is no record at all, or NULL) and `_extra` (keys it has beyond the contract).
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, cast

import duckdb
import pyarrow as pa
from isal import igzip, isal_zlib
from isal.igzip_lib import IsalError

from slice_platform.lake.cast_sql import json_path, json_shape, text_type
from slice_platform.lake.contract import Column
from slice_platform.lake.dataset import Dataset, FileSpec
from slice_platform.lake.documents import objects_in, unless_json, with_documents
from slice_platform.lake.header_sample import difference
from slice_platform.lake.repeated_keys import key_given_twice
from slice_platform.lake.types import Field as Inner
from slice_platform.lake.types import LogicalType, duckdb_type
from slice_platform.lake.unknown_columns import KnownObject, Records, has_odd_keys, keys_of, known_objects, unknown_keys
from slice_platform.sql_text import literal, quoted

MAX_LINE_BYTES = 16 * 1024**2
BUFFER_BYTES = 2 * MAX_LINE_BYTES  # DuckDB's own choice is sixteen lines: 256 MB for each file that is being read
LINE_DELIMITER = "\x01"  # DuckDB wants one; in JSON it never stands
_COMPRESSION = {"none": "none", "gz": "gzip", "zst": "zstd"}
# Patterns, because trim() walks a line to its end, and json_type() parses it once more.
_BLANK = r"[\p{Zs}\t]*"
_OBJECT = r"^[ \t\r\n]*\{"  # of what is JSON, nothing but an object begins so


class FileProblem(Exception):  # noqa: N818  # an outcome of reading, not an error of the platform
    """The file cannot be used as a whole; the message is the reason that quarantine keeps."""


@dataclass(frozen=True)
class Relation:
    """The relation of one file, as SQL, and its records as they are."""

    sql: str
    records: Records


@dataclass(frozen=True)
class SourceFile:
    """One raw file and how to read it. `path` is what DuckDB opens, `below` its path below landing/<dataset>/."""

    file_id: int
    path: str
    below: str
    spec: FileSpec

    @property
    def compression(self) -> str:
        return _COMPRESSION[self.spec.compression_of(self.below)]


def lines_sql(source: SourceFile) -> str:
    """A table function of the file's physical lines; what is not UTF-8 goes to reject_errors."""
    return (
        f"read_csv({literal(source.path)}, columns = {{'line': 'VARCHAR'}}, header = false, auto_detect = false, "
        f"delim = '{LINE_DELIMITER}', quote = '', escape = '', strict_mode = false, store_rejects = true, "
        f"rejects_limit = 0, max_line_size = {MAX_LINE_BYTES}, buffer_size = {BUFFER_BYTES}, "
        f"compression = '{source.compression}')"
    )


def source_sql(
    connection: duckdb.DuckDBPyConnection, dataset: Dataset, source: SourceFile, stream: IO[bytes]
) -> Relation:
    """The relation described above. `stream` is the stored object, for looking at a CSV header.

    Raises:
        FileProblem: the header or Parquet schema does not fit the contract.
    """
    match source.spec.format:
        case "jsonl":
            return _jsonl(dataset, source)
        case "csv":
            return _csv(dataset, source, stream)
        case "parquet":
            return _parquet(connection, dataset, source)


@contextmanager
def unpacked(source: SourceFile, stream: IO[bytes], folder: Path) -> Iterator[tuple[SourceFile, IO[bytes], int | None]]:
    """The file uncompressed, for as long as the context lasts, and its size if it was compressed.

    Verified to its end: DuckDB checks no gzip checksum and takes half a zstd frame for a file. The copy in
    `folder` is what DuckDB reads then: its own gunzip costs more than this one and the writing together.

    Raises:
        FileProblem: the file is damaged, incomplete or empty.
    """
    if source.compression == "none":
        yield source, stream, None
        return
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder) as aside:
        for chunk in _chunks(source, stream):
            aside.write(chunk)
        aside.flush()
        size = aside.tell()
        if not size:
            raise FileProblem("the file is empty: 0 bytes uncompressed")
        spec = source.spec.model_copy(update={"compression": "none"})
        with Path(aside.name).open("rb") as copy:
            yield replace(source, path=aside.name, spec=spec), copy, size


def _chunks(source: SourceFile, stream: IO[bytes]) -> Iterator[bytes]:
    try:
        with _plain(source, stream) as plain:
            while chunk := plain.read(1 << 20):
                yield chunk
    except (OSError, EOFError, IsalError, isal_zlib.error) as error:  # type: ignore[misc]  # isal leaves them untyped
        raise FileProblem(f"damaged or incomplete {source.compression} file: {error}") from error


@contextmanager
def _plain(source: SourceFile, stream: IO[bytes]) -> Iterator[IO[bytes]]:
    if source.compression == "gzip":
        with igzip.GzipFile(fileobj=stream) as plain:  # type: ignore[no-untyped-call]  # isal annotates in part
            yield cast(IO[bytes], plain)
    elif source.compression == "zstd":
        with pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd") as plain:
            yield plain
    else:
        yield stream


@contextmanager
def text_of(source: SourceFile, stream: IO[bytes], *, errors: str) -> Iterator[IO[str]]:
    """The file as text, uncompressed, with the line ends it has; `errors` says what becomes of what is no text."""
    with _plain(source, stream) as plain:
        text = io.TextIOWrapper(plain, encoding=source.spec.codec, errors=errors, newline="")
        try:
            yield text
        finally:
            text.detach()


@contextmanager
def as_utf8(source: SourceFile, stream: IO[bytes], folder: Path) -> Iterator[tuple[SourceFile, IO[bytes]]]:
    """The file as DuckDB can read it, for as long as the context lasts; `folder` is for a copy in UTF-8.

    DuckDB takes big-endian UTF-16 for no rows at all, and refuses a file for one emoji (UTF-16) or one of the
    upper control characters (latin-1).

    Raises:
        FileProblem: the file is not text of its encoding.
    """
    if source.spec.encoding == "utf-8" or source.spec.format != "csv":
        yield source, stream
        return
    folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder) as aside:
        _transcode(source, stream, aside.file)
        spec = source.spec.model_copy(update={"encoding": "utf-8", "compression": "none"})
        with Path(aside.name).open("rb") as copy:
            yield replace(source, path=aside.name, spec=spec), copy


def _transcode(source: SourceFile, stream: IO[bytes], target: IO[bytes]) -> None:
    try:
        with text_of(source, stream, errors="strict") as text:
            while chunk := text.read(1 << 20):
                target.write(chunk.encode())
    except UnicodeError as error:
        raise FileProblem(f"the file is not {source.spec.encoding} text: {error}") from error
    target.flush()


def _jsonl(dataset: Dataset, source: SourceFile) -> Relation:
    columns = _file_columns(dataset)
    shape = json_shape([(column.name, column.type) for column in columns])
    whole = LogicalType("object", fields=tuple(Inner(column.name, column.type) for column in columns))
    known = tuple(known_objects(whole))
    texts = ", ".join(f"{_text(dataset, source, c, f'r.{quoted(c.name)}')} as _t{i}" for i, c in _numbered(dataset))
    docs = "".join(f"j as _d{i}, " for i, c in _numbered(dataset) if c.type.is_nested)
    numbered = f"(select line, row_number() over () as _row from {lines_sql(source)})"
    sql = f"""
        select {texts}, {docs}_row, line as _raw,
          case when j is null then 'the line is not JSON' when not is_object then 'the line is not a JSON object'
            when is_odd then {key_given_twice("j", known, "ks")} end as _broken,
          case when is_object and is_odd then {unknown_keys("j", known, "ks")} end as _extra
        from (select *, {has_odd_keys("ks", known, "r")} as is_odd
          from (select *, from_json(o, {shape}) as r, {keys_of("o", known)} as ks
            from (select *, case when is_object then j end as o
              from (select *, regexp_matches(j, {literal(_OBJECT)}) as is_object
                from (select line, _row, try_cast(line as json) as j
                  from {numbered} where not regexp_full_match(line, {literal(_BLANK)}))))))"""
    return Relation(sql, Records(numbered, {}, tuple(("try_cast(line as json)", one) for one in known)))


def _csv(dataset: Dataset, source: SourceFile, stream: IO[bytes]) -> Relation:
    header = _header(source, stream)
    position = {name: f"h{n}" for n, name in enumerate(header)}
    _check_names(dataset, source, header)

    def text(column: Column) -> str:
        field = position.get(column.name, "null::varchar")
        # Quoted nothing is an empty string; for every other type it can only mean nothing.
        return _text(dataset, source, column, field if column.type.kind == "string" else f"nullif({field}, '')")

    flat = ", ".join(f"{text(c)} as _t{i}" for i, c in _numbered(dataset) if not c.type.is_nested)
    nested = [(i, c, text(c)) for i, c in _numbered(dataset) if c.type.is_nested]
    fields = ", ".join(f"coalesce({field}, '')" for field in position.values())
    raw = f"concat_ws({literal(source.spec.delimiter)}, {fields})"
    broken = unless_json(field for _, _, field in nested)
    docs = "".join(f"try_cast({field} as json) as _d{i}, " for i, _, field in nested)
    known = [(f"try_cast({field} as json)", objects_in(c)) for _, c, field in nested if c.name in position]
    numbered = f"(select *, row_number() over () as _row from {_csv_sql(source, len(header))})"
    sql = with_documents(
        f"select {flat}{', ' if flat else ''}{docs}_row, {raw} as _raw, {broken} as _broken from {numbered}",
        [(i, c) for i, c, _ in nested],
    )
    beyond = {name: field for name, field in position.items() if dataset.contract.column(name) is None}
    return Relation(sql, Records(numbered, beyond, _documents(known)))


def _csv_sql(source: SourceFile, width: int) -> str:
    spec = source.spec
    columns = ", ".join(f"'h{n}': 'VARCHAR'" for n in range(width))
    nulls = ", ".join(literal(value) for value in dict.fromkeys(("", *spec.null_values)))
    return (
        f"read_csv({literal(source.path)}, columns = {{{columns}}}, header = true, auto_detect = false, "
        f"delim = {literal(spec.delimiter)}, quote = {literal(spec.quote)}, escape = {literal(spec.quote)}, "
        f"nullstr = [{nulls}], allow_quoted_nulls = false, strict_mode = true, store_rejects = true, "
        f"rejects_limit = 0, max_line_size = {MAX_LINE_BYTES}, buffer_size = {BUFFER_BYTES}, "
        f"compression = '{source.compression}')"
    )


def _parquet(connection: duckdb.DuckDBPyConnection, dataset: Dataset, source: SourceFile) -> Relation:
    relation = f"read_parquet({literal(source.path)}, hive_partitioning = false, file_row_number = true)"
    described = connection.execute(f"describe select * exclude (file_row_number) from {relation}").fetchall()
    types = {str(row[0]): str(row[1]) for row in described}
    _refuse_names_given_twice(connection, source)
    _check_names(dataset, source, list(types))

    def text(column: Column) -> str:
        if column.name not in types:
            return _text(dataset, source, column, f"null::{text_type(column.type)}")
        name = quoted(column.name)
        if column.type.kind == "integer" and types[column.name] in ("DOUBLE", "FLOAT"):
            # pandas stores whole numbers with gaps as floats: 5.0 is 5 here, 5.5 stays what it is and is rejected.
            whole = f"case when {name} = trunc({name}) then try_cast({name} as hugeint) end"  # NaN is no integer
            name = f"coalesce({whole}::varchar, {name}::varchar)"
        elif column.type.kind == "date" and types[column.name].startswith("TIMESTAMP"):
            # And dates as midnights: any other time of day stays, and is rejected.
            name = f"case when {name} = date_trunc('day', {name}) then {name}::date::varchar else {name}::varchar end"
        return f"{name}::varchar"

    def document(column: Column) -> str:
        if column.name not in types:
            return "null::json"
        name = quoted(column.name)
        return f"try_cast({name} as json)" if types[column.name] == "VARCHAR" else f"to_json({name})"

    flat = "".join(f"{text(c)} as _t{i}, " for i, c in _numbered(dataset) if not c.type.is_nested)
    nested = [(i, c) for i, c in _numbered(dataset) if c.type.is_nested]
    docs = "".join(f"{document(c)} as _d{i}, " for i, c in nested)
    known = [(document(c), objects_in(c)) for _, c in nested if c.name in types]
    written = [f"nullif({quoted(c.name)}, '')" for _, c in nested if types.get(c.name) == "VARCHAR"]
    whole = "{" + ", ".join(f"{quoted(name)}: {quoted(name)}" for name in types) + "}"
    sql = with_documents(
        f"select {flat}{docs}file_row_number + 1 as _row, to_json({whole})::varchar as _raw, "
        f"{unless_json(written)} as _broken from {relation}",
        nested,
    )
    numbered = f"(select *, file_row_number + 1 as _row from {relation})"
    beyond = {name: f"{quoted(name)}::varchar" for name in types if dataset.contract.column(name) is None}
    return Relation(sql, Records(numbered, beyond, _documents(known)))


def _refuse_names_given_twice(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """DuckDB renames the second of them, in any case of letters: its values would be lost without a word."""
    found = connection.execute(f"select name, num_children from parquet_schema({literal(source.path)})").fetchall()
    names: list[str] = []
    inside = 0  # how many of the elements that follow belong to a column that was named already
    for name, children in found[1:]:
        if not inside:
            names.append(str(name))
        inside = max(inside - 1, 0) + (children or 0)
    folded = [name.lower() for name in names]
    if twice := sorted({name for name in names if folded.count(name.lower()) > 1}):
        raise FileProblem(f"the file has columns of one name (case does not tell names apart): {', '.join(twice)}")


def _documents(known: list[tuple[str, list[KnownObject]]]) -> tuple[tuple[str, KnownObject], ...]:
    return tuple((document, one) for document, objects in known for one in objects)


def read_header(source: SourceFile, stream: IO[bytes]) -> list[str]:
    """The first record of a CSV, unchecked; what is no text in it shows as U+FFFD.

    Raises:
        UnicodeError, OSError, EOFError, csv.Error: it could not be read.
    """
    # Far more than the header is decoded; what is no text further down is a matter of single lines.
    with text_of(source, stream, errors="replace") as text:
        return next(csv.reader(_bounded(text), delimiter=source.spec.delimiter, quotechar=source.spec.quote), [])


def _bounded(text: IO[str]) -> Iterator[str]:
    """Lines, as far as a header may go: one that opens a quote and never closes it would be the whole file."""
    left = MAX_LINE_BYTES
    while line := text.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise csv.Error("it is longer than 16 MB, or a quote in it is never closed")
        yield line


def _header(source: SourceFile, stream: IO[bytes]) -> list[str]:
    spec = source.spec
    try:
        header = read_header(source, stream)
    except UnicodeError as error:  # UTF-16 without a byte order mark
        raise FileProblem(f"the header is not {spec.encoding} text: {error}") from error
    except (OSError, EOFError, csv.Error) as error:
        raise FileProblem(f"the header could not be read: {error}") from error
    if any("\ufffd" in name for name in header):
        raise FileProblem(f"the header is not {spec.encoding} text: {spec.delimiter.join(header)[:200]}")
    if not any(header):
        raise FileProblem("the file has no header line")
    if twice := sorted(name for name, times in Counter(header).items() if times > 1):
        raise FileProblem(f"the header names {', '.join(map(repr, twice))} more than once")
    return header


def _check_names(dataset: Dataset, source: SourceFile, header: list[str]) -> None:
    agreed = dataset.agreed_header(source.below)
    if agreed is not None and (found := difference(agreed, header)):
        raise FileProblem(found)
    columns = _file_columns(dataset)
    if missing := [c.name for c in columns if c.required and c.name not in header]:
        raise FileProblem(_missing_message(missing, header))
    if not any(c.name in header for c in columns):
        raise FileProblem(f"no column of the contract is in the file, which has: {', '.join(header)}")


def _missing_message(missing: list[str], header: list[str]) -> str:
    message = f"required columns are missing: {', '.join(missing)}; the file has: {', '.join(header)}"
    folded = {name.strip().casefold(): name for name in header}
    near = [f"{folded[name.casefold()]!r} is not {name!r}" for name in missing if name.casefold() in folded]
    return message + (f" (names count to the letter: {'; '.join(near)})" if near else "")


def _text(dataset: Dataset, source: SourceFile, column: Column, otherwise: str) -> str:
    """A column's text: from the path where the dataset says so, else from the file."""
    if not dataset.is_from_path(column):
        return otherwise
    value = dataset.path_value(source.below)
    if value is None:
        spec = dataset.spec.partition
        raise FileProblem(f"the path {source.below!r} does not match partition.from_path {spec and spec.from_path!r}")
    return f"{literal(value)}::varchar"


def _file_columns(dataset: Dataset) -> list[Column]:
    return [column for column in dataset.contract.columns if not dataset.is_from_path(column)]


def _numbered(dataset: Dataset) -> list[tuple[int, Column]]:
    return list(enumerate(dataset.contract.columns))


def document_path(source: SourceFile, column: Column) -> str:
    """Where a nested column stands in its document: a JSON line holds all columns, a CSV field just the one."""
    return json_path(column.name) if source.spec.format == "jsonl" else "$"


def stage_columns(dataset: Dataset) -> str:
    """DDL of the table that records are staged in."""
    typed = ", ".join(f"{quoted(c.name)} {duckdb_type(c.type)}" for c in dataset.contract.columns)
    return (
        f"{typed}, _file_id BIGINT, _row BIGINT, _ingested_at TIMESTAMPTZ, _partition VARCHAR, "
        f'_errors STRUCT("column" VARCHAR, reason VARCHAR)[], _raw VARCHAR, _extra VARCHAR[]'
    )
