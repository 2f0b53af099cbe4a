"""Raw files to staged rows: each record is parsed once into typed values, or into reasons why it cannot be.

Files are read side by side, one thread each, so that every record keeps its number in its file and a
damaged file takes nothing but itself down.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from typing import IO

import duckdb

from slice_platform.engine import run
from slice_platform.errors import ContractError, StoreUnavailable
from slice_platform.lake.cast_sql import broken_rules, misfit, says_misfit, typed
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import path_below_dataset
from slice_platform.lake.line_ends import STAND_IN, with_one_line_end
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.lake.rejects import Reject
from slice_platform.lake.sources import (
    FileProblem,
    SourceFile,
    as_utf8,
    document_path,
    source_sql,
    stage_columns,
    text_of,
    unpacked,
)
from slice_platform.lake.text_lines import (
    CsvPlaces,
    LinePlaces,
    Places,
    UnreadLine,
    find_csv_places,
    texts_of_lines,
    unread_lines,
)
from slice_platform.lake.unknown_columns import NOTHING_UNKNOWN, UnknownColumns, look_for_unknown
from slice_platform.records import FileRow
from slice_platform.sql_text import literal, quoted

_OUR_DISK = re.compile(r"No space left|temporary|temp_directory", re.IGNORECASE)


@dataclass(frozen=True)
class StagedFile:
    """One file after reading. `unread` are records that are not even text or have the wrong number of fields."""

    file: FileRow
    source: SourceFile
    read_as: str | None = None  # fingerprint of what the reading rests on
    problem: str | None = None
    lacked_memory: bool = False  # the problem is that DuckDB had not enough of it
    plain_bytes: int = 0  # size of the file uncompressed
    rows_staged: int = 0
    rows_bad: int = 0  # staged, with reasons
    unread: tuple[UnreadLine, ...] = ()
    unknown: UnknownColumns = NOTHING_UNKNOWN

    @property
    def rows_read(self) -> int:
        return self.rows_staged + len(self.unread)

    @property
    def rows_rejected(self) -> int:
        return self.rows_bad + len(self.unread)

    @property
    def may_read_otherwise(self) -> bool:
        """Whether single rows may read otherwise than when the file was published."""
        return self.reads_otherwise is not None or self.file.read_as not in (None, self.read_as)

    @property
    def reads_otherwise(self) -> str | None:
        """How the file reads now, where that is not how the ledger booked it: the contract or the object changed."""
        booked = f"{self.file.rows_rejected} rejects of {self.file.rows_read} rows"
        now = self.problem or f"{self.rows_rejected} rejects of {self.rows_read} rows"
        return None if now == booked else f"was published with {booked}, and now: {now}"

    @property
    def lines_swallowed(self) -> int:
        """Lines beyond the first of refused records: a quote that is never closed takes all that follow."""
        texts = (one.text.strip("\r\n") for one in self.unread)
        return sum(text.count("\n") or text.count("\r") for text in texts)

    @property
    def reject_share(self) -> float:
        """Of all records; nobody can tell how many a refused one has swallowed, so each of its lines counts as one."""
        swallowed = self.lines_swallowed
        return (self.rows_rejected + swallowed) / (self.rows_read + swallowed) if self.rows_read else 0.0


def stage(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: list[FileRow],
    progress: Callable[[int], None] = lambda _: None,
) -> list[StagedFile]:
    """Fill the table `stage` with every record of the files; good rows have `_errors` NULL.

    A file that cannot be used has a `problem` and no rows. Order of the result: as the files.

    Raises:
        StoreUnavailable: disk, engine or store gave way; no file is to blame.
    """
    run(connection, f"create or replace table stage ({stage_columns(dataset)})")
    return stage_more(lake, connection, dataset, files, progress)


def stage_more(
    lake: Lake,
    connection: duckdb.DuckDBPyConnection,
    dataset: Dataset,
    files: list[FileRow],
    progress: Callable[[int], None] = lambda _: None,
) -> list[StagedFile]:
    """Add every record of further files to the stage; otherwise as `stage`."""

    def one(file: FileRow) -> StagedFile:
        staged = _stage_one(lake, connection, dataset, file)
        if not staged.lacked_memory:
            progress(1)
        return staged

    with ThreadPoolExecutor(max_workers=lake.settings.duckdb_threads) as pool:
        read = list(pool.map(one, files))
    # Alone a file has all the memory there is; what does not suffice then never will.
    read = [one(staged.file) if staged.lacked_memory else staged for staged in read]
    progress(sum(staged.lacked_memory for staged in read))
    return _with_counts(connection, read)


def rejects_of(lake: Lake, connection: duckdb.DuckDBPyConnection, staged: StagedFile) -> Iterator[Reject]:
    """Every reason of every rejected record of one staged file, in the order of the file."""
    if not staged.rows_rejected:
        return
    places = _places(lake, connection, staged)
    unread = (Reject(u.line, *places.of_unread(u), u.column, u.reason) for u in staged.unread)
    yield from merge(unread, _bad_rows(connection, staged, places), key=lambda reject: reject.line or 0)


def _places(lake: Lake, connection: duckdb.DuckDBPyConnection, staged: StagedFile) -> Places:
    if staged.source.spec.format == "parquet":
        return LinePlaces(())
    assert staged.file.raw_key is not None
    if staged.source.spec.format == "jsonl":
        altered = f"select _row from stage where _file_id = {staged.file.id} and contains(_raw, {literal(STAND_IN)})"
        lines = LinePlaces(staged.unread)
        wanted = {lines.of_row(row)[0] for (row,) in run(connection.cursor(), altered)}
        wanted |= {one.line for one in staged.unread if not one.is_too_long}
        if not wanted:
            return lines
        with lake.store.open(staged.file.raw_key) as stream:
            return LinePlaces(staged.unread, texts_of_lines(staged.source, stream, wanted))
    found = f"select _row from stage where _file_id = {staged.file.id} and _errors is not null"
    bad = {row for (row,) in run(connection.cursor(), found)}
    with lake.store.open(staged.file.raw_key) as stream:
        if places := _places_in_lines(staged, stream, bad):
            return places
    with lake.store.open(staged.file.raw_key) as stream:
        return find_csv_places(staged.source, stream, bad, staged.unread, staged.rows_read)


def _places_in_lines(staged: StagedFile, stream: IO[bytes], rows: set[int]) -> CsvPlaces | None:
    """Places in a CSV file that has a line for each record, several times faster; None for any other file.

    A record of several columns has at least one line that is not empty: as many lines as records are a line each.
    """
    refused = {one.line for one in staged.unread}
    places = CsvPlaces({}, {})
    row = 0
    with text_of(staged.source, stream, errors="backslashreplace") as lines:
        if staged.source.spec.delimiter not in next(lines, ""):
            return None
        for number, line in enumerate(lines, start=2):
            if not (text := line.rstrip("\r\n")):
                continue
            if number in refused:
                places.unread[number] = (number, text)
                continue
            row += 1
            if row in rows:
                places.rows[row] = (number, text)
    is_line_each = row == staged.rows_staged and len(places.unread) == len(refused)
    return places if is_line_each else None


def _bad_rows(connection: duckdb.DuckDBPyConnection, staged: StagedFile, places: Places) -> Iterator[Reject]:
    cursor = connection.cursor()
    cursor.execute(
        "select _row, _raw, unnest(_errors, recursive := true) from stage "
        f"where _file_id = {staged.file.id} and _errors is not null order by _row"
    )
    while rows := cursor.fetchmany(5000):
        for row, raw, column, reason in rows:
            line, text = places.of_row(row)
            yield Reject(row, line, raw if text is None else text, column, reason)


def drop_staged(connection: duckdb.DuckDBPyConnection, file_ids: list[int], *, only_good: bool = False) -> None:
    """Take files, or just their good rows, out of the stage, as if they had not been read."""
    if file_ids:
        good = " and _errors is null" if only_good else ""
        run(connection, f"delete from stage where _file_id in ({', '.join(map(str, file_ids))}){good}")


def _stage_one(lake: Lake, connection: duckdb.DuckDBPyConnection, dataset: Dataset, file: FileRow) -> StagedFile:
    assert file.raw_key is not None
    below = path_below_dataset(file.source_key)
    spec = dataset.file_spec(below)
    if spec is None:
        raise ContractError(
            f"Reading {file.raw_key!r}: no pattern in defs.yaml of {dataset.name!r} matches {below!r} any more. "
            "Restore the pattern; the file was received under it."
        )
    source = SourceFile(file.id, lake.store.path(file.raw_key), below, spec)
    staged = StagedFile(file, source, read_as=dataset.reading_of(spec))
    if file.size_bytes == 0:
        return replace(staged, problem="the file is empty: 0 bytes")
    spill = lake.settings.spill_dir
    cursor = connection.cursor()  # a cursor of its own has a reject_errors of its own
    try:
        with (
            lake.store.open(file.raw_key) as stream,
            unpacked(source, stream, spill) as (plain, bytes_, size_bytes),
            as_utf8(plain, bytes_, spill) as (utf8, text),
            with_one_line_end(utf8, text, spill) as (readable, lines),
        ):
            relation = source_sql(cursor, dataset, readable, lines)
            (rows,) = run(cursor, f"insert into stage {_typed_rows(dataset, file, source, relation.sql)}")[0]
            unread = unread_lines(cursor, source)
            unknown = look_for_unknown(cursor, file.id, relation.records, rows)
        plain_bytes = size_bytes or file.size_bytes
        return replace(staged, plain_bytes=plain_bytes, rows_staged=rows, unread=unread, unknown=unknown)
    except FileProblem as problem:
        return replace(staged, problem=str(problem))
    except FileNotFoundError as error:
        raise StoreUnavailable(
            f"Reading {file.raw_key!r}: raw does not hold it. Restore the object, then run the job again."
        ) from error
    except duckdb.Error as error:
        said = str(error).replace(source.path, "").replace(str(spill), "")  # names of files say anything
        return _blamed(staged, error, said, lake.settings.duckdb_memory_limit)
    except OSError as error:
        raise StoreUnavailable(f"Reading {file.raw_key!r}: the store or the spill folder gave way: {error}") from error
    finally:
        cursor.close()


def _typed_rows(dataset: Dataset, file: FileRow, source: SourceFile, relation: str) -> str:
    columns = dataset.contract.columns
    types = [replace(c.type, format=None) if dataset.is_from_path(c) else c.type for c in columns]
    values = ", ".join(
        f"{typed(logical, f'_t{i}')} as {quoted(c.name)}"
        for i, (c, logical) in enumerate(zip(columns, types, strict=True))
    )
    names = ", ".join(quoted(c.name) for c in columns)
    reasons = _reasons(dataset, source)
    bad = " or ".join(f"coalesce({condition}, false)" for condition, _, _ in reasons)
    listed = ", ".join(
        f"case when {condition} then {{'column': {column}, 'reason': {reason}}} end"
        for condition, column, reason in reasons
    )
    partition = dataset.partition.key_sql if dataset.partition else literal(WHOLE_TABLE)
    return f"""
        select {names}, {file.id}, _row, timestamptz {literal(file.received_at.isoformat())}, {partition},
          case when _bad then list_filter([{listed}], lambda e: e is not null) end,
          case when _bad then _raw end,
          case when len(_extra) > 0 then _extra end
        from (select *, {bad} as _bad from (select *, {values} from ({relation})))"""


def _reasons(dataset: Dataset, source: SourceFile) -> list[tuple[str, str, str]]:
    """(condition, column, reason), all SQL, for everything that makes a record a reject."""
    found = [("_broken is not null", "null::varchar", "_broken")]
    for i, column in enumerate(dataset.contract.columns):
        name, text = quoted(column.name), f"_t{i}"
        says = literal(column.name)
        if column.type.kind != "string":
            unfit = misfit(column.type, text, name, f"_d{i}", document_path(source, column))
            found.append((unfit, says, says_misfit(column, text)))
        if column.required or (dataset.partition and dataset.partition.column == column.name):
            found.append((f"_broken is null and {text} is null", says, "'required, but empty'"))
        found += [(condition, says, reason) for condition, reason in broken_rules(column, name)]
    return found + _outside_of_partitions(dataset)


def _outside_of_partitions(dataset: Dataset) -> list[tuple[str, str, str]]:
    if dataset.partition is None:
        return []
    column, kind = dataset.partition.column, dataset.partition.type

    def limit(moment: datetime) -> str:
        zoned = kind.kind == "timestamp" and kind.has_zone
        if zoned:
            return f"cast({literal(moment.isoformat())} as timestamptz)"
        return f"cast({literal(f'{moment:%Y-%m-%d %H:%M:%S}')} as timestamp)"

    start, end = dataset.partition.start, dataset.partition.end
    early = (
        f"{quoted(column)} < {limit(start)}",
        literal(column),
        literal(f"lies before partition.start {start:%Y-%m-%d %H:%M}"),
    )
    if end is None:
        return [early]
    late = f"{quoted(column)} >= {limit(end)}"
    return [early, (late, literal(column), literal(f"lies after partition.end {end:%Y-%m-%d %H:%M}"))]


def _with_counts(connection: duckdb.DuckDBPyConnection, read: list[StagedFile]) -> list[StagedFile]:
    bad = dict(run(connection, "select _file_id, count(*) from stage where _errors is not null group by 1"))
    return [replace(one, rows_bad=bad.get(one.file.id, 0)) for one in read]


def _blamed(staged: StagedFile, error: duckdb.Error, said: str, memory_limit: str) -> StagedFile:
    """The file with what is wrong with it, where the file is to blame; else the error goes on, as ours."""
    if isinstance(error, duckdb.ParserException | duckdb.CatalogException):
        raise error  # our own SQL is wrong: no file is set aside for it
    if isinstance(error, duckdb.InternalException | duckdb.FatalException):
        # The engine is dead, for all files of the batch: none of the others is to blame.
        raise StoreUnavailable(f"Reading {staged.file.raw_key!r}: DuckDB failed: {error}") from error
    if _OUR_DISK.search(said):
        raise StoreUnavailable(f"Reading {staged.file.raw_key!r}: DuckDB had no room: {error}") from error
    if isinstance(error, duckdb.OutOfMemoryException):
        problem = f"reading it takes more memory than there is: raise SLICE_DUCKDB_MEMORY_LIMIT, now {memory_limit}"
        return replace(staged, problem=problem, lacked_memory=True)
    return replace(staged, problem=_what_is_wrong(error))


def _what_is_wrong(error: duckdb.Error) -> str:
    text = str(error)
    if "invalid state" in text:
        return "the CSV cannot be parsed: line endings are mixed (CRLF and LF), or a quote is never closed"
    first = next((line for line in text.splitlines() if line.strip()), text)
    return f"the file cannot be read: {first[:300]}"
