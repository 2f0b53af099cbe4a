"""CSV as it comes: each oddity has one defined reading, down to the line and the text of what is refused."""

import csv
import gzip
import io
import unicodedata
import zipfile
from collections.abc import Iterator

import pyarrow as pa
import pytest

from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, fate_of, feed
from slice_platform_tests.lake.reading import (
    NOT_CLOSED,
    NOT_TEXT,
    REQUIRED,
    TOO_FEW,
    TOO_MANY,
    Reader,
    Reading,
    Refusal,
    reader_of,
)

Rows = list[tuple[str | None, int | None]]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader_of(tmp_path_factory.mktemp("csv"), ID, N) as reader:
        yield reader


def gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        # quotes
        (b'id,n\n"a,b",1\n', [("a,b", 1)]),
        (b'id,n\n"a""b",1\n', [('a"b', 1)]),
        (b'id,n\n"""",1\n', [('"', 1)]),
        (b'id,n\n"a\nb",1\n', [("a\nb", 1)]),
        (b'id,n\n"a\r\nb",1\n', [("a\r\nb", 1)]),
        (b'id,n\n"a\rb",1\n', [("a\rb", 1)]),
        (b'id,n\n"\n\n",1\n', [("\n\n", 1)]),
        (b'id,n\na"b"c,1\nab",2\n', [('a"b"c', 1), ('ab"', 2)]),
        (b'id,n\n\\"a,1\n"a\\",2\n', [('\\"a', 1), ("a\\", 2)]),
        (b'"id","n"\n"a","1"\n', [("a", 1)]),
        (b"id,n\n'a',1\n", [("'a'", 1)]),
        # nothing, and quoted nothing
        (b'id,n\n"",\n"",""\n', [("", None), ("", None)]),
        # spaces belong to the value, except beside quotes
        (b"id,n\n a ,1\n\t,2\n", [(" a ", 1), ("\t", 2)]),
        (b'id,n\n "a" ,1\n b"c,2\n', [("a", 1), (' b"c', 2)]),
        # ends of lines
        (b"id,n\na,1\nb,2", [("a", 1), ("b", 2)]),
        (b"id,n\r\na,1\r\nb,2\r\n", [("a", 1), ("b", 2)]),
        (b"id,n\ra,1\rb,2\r", [("a", 1), ("b", 2)]),
        (b'id,n\r\n"a\nb",1\r\n"c\rd",2\r\n', [("a\nb", 1), ("c\rd", 2)]),
        (b"id,n\n\n\na,1\n\n\nb,2\n\n", [("a", 1), ("b", 2)]),
        (b"id,n\r\n\r\na,1\r\n\r\n", [("a", 1)]),
        # characters that are no ends of lines
        ("id,n\na\u2028b,1\nc\x85d,2\ne\x0bf\x0c,3\n".encode(), [("a\u2028b", 1), ("c\x85d", 2), ("e\x0bf\x0c", 3)]),
        (b"id,n\na\0b,1\n\0,2\n", [("a\0b", 1), ("\0", 2)]),
        (b"id,n\n#a,1\n", [("#a", 1)]),
        # marks and alphabets
        (b'\xef\xbb\xbf"id",n\na,1\n', [("a", 1)]),
        (b"id,n\n\xef\xbb\xbfa,1\n", [("\ufeffa", 1)]),
        (
            "id,n\né,1\ne\u0301,2\n😀,3\n\U0010ffff,4\n".encode(),
            [("é", 1), ("e\u0301", 2), ("😀", 3), ("\U0010ffff", 4)],
        ),
        # the header
        (b"n,id\n1,a\n", [("a", 1)]),
        (b"id\na\n", [("a", None)]),
        (b'id,n,"x\ny"\na,1,z\n', [("a", 1)]),
        (b"id,n,\na,1,\nb,2,x\n", [("a", 1), ("b", 2)]),
        (b"id,n\n", []),
        (b"id,n", []),
        (b"id,n\n\n\n", []),
        # fields beyond the header are passed over as long as they are empty
        (b"id,n\na,1,\nb,2,,,\n", [("a", 1), ("b", 2)]),
    ],
)
def test_what_has_one_meaning_is_read(reader: Reader, content: bytes, rows: Rows) -> None:
    assert reader.read("a.csv", content) == Reading(None, rows, [], len(rows))


MIXED: list[tuple[bytes, Rows]] = [
    (b"id,n\r\na,1\nb,2\r\n", [("a", 1), ("b", 2)]),
    (b"id,n\na,1\r\nb,2\n", [("a", 1), ("b", 2)]),
    (b"id,n\na,1\rb,2\n", [("a", 1), ("b", 2)]),
    (b"id,n\r\n\n\na,1\rb,2", [("a", 1), ("b", 2)]),
    (b"id,n\na,1\nb,2\r", [("a", 1), ("b", 2)]),
    (b"id,n\r\na,1\r\r\nb,2\r\n", [("a", 1), ("b", 2)]),
    (b'id,n\r\n"a\r\nb\nc\rd",1\nb,2\r\n', [("a\r\nb\nc\rd", 1), ("b", 2)]),
    (b'id,n\r\n "a\r\nb",1\n', [("a\r\nb", 1)]),
]


