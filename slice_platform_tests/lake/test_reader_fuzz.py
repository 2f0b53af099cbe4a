"""Any bytes become rows, rejects or a file that is set aside, and what an independent parser reads is never lost."""

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slice_platform.lake.ingest import ingest
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, assert_accounted, feed, jsonl
from slice_platform_tests.lake.fuzzing import damaged, fuzz
from slice_platform_tests.lake.reading import Reader, Reading, reader_of
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT
from slice_platform_tests.samples import drop

COLUMNS: list[dict[str, Any]] = [ID, N, OBJECT, LIST]
TEXTS = [{"name": "s", "logicalType": "string"}, {"name": "t", "logicalType": "string"}]
RECORDS = [
    {"id": f"k{number}", "n": number, "o": {"a": number, "b": "é\n"} if number % 3 else None, "l": [number, None]}
    for number in range(20)
]
_numbers = count(1)


def as_csv() -> bytes:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(["id", "n", "o", "l"])
    writer.writerows([r["id"], r["n"], json.dumps(r["o"]) if r["o"] else "", json.dumps(r["l"])] for r in RECORDS)
    return written.getvalue().encode()


def as_parquet(**options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(RECORDS), target, row_group_size=7, **options)
    return target.getvalue()


CSV, JSONL = as_csv(), jsonl(*RECORDS)
PARQUET = [
    as_parquet(compression="none"),
    as_parquet(compression="snappy", use_dictionary=False, data_page_version="2.0"),
    as_parquet(compression="gzip", write_page_checksum=True),
]
ZST = bytes(pa.Codec("zstd").compress(JSONL, asbytes=True))
GZ = gzip.compress(JSONL, mtime=0)
NAMES = ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz", "a.jsonl.gz", "a.csv.zst", "a.jsonl.zst", "a.parquet.gz"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    files = [{"pattern": f"*.{kind}*", "format": kind} for kind in ("csv", "jsonl", "parquet")]
    with reader_of(tmp_path_factory.mktemp("fuzz"), *COLUMNS, files=files) as reader:
        yield reader


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader_of(tmp_path_factory.mktemp("texts"), *TEXTS) as reader:
        yield reader


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader_of(tmp_path_factory.mktemp("flat"), ID, N) as reader:
        yield reader


def assert_accounted_for(found: Reading) -> None:
    """Set aside with a reason, or every record is a row or a reject."""
    if found.problem is not None:
        assert found.problem
        return
    rejected = {reject[0] for reject in found.rejects}
    assert found.read == len(found.rows) + len(rejected) or None in rejected


_headers = st.sampled_from(
    [b"", b"id,n,o,l\n", b"id\n", b'{"id":"', b"PAR1", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\xff\xfe"]
)


@fuzz(80)
@given(name=st.sampled_from(NAMES), head=_headers, body=st.binary(max_size=60), tail=st.sampled_from([b"", b"PAR1"]))
@example(name="a.jsonl", head=b"", body=b'\x01{"id":"a"}', tail=b"")
def test_any_bytes_have_an_outcome(reader: Reader, name: str, head: bytes, body: bytes, tail: bytes) -> None:
    assert_accounted_for(reader.read(name, head + body + tail))


@fuzz(60)
@given(content=damaged(CSV))
def test_a_damaged_csv_has_an_outcome(reader: Reader, content: bytes) -> None:
    assert_accounted_for(reader.read("a.csv", content))


@fuzz(60)
@given(content=st.sampled_from(PARQUET).flatmap(damaged))
def test_a_damaged_parquet_file_has_an_outcome(reader: Reader, content: bytes) -> None:
    found = reader.read("a.parquet", content)
    assert_accounted_for(found)
    assert found.problem or found.read == len(RECORDS)


@fuzz(60)
@given(content=damaged(GZ))
def test_a_damaged_gzip_file_is_set_aside_or_read_as_it_was(reader: Reader, content: bytes) -> None:
    found = reader.read("a.jsonl.gz", content)
    assert found.problem or found.rows == reader.read("a.jsonl", JSONL).rows


@fuzz(25)
@given(content=damaged(ZST))
def test_a_damaged_zstd_file_has_an_outcome(reader: Reader, content: bytes) -> None:
    assert_accounted_for(reader.read("a.jsonl.zst", content))


# --- against parsers of our own

_LINE_END = re.compile(b"\r\n|\r|\n")
_BLANK = re.compile("[\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*")


def lines_of(content: bytes) -> list[bytes]:
    lines = _LINE_END.split(content.removeprefix(b"\xef\xbb\xbf"))
    return lines if lines[-1] else lines[:-1]


def is_blank(line: bytes) -> bool:
    try:
        return _BLANK.fullmatch(line.decode()) is not None
    except UnicodeDecodeError:
        return False


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def no_constant(name: str) -> None:
    raise ValueError(name)


def strictly(line: bytes) -> tuple[str, int | None] | None:
    """The row that a JSON line means beyond doubt, or None where it is for the platform to judge."""
    try:
        found = json.loads(line.decode(), object_pairs_hook=once, parse_constant=no_constant)
        line.decode().encode("ascii")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or "\\ud" in line.decode().lower():
        return None
    number = found.get("n")
    is_fine = number is None or (type(number) is int and abs(number) < 2**63)
    return (found["id"], number) if is_fine and found.keys() <= {"id", "n"} else None


_good_lines = st.builds(
    lambda key, number: json.dumps({"id": key, "n": number}).encode(),
    st.text(max_size=5),
    st.none() | st.integers(-(2**70), 2**70),
)
_odd_lines = st.sampled_from(
    [
        b"",
        b" ",
        b"\t",
        b"[]",
        b"{",
        b'{"id":"a","id":"b"}',
        b"\xff",
        b"\x01",
        b'\x01{"id":"a"}',
        b"\0",
        b"null",
        b'{"id":5}',
    ]
)
_json_files = st.lists(
    st.tuples(
        st.one_of(_good_lines, _odd_lines, _good_lines.flatmap(damaged)),
        st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]),
    ),
    max_size=8,
)  # fmt: skip


