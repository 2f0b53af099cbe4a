"""JSON lines as parsers disagree on them: each line is a row or a reject, as is written here, and none is lost."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import ID, N, deliver, fate_of, feed, jsonl
from slice_platform_tests.lake.reading import (
    NO_OBJECT,
    NOT_JSON,
    NOT_TEXT,
    REQUIRED,
    TOO_LONG,
    Reader,
    Reading,
    reader_of,
)
from slice_platform_tests.lake.test_reader_csv import LIST, OBJECT
from slice_platform_tests.lake.test_reader_parquet import parquet

TEXT = {"name": "s", "logicalType": "string"}
RATIO = {"name": "f", "logicalType": "number"}
MONEY = {"name": "m", "logicalType": "number", "logicalTypeOptions": {"precision": 38, "scale": 2}}
FLAG = {"name": "b", "logicalType": "boolean"}
POINTS = {
    "name": "p",
    "logicalType": "array",
    "items": {"logicalType": "object", "properties": [{"name": "x", "logicalType": "integer"}]},
}
COLUMNS: list[dict[str, Any]] = [ID, N, TEXT, RATIO, MONEY, FLAG, OBJECT, LIST, POINTS]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with reader_of(tmp_path_factory.mktemp("json"), *COLUMNS) as reader:
        yield reader


def rows_of(reader: Reader, content: bytes) -> list[dict[str, Any]]:
    """The rows of a file without rejects, as what they have that is not NULL."""
    found = reader.read("a.jsonl", content)
    assert (found.problem, found.rejects) == (None, [])
    names = [str(column["name"]) for column in COLUMNS]
    return [{name: value for name, value in zip(names, row, strict=True) if value is not None} for row in found.rows]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        # texts
        (rb'{"id":"\u00e9\ud83d\ude00\/\"\\\t"}', {"id": 'é😀/"\\\t'}),
        (rb'{"id":"a\u0000b"}', {"id": "a\0b"}),
        (b'{"id":"a\xe2\x80\xa8b\xc2\x85\x7f"}', {"id": "a\u2028b\x85\x7f"}),
        (rb'{"i\u0064":"a"}', {"id": "a"}),
        # numbers and texts of numbers
        (b'{"id":5,"n":"7"}', {"id": "5", "n": 7}),
        (b'{"id":12345678901234567890123}', {"id": "12345678901234567890123"}),
        (b'{"id":"a","n":-0,"f":-0.0}', {"id": "a", "n": 0, "f": -0.0}),
        (b'{"id":"a","n":-9223372036854775808}', {"id": "a", "n": -(2**63)}),
        (b'{"id":"a","f":1e308,"m":"-0.5"}', {"id": "a", "f": 1e308, "m": Decimal("-0.50")}),
        (b'{"id":"a","f":1e-400}', {"id": "a", "f": 0.0}),
        (b'{"id":"a","f":18446744073709551617}', {"id": "a", "f": 18446744073709551617.0}),
        (
            b'{"id":"a","m":"123456789012345678901234567890123456.78"}',
            {"id": "a", "m": Decimal("123456789012345678901234567890123456.78")},
        ),
        (
            b'{"id":"a","m":123456789012345678901234567890}',
            {"id": "a", "m": Decimal("123456789012345678901234567890.00")},
        ),
        # other types
        (b'{"id":"a","b":1}', {"id": "a", "b": True}),
        (b'{"id":true,"s":{"x":[1, 2]}}', {"id": "true", "s": '{"x":[1,2]}'}),
        (b'{"id":"a","n":null,"o":null,"l":null}', {"id": "a"}),
        # keys beyond the contract, in odd spellings, also twice
        (b'{"ID":"x","id":"a","Id":1,"":2,"a.b":3,"$":4,"\\u0000":5,"\'":6}', {"id": "a"}),
        (b'{"id":"a","z":1,"z":2}', {"id": "a"}),
        (b'{"id":"a","o":{"z":1,"z":2,"a":3}}', {"id": "a", "o": {"a": 3, "b": None}}),
        (b'{"id":"a","x":{"id":"b"}}', {"id": "a"}),
        # white space, and what DuckDB takes beyond JSON
        (b' \t{ "id" :\t"a" }\t ', {"id": "a"}),
        (b'{"id":"a",}', {"id": "a"}),
        (b'{"id":"a","z":NaN}', {"id": "a"}),
    ],
)
def test_a_line_that_has_a_meaning_is_a_row(reader: Reader, line: bytes, row: dict[str, Any]) -> None:
    assert rows_of(reader, line + b"\n") == [row]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"a"}{"id":"b"}',
        b'{"id":"a"} {"id":"b"}',
        b'{"id":"a"},',
        b'{"id":"a"}]',
        b'{"id":"a"',
        b"{",
        b"}",
        b'"',
        b'{"id":"a"}//x',
        b'{/*x*/"id":"a"}',
        b"{'id':'a'}",
        b'{id:"a"}',
        b'{"id"}',
        b'{"id":}',
        b'{"id":"a",,}',
        b'{,"id":"a"}',
        b'{"id":"a","n":01}',
        b'{"id":"a","n":+1}',
        b'{"id":"a","n":.5}',
        b'{"id":"a","n":5.}',
        b'{"id":"a","n":0x10}',
        b'{"id":"a","b":True}',
        b'{"id":None}',
        b'{"id":undefined}',
        b'{"id":"a\tb"}',
        b'{"id":"a\0b"}',
        b'{"id":"a"}\0',
        b"\0",
        b'{"id":"a\x01b"}',
        rb'{"id":"\ud800"}',
        rb'{"id":"\udc00x"}',
        rb'{"id":"\ud800\u0041"}',
        rb'{"id":"\q"}',
        rb'{"id":"\x41"}',
        rb'{"id":"\u12"}',
        b'\xc2\xa0{"id":"a"}',
        b'\x0c{"id":"a"}',
        b"\x0b",
        # what follows 0x01 would vanish, with the line or from it: DuckDB reads lines as a CSV of that delimiter
        b'\x01{"id":"a"}',
        b'{"id":"a"}\x01{"id":"b"}',
        b'{"id":"a"}\x01',
        b"\x01",
        b"\x01\x01\x02",
    ],
)
def test_a_line_that_is_no_json_is_refused_with_its_text(reader: Reader, line: bytes) -> None:
    content = b'{"id":"before"}\n\n' + line + b'\n{"id":"after"}\n'
    found = reader.read("a.jsonl", content)
    assert [row[0] for row in found.rows] == ["before", "after"]
    assert (found.rejects, found.read) == ([(3, None, NOT_JSON, line.decode())], 3)


@pytest.mark.parametrize("line", [b"[]", b'[{"id":"a"}]', b"null", b"true", b"5", b'"x"', b"NaN", b"-1e999"])
def test_a_value_that_is_no_object_is_refused(reader: Reader, line: bytes) -> None:
    assert reader.read("a.jsonl", line).rejects == [(1, None, NO_OBJECT, line.decode())]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        (b"{}", "id", REQUIRED),
        (b'{"ID":"a"}', "id", REQUIRED),
        (b'{"id":null}', "id", REQUIRED),
        (rb'{"id\u0000":"a"}', "id", REQUIRED),
        (b'{"id":"a","n":9223372036854775808}', "n", "'9223372036854775808' is not integer"),
        (b'{"id":"a","n":1e3}', "n", "'1000.0' is not integer"),
        (b'{"id":"a","n":1.0}', "n", "'1.0' is not integer"),
        (b'{"id":"a","n":""}', "n", "'' is not integer"),
        (b'{"id":"a","n":" 1"}', "n", "' 1' is not integer"),
        (b'{"id":"a","n":[1]}', "n", "'[1]' is not integer"),
        (b'{"id":"a","f":1e400}', "f", "'1e400' is not number"),
        (b'{"id":"a","f":NaN}', "f", "'NaN' is not number"),
        (b'{"id":"a","f":-Infinity}', "f", "'-Infinity' is not number"),
        (b'{"id":"a","f":"NaN"}', "f", "'NaN' is not number"),
        (b'{"id":"a","m":"0.125"}', "m", "'0.125' is not number(38,2)"),
        (b'{"id":"a","b":"on"}', "b", "'on' is not boolean"),
        (b'{"id":"a","o":[]}', "o", "does not fit object<a: integer, b: string>"),
        (b'{"id":"a","l":[1,[2]]}', "l", "does not fit array<integer>"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(reader: Reader, line: bytes, column: str, reason: str) -> None:
    assert reader.read("a.jsonl", line).rejects == [(1, column, reason, line.decode())]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"id":"a","id":"b"}', "id"),
        (b'{"id":"a","id":"a"}', "id"),
        (b'{"id":null,"id":"b"}', "id"),
        (b'{"id":"a","n":1,"z":0,"n":null}', "n"),
        (rb'{"id":"a","n":1,"\u006e":2}', "n"),
        (b'{"id":"a","o":{"a":1,"b":"x","a":2}}', "o.a"),
        (b'{"id":"a","p":[{"x":1},null,{"x":1,"x":2}]}', "p[].x"),
    ],
)
def test_a_key_of_the_contract_given_twice_is_refused(reader: Reader, line: bytes, key: str) -> None:
    """Of two values some parsers take the first and some the last."""
    assert reader.read("a.jsonl", line).rejects == [(1, None, f"the key {key} is there twice", line.decode())]


@pytest.mark.parametrize(
    ("column", "document", "key"),
    [("o", '{"a":1,"a":2}', "o.a"), ("o", '{"a":null,"a":null}', "o.a"), ("p", '[{"x":1},{"x":1,"x":2}]', "p[].x")],
)
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_so_is_one_in_a_document_that_a_column_holds(
    reader: Reader, name: str, column: str, document: str, key: str
) -> None:
    quoted = document.replace('"', '""')
    content = f'id,{column}\na,"{quoted}"\nb,\n'.encode()
    if name == "a.parquet":
        content = parquet({"id": ["a", "b"], column: [document, None]})
    found = reader.read(name, content)
    assert [reason for _, _, reason, _ in found.rejects] == [f"the key {key} is there twice"]
    assert [row[0] for row in found.rows] == ["b"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_column_of_documents_that_holds_something_else_makes_its_row_a_reject(reader: Reader, name: str) -> None:
    content = b"id,o\na,{\nb,\n" if name == "a.csv" else parquet({"id": ["a", "b"], "o": ["{", ""]})
    found = reader.read(name, content)
    assert [reason for _, _, reason, _ in found.rejects] == ["a nested column is not JSON"]
    assert [row[0] for row in found.rows] == ["b"]


@pytest.mark.parametrize(
    ("line", "raw"),
    [
        (b'{"id":"a\xff"}', r'{"id":"a\xff"}'),
        (b'{"id":"a\xed\xa0\x80"}', r'{"id":"a\xed\xa0\x80"}'),
        (b'{"id":"\xc0\x80\xf4\x90\x80\x80"}', r'{"id":"\xc0\x80\xf4\x90\x80\x80"}'),
        (b"\x1f\x8b\x08\x00", "\x1f\\x8b\x08\0"),
    ],
)
def test_bytes_that_are_no_text_are_refused_and_shown(reader: Reader, line: bytes, raw: str) -> None:
    found = reader.read("a.jsonl", b"\n" + line + b'\n{"id":"b"}\n\n' + line)
    assert (found.rejects, len(found.rows)) == ([(2, None, NOT_TEXT, raw), (5, None, NOT_TEXT, raw)], 1)


@pytest.mark.parametrize(
    "content",
    [
        b'{"id":"a"}\n{"id":"b"}',
        b'\xef\xbb\xbf{"id":"a"}\r\n{"id":"b"}\r\n',
        b'{"id":"a"}\r{"id":"b"}\r',
        b'{"id":"a"}\r\n\r{"id":"b"}\n\r\n',
        b'\xef\xbb\xbf\n\t\n \t \n{"id":"a"}\n\xc2\xa0\n{"id":"b"}\n',
    ],
)
def test_every_end_of_line_ends_a_line_and_blank_lines_are_none(reader: Reader, content: bytes) -> None:
    assert rows_of(reader, content) == [{"id": "a"}, {"id": "b"}]


def test_a_line_after_a_lone_carriage_return_keeps_its_first_letter(reader: Reader) -> None:
    """DuckDB eats it where the file's first line ends in CRLF."""
    found = reader.read("a.jsonl", b'{"id":"a"}\r\n{"id":"b"}\r{"id":"c"}\n5\r6\r\n')
    assert [row[0] for row in found.rows] == ["a", "b", "c"]
    assert found.rejects == [(4, None, NO_OBJECT, "5"), (5, None, NO_OBJECT, "6")]