@pytest.mark.parametrize(("content", "rows"), MIXED)
def test_mixed_ends_of_lines_end_lines_and_stay_as_they_are_inside_quotes(
    reader: Reader, content: bytes, rows: Rows
) -> None:
    """DuckDB itself refuses such files, or skips records of them without a word."""
    assert reader.read("a.csv", content) == Reading(None, rows, [], len(rows))


def test_no_record_after_a_quoted_nothing_is_skipped_where_ends_of_lines_are_mixed(reader: Reader) -> None:
    found = reader.read("a.csv", b'id,n\r\n\n""\n,""\nb,1\n\n')
    assert found.rows == [("b", 1)]
    assert found.rejects == [(3, None, TOO_FEW, '""'), (4, "id", REQUIRED, ',""')]


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1])
def test_an_end_of_line_that_two_chunks_share_is_one(reader: Reader, size: int) -> None:
    first = b"id,n\r\n" + b"x" * (size - 9) + b",1\r"
    assert len(first) == size
    assert [n for _, n in reader.read("a.csv", first + b"\nb,2\nc,3\n").rows] == [1, 2, 3]
    records = reader.read("a.jsonl", b'{"id":"' + b"x" * (size - 10) + b'"}\r' + b'\n{"id":"b"}\r{"id":"c"}\n')
    assert (records.read, [key for key, _ in records.rows][1:]) == (3, ["b", "c"])


@pytest.mark.parametrize(
    ("content", "rows", "rejects"),
    [
        (b"id,n\n,\n", [], [(2, "id", REQUIRED, ",")]),
        (b"id,n\na\nb,1,2\nc,3\n", [("c", 3)], [(2, None, TOO_FEW, "a"), (3, None, TOO_MANY, "b,1,2")]),
        (b'id,n\na,1,""\nb,2, \n', [], [(2, None, TOO_MANY, 'a,1,""'), (3, None, TOO_MANY, "b,2, ")]),
        (b"id,n\n \na,1\n", [("a", 1)], [(2, None, TOO_FEW, " ")]),
        (b"id,n\na, 1 \n", [], [(2, "n", "' 1 ' is not integer", "a, 1 ")]),
        (b"id,n\na,1\0\n", [], [(2, "n", "'1\0' is not integer", "a,1\0")]),
        (b'id,n\n"a\\"b",1\nc,2\n', [("c", 2)], [(2, None, NOT_CLOSED, '"a\\"b",1')]),
        (b'id,n\n"a"b,1\nc,2\n', [("c", 2)], [(2, None, NOT_CLOSED, '"a"b,1')]),
        (b'id,n\nb,"c\nd"x\ne,2\n', [("e", 2)], [(2, None, NOT_CLOSED, 'b,"c\nd"x')]),
        (b'id,n\na,1\n"', [("a", 1)], [(3, None, NOT_CLOSED, '"')]),
        (b'id,n\na,1\n"b,2\nc,3\n', [("a", 1)], [(3, None, NOT_CLOSED, '"b,2\nc,3')]),
        (b"id,n\n'a,b',1\n", [], [(2, None, TOO_MANY, "'a,b',1")]),
        (b"id,n\na,1\n\x1a", [("a", 1)], [(3, None, TOO_FEW, "\x1a")]),
        (b"id,n\na,1\n\xff,2\nb,3\n", [("a", 1), ("b", 3)], [(3, None, NOT_TEXT, r"\xff,2")]),
        (b'id,n\n"a\nb\xff",1\nc,2\n', [("c", 2)], [(2, None, NOT_TEXT, '"a\nb\\xff",1')]),
        (
            b"id,n\n\xed\xa0\x80,1\n\xc0\x80,2\n",
            [],
            [(2, None, NOT_TEXT, r"\xed\xa0\x80,1"), (3, None, NOT_TEXT, r"\xc0\x80,2")],
        ),
        (
            b"id,n\r\na,x\n\nb,y\r\rc\r\n",
            [],
            [(2, "n", "'x' is not integer", "a,x"), (4, "n", "'y' is not integer", "b,y"), (6, None, TOO_FEW, "c")],
        ),
    ],
)
def test_what_is_no_record_is_refused_alone_with_its_line_and_text(
    reader: Reader, content: bytes, rows: Rows, rejects: list[Refusal]
) -> None:
    assert reader.read("a.csv", content) == Reading(None, rows, rejects, len(rows) + len(rejects))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"id;n\na;1\n", "required columns are missing: id; the file has: id;n"),
        ("a.csv", b"sep=,\nid,n\na,1\n", "required columns are missing: id; the file has: sep=, "),
        ("a.csv", b"#made by hand\nid,n\na,1\n", "required columns are missing: id; the file has: #made by hand"),
        ("a.csv", b"ID,N\na,1\n", "required columns are missing: id; the file has: ID, N (names count to the letter"),
        ("a.csv", b'"id\n",n\na,1\n', "required columns are missing: id"),
        ("a.csv", b"id,n,id\na,1,b\n", "the header names 'id' more than once"),
        ("a.csv", b"id,n,,\na,1,,\n", "the header names '' more than once"),
        ("a.csv", b"\n\n\n", "the file has no header line"),
        ("a.csv", b"\0\0\0\0", "required columns are missing: id"),
        ("a.csv", b"", "the file is empty: 0 bytes"),
        ("a.csv", "id,n\na,1\n".encode("utf-16"), "the header is not utf-8 text"),
        ("a.csv", "id,n\na,1\n".encode("utf-16-le"), "required columns are missing: id"),
        ("a.csv.gz", gz(b""), "the file is empty: 0 bytes uncompressed"),
        ("a.csv.gz", gz(b"id,n\na,1\n") + b"more", "damaged or incomplete gzip file"),
        ("a.csv.gz", gz(b"id,n\na,1\n")[:-5], "damaged or incomplete gzip file"),
        ("a.csv.gz", gz(b"id,n\na,1\n")[:-4] + b"\0\0\0\1", "damaged or incomplete gzip file"),
        ("a.csv.gz", b"\x1f\x8b", "damaged or incomplete gzip file"),
    ],
)
def test_a_file_whose_records_cannot_be_told_is_set_aside(
    reader: Reader, name: str, content: bytes, problem: str
) -> None:
    found = reader.read(name, content)
    assert str(found.problem).startswith(problem)