@fuzz(100)
@given(parts=_json_files, ends_open=st.booleans())
@example(parts=[(b'{"id":"a"}', b"\r\n"), (b'{"id":"b"}', b"\r"), (b'{"id":"c"}', b"\n")], ends_open=False)
def test_no_line_of_json_is_lost(flat: Reader, parts: list[tuple[bytes, bytes]], *, ends_open: bool) -> None:
    content = b"".join(line + end for line, end in parts)
    content = content.rstrip(b"\r\n") if ends_open else content
    found = flat.read("a.jsonl", content)
    if not content:
        assert found.problem
        return
    records = {number: line for number, line in enumerate(lines_of(content), start=1) if not is_blank(line)}
    rejected = {int(line or 0) for line, *_ in found.rejects}
    assert found.read == len(records)
    assert rejected <= records.keys()
    published = [line for number, line in records.items() if number not in rejected]
    assert len(published) == len(found.rows)
    for line, row in zip(published, found.rows, strict=True):
        assert strictly(line) in (None, row)
    assert all(strictly(records[number]) is None for number in rejected)
    assert all(raw == records[line or 0].decode(errors="backslashreplace") for line, _, _, raw in found.rejects)


def records_of(content: bytes) -> list[tuple[int, list[str]]] | None:
    """First line and fields of every record, by Python's parser; None where it finds a fault."""
    reader, found, line = csv.reader(io.StringIO(content.decode(), newline=""), strict=True), [], 1
    try:
        for fields in reader:
            found.append((line, fields))
            line = reader.line_num + 1
    except csv.Error:
        return None
    return found


@pytest.mark.parametrize("alphabet", ["a,,\n\n\r", 'a,"\n', 'a,""\r\n', 'éa,"\r'])
@fuzz(40)
@given(data=st.data(), end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_no_record_of_a_csv_is_lost(texts: Reader, data: st.DataObject, alphabet: str, end: str) -> None:
    body = data.draw(st.text(st.sampled_from(alphabet), max_size=16))
    content = f"s,t{end}{body}".encode()
    found = texts.read("a.csv", content)
    records = records_of(content)
    if records is None:
        assert_accounted_for(found)
        return
    assert found.problem is None
    records = [(line, fields) for line, fields in records[1:] if fields]
    rejected = {line for line, *_ in found.rejects}
    assert found.read == len(records)
    assert all(len(fields) != 2 for line, fields in records if line in rejected)
    assert [tuple(field or "" for field in row) for row in found.rows] == [
        tuple(fields[:2]) for line, fields in records if line not in rejected
    ]


# --- through the whole lake

_files = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NAMES), st.binary(max_size=40)),
        st.tuples(st.just("a.csv"), damaged(CSV)),
        st.tuples(st.just("a.jsonl"), damaged(JSONL)),
        st.tuples(st.just("a.parquet"), st.sampled_from(PARQUET).flatmap(damaged)),
        st.tuples(st.just("a.jsonl.gz"), damaged(GZ)),
    ),
    min_size=1,
    max_size=4,
)


@fuzz(8)
@given(files=_files)
def test_a_lake_takes_any_files_and_none_harms_another(
    make_lake: MakeLake, tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, bytes]]
) -> None:
    lake = make_lake(feed(*COLUMNS), home=tmp_path_factory.mktemp("lake"))
    names = [f"{at}{name}" for at, (name, _) in enumerate(files)] + ["good.jsonl"]
    for name, (_, content) in zip(names, [*files, ("", JSONL)], strict=True):
        drop(lake, f"feed/{name}", content)
    ingest(lake, "feed")
    rows = {row.name: row for row in lake.ledger.list_files("feed")}
    assert set(rows) == set(names)
    assert rows["good.jsonl"].rows_published == len(RECORDS)
    assert all(row.is_accounted for row in rows.values())
    assert all(row.error for row in rows.values() if row.status is not FileStatus.PUBLISHED)
    assert {row.status for row in rows.values()} <= {FileStatus.PUBLISHED, FileStatus.QUARANTINED}
    assert_accounted(lake)
