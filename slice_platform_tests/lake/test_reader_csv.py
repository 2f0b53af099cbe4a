"""CSV to rows: quotes, gaps, wrong numbers of fields, other encodings and nested values."""

import pytest

from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, fate_of, feed

NOT_CLOSED = "a quote is not closed, or text follows a closing quote"
TEXT = {"name": "s", "logicalType": "string"}
OBJECT = {
    "name": "o",
    "logicalType": "object",
    "properties": [{"name": "a", "logicalType": "integer"}, {"name": "b", "logicalType": "string"}],
}
LIST = {"name": "l", "logicalType": "array", "items": {"logicalType": "integer"}}


def test_line_breaks_and_doubled_quotes_belong_to_the_value(make_lake: MakeLake) -> None:
    fate = fate_of(make_lake(feed()), "a.csv", b'id,n\n"a\nb",1\n"c\r\nd",2\n"say ""hi""",3\ne"f,4\n"x\ny",z\n')
    assert fate.rows == [("a\nb", 1), ("c\r\nd", 2), ('say "hi"', 3), ('e"f', 4)]
    assert fate.rejects == [("8", "n", "'z' is not integer", '"x\ny",z')]


@pytest.mark.parametrize(
    ("content", "rows", "rejects"),
    [
        (b'a,1\n"b"x,2\nc,3\n', ["a", "c"], [("3", NOT_CLOSED, '"b"x,2')]),
        (b'a,1\n"b,2\nc,3\n', ["a"], [("3", NOT_CLOSED, '"b,2\nc,3')]),
        (
            b"a\nb,2\nc,3,4\n",
            ["b"],
            [("2", "fewer fields than the header has", "a"), ("4", "more fields than the header has", "c,3,4")],
        ),
        (
            b"a,1\n\xff\xfe,2\nb,2\n",
            ["a", "b"],
            [("3", "the line is not valid text of the file's encoding", r"\xff\xfe,2")],
        ),
    ],
)
def test_a_record_that_is_none_is_rejected_alone(
    make_lake: MakeLake, content: bytes, rows: list[str], rejects: list[tuple[str, str, str]]
) -> None:
    fate = fate_of(make_lake(feed()), "a.csv", b"id,n\n" + content)
    assert [row[0] for row in fate.rows] == rows
    assert fate.rejects == [(line, "", reason, raw) for line, reason, raw in rejects]
    assert fate.counts == (len(rows) + len(rejects), len(rows), len(rejects))


def test_rejects_stand_in_the_order_of_the_file(make_lake: MakeLake) -> None:
    content = b'id,n\na,1\n\nb,x\n\n\nc\n"d\n\n",y\n\xff,1\n\ne,z\n'
    fate = fate_of(make_lake(feed()), "a.csv", content)
    assert [(line, raw) for line, _, _, raw in fate.rejects] == [
        *(("4", "b,x"), ("7", "c"), ("8", '"d\n\n",y'), ("11", r"\xff,1"), ("13", "e,z"))
    ]


def test_quoted_nothing_is_an_empty_string_and_nothing_is_null(make_lake: MakeLake) -> None:
    files = [{"pattern": "*.csv", "format": "csv", "null_values": ["NA"]}]
    fate = fate_of(make_lake(feed(N, TEXT, files=files)), "a.csv", b'n,s\n1,""\n2,\n3,NA\n4,"NA"\n"",x\n,y\nNA,z\n')
    assert fate.rows == [(1, ""), (2, None), (3, None), (4, "NA"), (None, "x"), (None, "y"), (None, "z")]


def test_without_null_values_na_is_a_text_and_no_number(make_lake: MakeLake) -> None:
    fate = fate_of(make_lake(feed(N, TEXT)), "a.csv", b"n,s\n1,NA\nNA,x\n")
    assert fate.rows == [(1, "NA")]
    assert fate.rejects == [("3", "n", "'NA' is not integer", "NA,x")]


def test_a_quoted_null_value_is_no_null_for_a_number(make_lake: MakeLake) -> None:
    files = [{"pattern": "*.csv", "format": "csv", "null_values": ["NA"]}]
    fate = fate_of(make_lake(feed(N, TEXT, files=files)), "a.csv", b'n,s\n"NA",x\n')
    assert fate.rejects == [("2", "n", "'NA' is not integer", '"NA",x')]


def test_in_a_file_of_one_column_an_empty_line_is_a_record(make_lake: MakeLake) -> None:
    fate = fate_of(make_lake(feed(ID)), "a.csv", b'id\na\n\n""\n')
    assert (fate.rows, fate.counts) == ([("a",), ("",)], (3, 2, 1))
    assert fate.rejects == [("3", "id", "required, but empty", "")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "latin-1"])
def test_other_encodings_and_delimiters_are_read(make_lake: MakeLake, encoding: str) -> None:
    known = "latin-1" if encoding == "latin-1" else "utf-16"
    mark = {"utf-16-be": "\ufeff", "utf-16-le": "\ufeff"}.get(encoding, "")
    odd = "\x80" if encoding == "latin-1" else "😀"
    files = [{"pattern": "*.csv", "format": "csv", "delimiter": ";", "encoding": known}]
    content = f"{mark}id;n\né;1\n{odd}\nb;2;3\n{odd};x\n".encode(encoding)
    fate = fate_of(make_lake(feed(files=files)), "a.csv", content)
    assert fate.rows == [("é", 1)]
    assert [(line, raw) for line, _, _, raw in fate.rejects] == [("3", odd), ("4", "b;2;3"), ("5", f"{odd};x")]


@pytest.mark.parametrize("content", [b"id;n\na;1\n", "id;n\na;1\n".encode("utf-16") + b"x"])
def test_text_of_another_encoding_is_set_aside(make_lake: MakeLake, content: bytes) -> None:
    files = [{"pattern": "*.csv", "format": "csv", "delimiter": ";", "encoding": "utf-16"}]
    fate = fate_of(make_lake(feed(files=files)), "a.csv", content)
    assert (fate.row.status, fate.rows) == (FileStatus.QUARANTINED, [])
    assert "the file is not utf-16 text" in str(fate.row.error)


def test_nested_columns_hold_json(make_lake: MakeLake) -> None:
    lines = [
        *(
            'id,o,l\na,"{""a"": 1}","[1,null]"',
            "b,,",
            'c,"",null',
            "d,{bad,",
            'e,5,"[1]"',
            'f,"{""a"":""x""}",',
            'g,,"{}"',
        ),
    ]
    fate = fate_of(make_lake(feed(ID, OBJECT, LIST)), "a.csv", "\n".join(lines).encode())
    assert fate.rows == [("a", {"a": 1, "b": None}, [1, None]), ("b", None, None), ("c", None, None)]
    assert [reject[:3] for reject in fate.rejects] == [
        ("5", "", "a nested column is not JSON"),
        ("6", "o", "does not fit object<a: integer, b: string>"),
        ("7", "o", "does not fit object<a: integer, b: string>"),
        ("8", "l", "does not fit array<integer>"),
    ]