@pytest.mark.parametrize(("opens", "closes"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize(("key", "row"), [("z", True), ("s", True), ("o", False), ("l", False)])
def test_depth_is_no_danger(reader: Reader, opens: bytes, closes: bytes, key: str, *, row: bool) -> None:
    deep = opens * 50_000 + b"1" + closes * 50_000
    found = reader.read("a.jsonl", b'{"id":"deep","%s":%s}\n{"id":"b"}\n' % (key.encode(), deep))
    assert [found[0] for found in found.rows] == (["deep", "b"] if row else ["b"])
    assert found.read == 2


def test_a_line_of_100_000_keys_is_a_row(reader: Reader) -> None:
    keys = {f"k{number}": number for number in range(100_000)}
    assert rows_of(reader, jsonl({**keys, "id": "a"}, {"id": "b"})) == [{"id": "a"}, {"id": "b"}]


def test_a_line_beyond_16_mb_is_refused_and_the_others_go_on(reader: Reader) -> None:
    found = reader.read("a.jsonl", b'{"id":"a"}\n{"id":"' + b"x" * (17 << 20) + b'"}\n{"id":"b"}\n\xff\n')
    assert [row[0] for row in found.rows] == ["a", "b"]
    assert [reject[:3] for reject in found.rejects] == [(2, None, TOO_LONG), (4, None, NOT_TEXT)]


def test_a_file_that_takes_all_memory_harms_only_itself(make_lake: MakeLake) -> None:
    """A line may be short and its tree large: each of these brackets is a value."""
    lake = make_lake(feed(ID, N), duckdb_memory_limit="250MB")
    greedy = b'{"id":"a","z":[' + b"[1]," * 3_000_000 + b"1]}\n"
    deliver(lake, a_jsonl=jsonl({"id": "a"}), b_jsonl=greedy, c_jsonl=jsonl({"id": "c"}))
    first, second, third = lake.ledger.list_files("feed")
    assert (first.rows_published, third.rows_published) == (1, 1)
    assert second.status is FileStatus.QUARANTINED
    assert "raise SLICE_DUCKDB_MEMORY_LIMIT, now 250MB" in str(second.error)


def test_the_account_is_that_of_an_independent_parser(make_lake: MakeLake) -> None:
    """Every line that is not blank counts once, and what Python reads as a fitting object is published."""
    good = [{"id": f"k{number}", "n": number} for number in range(20)]
    odd = [
        b"[]",
        b"{",
        b"\xff",
        b"\x01",
        b" ",
        b"",
        b'{"id":1}{}',
        b'{"id":"x","n":"y"}',
        b'{"id":"x","id":"y"}',
        b"\0",
    ]
    lines = [line for number, one in enumerate(good) for line in (json.dumps(one).encode(), odd[number % len(odd)])]
    fate = fate_of(make_lake(feed()), "a.jsonl", b"\n".join(lines))
    assert fate.rows == [(one["id"], one["n"]) for one in good]
    assert fate.counts == (36, 20, 16)
    assert [int(line) for line, _, _, _ in fate.rejects] == [at for at in range(2, 41, 2) if lines[at - 1].strip()]


def test_an_empty_file_and_one_of_blank_lines_are_told_apart(reader: Reader) -> None:
    assert reader.read("a.jsonl", b"").problem == "the file is empty: 0 bytes"
    assert reader.read("a.jsonl", b"\n \n\r\n") == Reading(None)
