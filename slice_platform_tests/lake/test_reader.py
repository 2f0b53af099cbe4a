"""Files as they come: every way in which one can be damaged or odd has a defined outcome."""

import gzip
import random

import pyarrow as pa
import pytest

from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import DAY, ID, Fate, N, fate_of, feed, jsonl, rows_of


def gz(content: bytes) -> bytes:
    """Without the time of day: test names are made of it, and must be the same in every worker."""
    return gzip.compress(content, mtime=0)


CSV = b"id,n\na,1\nb,2\n"
BIG = b"id,n\n" + b"".join(b"%d,%d\n" % (random.Random(n).getrandbits(60), n) for n in range(5000))
ROWS = [("a", 1), ("b", 2)]


def zst(content: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(content, asbytes=True))


def flipped(content: bytes) -> bytes:
    """One bit of the middle byte is another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def assert_set_aside(fate: Fate, reason: str) -> None:
    assert (fate.row.status, fate.rows) == (FileStatus.QUARANTINED, [])
    assert reason in str(fate.row.error)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", CSV),
        ("one.csv.gz", gz(CSV)),
        ("members.csv.gz", gz(CSV[:9]) + gz(CSV[9:])),
        ("frame.csv.zst", zst(CSV)),
        ("mark.csv", b"\xef\xbb\xbf" + CSV),
        ("crlf.csv", CSV.replace(b"\n", b"\r\n")),
        ("cr.csv", CSV.replace(b"\n", b"\r")),
        ("quoted.csv", b'"id","n"\n"a","1"\n"b","2"\n'),
        ("last.csv", CSV.rstrip()),
        ("order.csv", b"n,id\n1,a\n2,b\n"),
        ("extra.csv", b"id,more,n\na,x,1\nb,y,2\n"),
        ("blank.csv", b"id,n\n\na,1\n\n\nb,2\n\n"),
        ("plain.jsonl", jsonl({"id": "a", "n": 1}, {"id": "b", "n": 2})),
        ("one.jsonl.gz", gz(jsonl({"id": "a", "n": 1}, {"id": "b", "n": 2}))),
        ("mark.jsonl", b"\xef\xbb\xbf" + jsonl({"id": "a", "n": 1}, {"id": "b", "n": 2})),
        ("mixed.jsonl", b'{"id":"a","n":1}\r\n\n  \n{"n":2,"id":"b"}\r\n\r\n'),
        ("text.jsonl", jsonl({"id": "a", "n": "1", "more": {"x": [1]}}, {"id": "b", "n": "2"})),
    ],
)
def test_what_is_no_fault_is_read(make_lake: MakeLake, name: str, content: bytes) -> None:
    fate = fate_of(make_lake(feed()), name, content)
    assert (fate.rows, fate.rejects, fate.counts) == (ROWS, [], (2, 2, 0))
    assert fate.row.plain_bytes == len(content) or name.endswith(("gz", "zst"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("short.csv.gz", gz(BIG)[:-100], "damaged or incomplete gzip file: Compressed file ended before"),
        ("flip.csv.gz", flipped(gz(BIG)), "damaged or incomplete gzip file"),
        ("tail.csv.gz", gz(CSV) + b"garbage", "damaged or incomplete gzip file"),
        ("not.csv.gz", CSV, "damaged or incomplete gzip file: Not a gzipped file"),
        ("short.csv.zst", zst(BIG)[:-50], "damaged or incomplete zstd file"),
        ("half.jsonl.zst", zst(BIG)[:2000], "damaged or incomplete zstd file"),
        ("empty.csv", b"", "the file is empty: 0 bytes"),
        ("empty.jsonl.gz", b"", "the file is empty: 0 bytes"),
        ("nothing.csv.gz", gz(b""), "the file is empty: 0 bytes uncompressed"),
        ("nothing.jsonl.gz", gz(b""), "the file is empty: 0 bytes uncompressed"),
        ("blank.csv", b"\n\n", "the file has no header line"),
        ("later.csv", b"\nid,n\na,1\n", "the file has no header line"),
        ("zipped.csv", gz(CSV), "the header is not utf-8 text"),
        ("named.csv", b"id,n,n\na,1,2\n", "the header names 'n' more than once"),
        ("missing.csv", b"n\n1\n", "required columns are missing: id; the file has: n"),
        ("case.csv", b"ID,N\na,1\n", "(names count to the letter: 'ID' is not 'id')"),
        ("space.csv", b" id,n\na,1\n", "(names count to the letter: ' id' is not 'id')"),
        ("cut.parquet", b"PAR1 and then nothing", "the file cannot be read"),
    ],
)
def test_a_damaged_file_is_set_aside_with_a_reason(make_lake: MakeLake, name: str, content: bytes, reason: str) -> None:
    assert_set_aside(fate_of(make_lake(feed()), name, content), reason)


@pytest.mark.parametrize("name", ["header.csv", "header.csv.gz", "blank.jsonl"])
def test_a_file_without_records_is_published_with_none(make_lake: MakeLake, name: str) -> None:
    content = b"\n \n" if name.endswith("jsonl") else b"id,n\n"
    fate = fate_of(make_lake(feed()), name, gz(content) if name.endswith("gz") else content)
    assert (fate.row.status, fate.counts, fate.row.error) == (FileStatus.PUBLISHED, (0, 0, 0), None)


def test_a_line_of_16_mb_is_read_and_a_longer_one_is_rejected(make_lake: MakeLake) -> None:
    lake, most = make_lake(feed()), 16 * 1024**2
    for name, left, right in (("csv", b"", b",2"), ("jsonl", b'{"id":"', b'"}')):
        fits = left + b"x" * (most - len(left + right) - 2) + right
        good = b"id,n\na,1\n" if name == "csv" else b'{"id":"a"}\n'
        fate = fate_of(lake, f"fits.{name}", good + fits + b"\n")
        assert fate.counts == (2, 2, 0)
        fate = fate_of(lake, f"long.{name}", good + fits + b"  \n" + good.splitlines()[-1] + b"\n")
        (line, column, reason, raw) = fate.rejects[0]
        assert (fate.counts, len(fate.rejects)) == ((3, 2, 1), 1)
        assert (line, column, reason) == (str(good.count(b"\n") + 1), "", "the line is longer than 16 MB")
        assert raw[:3] == fits.decode()[:3]


FROM_PATH = {"column": "day", "grain": "month", "start": "2013-01-01", "from_path": r"(?P<year>\d{4})/(?P<month>\d\d)/"}


def test_a_column_is_taken_from_the_path(make_lake: MakeLake) -> None:
    lake = make_lake(feed(ID, DAY, partition=FROM_PATH))
    fate = fate_of(lake, "2013/02/a.csv", b"id\na\n")
    assert [(row[0], str(row[1])) for row in fate.rows] == [("a", "2013-02-01")]
    assert [row.partition_key for row in lake.ledger.list_partitions("feed")] == ["2013-02"]
    assert_set_aside(fate_of(lake, "2013/b.csv", b"id\nb\n"), "'2013/b.csv' does not match partition.from_path")


def test_rows_outside_of_the_partitions_are_rejected(make_lake: MakeLake) -> None:
    partition = {"column": "day", "grain": "day", "start": "2013-01-01", "end": "2014-01-01"}
    lake = make_lake(feed(ID, DAY, partition=partition))
    fate = fate_of(lake, "a.csv", b"id,day\na,2012-12-31\nb,2013-01-01\nc,2013-12-31\nd,2014-01-01\ne,\n")
    assert [row[0] for row in fate.rows] == ["b", "c"]
    assert [(line, column, reason) for line, column, reason, _ in fate.rejects] == [
        ("2", "day", "lies before partition.start 2013-01-01 00:00"),
        ("5", "day", "lies after partition.end 2014-01-01 00:00"),
        ("6", "day", "required, but empty"),
    ]


def test_every_broken_rule_of_a_row_is_told(make_lake: MakeLake) -> None:
    code = {"name": "code", "logicalType": "string", "logicalTypeOptions": {"pattern": "[a-z]+", "maxLength": 3}}
    kind = {"name": "kind", "logicalType": "string", "enum": [{"value": "x"}, {"value": "y"}]}
    size = {**N, "name": "size", "logicalTypeOptions": {"minimum": 1, "exclusiveMaximum": 5}}
    lake = make_lake(feed(ID, code, kind, size))
    fate = fate_of(lake, "a.csv", b"id,code,kind,size\na,abc,x,1\nb,ABCD,z,0\nc,,,\n,a,y,5\n")
    assert [row[0] for row in fate.rows] == ["a", "c"]
    assert [reject[:3] for reject in fate.rejects] == [
        ("3", "code", "'ABCD' is longer than 3"),
        ("3", "code", "'ABCD' does not match [a-z]+"),
        ("3", "kind", "'z' is not one of x, y"),
        ("3", "size", "'0' is below the minimum 1"),
        ("5", "id", "required, but empty"),
        ("5", "size", "'5' is not below 5"),
    ]
    assert {reject[3] for reject in fate.rejects} == {"b,ABCD,z,0", ",a,y,5"}


def test_an_instant_beyond_the_year_9999_harms_only_its_row(make_lake: MakeLake) -> None:
    instant = {"name": "at", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
    lake = make_lake(feed(ID, instant, partition={"column": "at", "grain": "day", "start": "2013-01-01"}))
    fate = fate_of(lake, "a.csv", b"id,at\na,9999-12-31T23:59:59-05:00\nb,9999-12-31T23:59:59Z\n")
    assert [row[0] for row in fate.rows] == ["b"]
    assert fate.rejects[0][:2] == ("2", "at")
    assert "is not in the years 1 to 9999 of UTC" in fate.rejects[0][2]
    assert rows_of(lake, "select count(*) from curated.feed") == [(1,)]