def test_a_zip_that_is_named_gz_is_set_aside(reader: Reader) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.csv"), b"id,n\na,1\n")
    assert str(reader.read("a.csv.gz", packed.getvalue()).problem).startswith("damaged or incomplete gzip file")


@pytest.mark.parametrize("cut", [1, 4, 12])
def test_half_a_zstd_file_is_set_aside(reader: Reader, cut: int) -> None:
    packed = bytes(pa.Codec("zstd").compress(b"id,n\n" + b"a,1\n" * 100, asbytes=True))
    assert str(reader.read("a.csv.zst", packed[:-cut]).problem).startswith("damaged or incomplete zstd file")


def test_members_of_a_gzip_file_are_one_text(reader: Reader) -> None:
    parts = [b"id,n\na,", b"", b"1\r", b"\nb,2\n"]
    assert reader.read("a.csv.gz", b"".join(map(gz, parts))).rows == [("a", 1), ("b", 2)]


def test_a_header_that_never_ends_is_set_aside_without_being_read_to_its_end(reader: Reader) -> None:
    found = reader.read("a.csv", b'"id,n\n' + b"a,1\n" * (5 << 20))
    assert found.problem == "the header could not be read: it is longer than 16 MB, or a quote in it is never closed"


def test_what_looks_alike_is_not_made_alike(reader: Reader) -> None:
    """Nothing is normalised: two spellings of one letter are two values, and two names."""
    names = ["é", unicodedata.normalize("NFD", "é")]
    assert [key for key, _ in reader.read("a.csv", f"id,n\n{names[0]},1\n{names[1]},2\n".encode()).rows] == names
    assert reader.read("a.csv", f"id,n,{names[0]},{names[1]}\na,1,,\n".encode()).rows == [("a", 1)]


def test_long_fields_and_many_columns_are_read(reader: Reader) -> None:
    field = 'x,"\n' * (3 << 18)
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows([["id", "n"], [field, 1], ["b", 2]])
    assert reader.read("a.csv", written.getvalue().encode()).rows == [(field, 1), ("b", 2)]
    names = [f"c{number}" for number in range(398)]
    wide = ",".join(["id", *names, "n"]) + "\n" + ",".join(["a", *names, "7"]) + "\n" + ",".join(["b", *names])
    found = reader.read("a.csv", wide.encode())
    assert (found.rows, [reject[:3] for reject in found.rejects]) == ([("a", 7)], [(3, None, TOO_FEW)])


def test_lines_that_an_open_quote_swallows_count_against_the_file(make_lake: MakeLake) -> None:
    """They are one reject, and nobody can tell how many records they were."""
    lake = make_lake(feed(tolerated_rejects=0.05))
    records = b"".join(b"k%d,%d\n" % (number, number) for number in range(100))
    fate = fate_of(lake, "near_the_end.csv", b"id,n\n" + records + b'"x,1\ny,2\n')
    assert fate.counts == (101, 100, 1)
    fate = fate_of(lake, "in_the_middle.csv", b"id,n\n" + records + b'"x,1\n' + records)
    assert (fate.row.status, fate.rows) == (FileStatus.QUARANTINED, [])
    assert "1 of 101 rows rejected, with 100 further lines in them (50.25%; tolerated 5.00%)" in str(fate.row.error)
