"""CSV that is odd or wrong: on every destination it is loaded as it was meant, or refused with the place."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.outcome import Done, Failed
from slice_platform_tests.warehouse.worlds import World


@dataclass(frozen=True)
class Case:
    content: bytes
    rows: list[tuple[Any, ...]] | None = None  # id, name, phone_no
    reason: str = ""


def many_then(line: bytes) -> bytes:
    """The line stands in line 17."""
    return b"id,name,phone_no\n" + b"".join(b"%d,x,1\n" % number for number in range(15)) + line + b"\n"


ONE = [(1, "a", 7)]
CASES = {
    "bad int at line 17": Case(many_then(b"1,a,abc"), reason="line 17, column phone_no: 'abc' is not INTEGER"),
    "fraction": Case(b"id,phone_no\n1,10.7\n", reason="line 2, column phone_no: '10.7' is not INTEGER"),
    "fraction of nothing": Case(
        b"id,phone_no\n1,7.0\n",
        reason="line 2, column phone_no: '7.0' is not INTEGER: write 7; pandas does so with astype('Int64')",
    ),
    "exponent": Case(b"id,phone_no\n1,1e3\n", reason="line 2, column phone_no: '1e3' is not INTEGER"),
    "beyond": Case(b"id,phone_no\n1,9999999999\n", reason="'9999999999' is beyond what INTEGER holds"),
    "byte order mark": Case(b"\xef\xbb\xbfid,name,phone_no\n1,a,7\n", ONE),
    "CRLF": Case(b"id,name,phone_no\r\n1,a,7\r\n", ONE),
    "CRLF and LF": Case(b"id,name,phone_no\r\n1,a,7\n2,b,8\r\n", [*ONE, (2, "b", 8)]),
    "CR alone": Case(b"id,name,phone_no\r1,a,7\r", reason="is no column of the table"),
    "quoted newline": Case(b'id,name,phone_no\n1,"a\nb",7\n', [(1, "a\nb", 7)]),
    "quoted newline, then an error": Case(b'id,name,phone_no\n1,"a\nb",7\n2,b,x\n', reason="line 4, column phone_no"),
    "quoted blank line": Case(b'id,name,phone_no\n1,"a\n\nb",7\n', [(1, "a\n\nb", 7)]),
    "NUL": Case(b"id,name\n1,a\x00b\n", reason="line 2, column name"),
    "latin-1": Case(b"id,name\n1,a\xe9\n", reason="line 2: "),
    "header in another order": Case(b"phone_no,name,id\n7,a,1\n", ONE),
    "column missing": Case(b"id,name\n1,a\n", [(1, "a", None)]),
    "key missing": Case(b"name,phone_no\na,7\n", reason="'id' is missing: it is part of the primary key"),
    "column unknown": Case(b"id,name,fax\n1,a,7\n", reason="line 1: 'fax' is no column of the table"),
    "column twice": Case(b"id,name,name\n1,a,b\n", reason="line 1: 'name' is there twice"),
    "header in capitals": Case(b"ID,name\n1,a\n", reason="did you mean 'id'?"),
    "short row": Case(b"id,name,phone_no\n1,a,7\n2,b\n", reason="line 3: 2 fields, expected 3"),
    "long row": Case(b"id,name,phone_no\n1,a,7\n2,b,8,9\n", reason="line 3: 4 fields, expected 3"),
    "nothing": Case(b"", reason="The file is empty"),
    "header alone": Case(b"id,name,phone_no\n", []),
    "header without an end": Case(b"id,name,phone_no", []),
    "last line without an end": Case(b"id,name,phone_no\n1,a,7", ONE),
    "quote not closed": Case(b'id,name,phone_no\n1,"a,7\n2,b,8\n', reason="has a quote that is not closed"),
    "text behind a quote": Case(b'id,name,phone_no\n1,"a"b,7\n', reason="line 2"),
    "quotes doubled": Case(b'id,name,phone_no\n1,"say ""hi""",7\n', [(1, 'say "hi"', 7)]),
    "blank lines": Case(b"\nid,name,phone_no\n\n1,a,7\n\n", ONE),
    "empty and quoted empty": Case(b'id,name,phone_no\n1,,\n2,"",8\n', [(1, None, None), (2, "", 8)]),
    "quoted empty number": Case(b'id,phone_no\n1,""\n', reason="line 2, column phone_no: '' is not INTEGER"),
    "words that mean NULL elsewhere": Case(b"id,name\n1,NULL\n2,\\N\n", [(1, "NULL", None), (2, "\\N", None)]),
    "backslashes": Case(b"id,name\n1,a\\nb\n2,\\.\n", [(1, "a\\nb", None), (2, "\\.", None)]),
    "end-of-data mark": Case(b'id,name\n1,"\n\\.\n"\n2,b\n', [(1, "\n\\.\n", None), (2, "b", None)]),
    "spaces are kept": Case(b"id,name\n1, a \n", [(1, " a ", None)]),
    "spaces around a number": Case(b"id,name\n 1,a\n", reason="' 1' is not BIGINT"),
    "sign and zeros": Case(b"id,phone_no\n+1,007\n", [(1, None, 7)]),
    "key twice": Case(b"id,name\n1,a\n2,b\n01,c\n", reason="line 4, column id: '1' is in line 2 as well"),
    "key empty": Case(b"id,name\n,a\n", reason="line 2, column id: is empty, and the column is part"),
    "too many bytes": Case(b"id,name\n1," + "ü".encode() * 51 + b"\n", reason="has 102 bytes, more than VARCHAR(100)"),
    "semicolons": Case(b"id;name;phone_no\n1;a;7\n", reason="line 1: 'id;name;phone_no' is no column"),
    "emoji": Case("id,name\n1,naïve 😀\n".encode(), [(1, "naïve 😀", None)]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_odd_files_are_loaded_as_meant_or_refused_with_the_place(world: World, case: Case) -> None:
    world.create({"id": "BIGINT", "name": "VARCHAR(100)", "phone_no": "INTEGER"}, ["id"])
    world.drop(Task.LOAD, "rows.csv", case.content)
    created, outcome = world.work_off()
    assert isinstance(created, Done)
    if case.rows is not None:
        assert isinstance(outcome, Done), outcome.refused  # type: ignore[union-attr]  # then it failed
        assert world.rows('select id, name, phone_no from {}"people" order by id') == case.rows
    else:
        assert isinstance(outcome, Failed) and case.reason in str(outcome.refused)
        assert world.rows('select count(*) from {}"people"') == [(0,)]


VALUES: dict[str, list[tuple[str, Any]]] = {
    "SMALLINT": [("-32768", -32768), ("32767", 32767)],
    "INTEGER": [("-2147483648", -(2**31)), ("2147483647", 2**31 - 1)],
    "BIGINT": [("-9223372036854775808", -(2**63)), ("9223372036854775807", 2**63 - 1)],
    "DECIMAL(12,2)": [
        ("0.10", Decimal("0.10")),
        ("-9999999999.99", Decimal("-9999999999.99")),
        ("1.500", Decimal("1.50")),
    ],
    "DECIMAL(38,0)": [("9" * 38, Decimal("9" * 38))],
    "DOUBLE PRECISION": [("0.1", 0.1), ("-1.5e300", -1.5e300), (".5", 0.5)],
    "BOOLEAN": [("true", 1), ("no", 0), ("T", 1), ("0", 0)],
    "DATE": [("2024-02-29", "2024-02-29"), ("1970-01-01", "1970-01-01")],
    "TIMESTAMP": [
        ("2026-01-31 10:00:00.123456", "2026-01-31 10:00:00.123456"),
        ("2026-01-31T10:00", "2026-01-31 10:00:00"),
    ],
    "TIMESTAMPTZ": [
        ("2026-01-31T10:00:00+05:30", "2026-01-31 04:30:00"),
        ("2026-01-31 10:00:00", "2026-01-31 10:00:00"),
    ],
    "CHAR(3)": [("abc", "abc")],
    "VARCHAR(MAX)": [("x" * 65_535, "x" * 65_535)],
}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "csv.gz"])
@pytest.mark.parametrize("kind", VALUES)
def test_values_of_every_type_arrive_as_they_were_sent(world: World, kind: str, suffix: str) -> None:
    world.create({"id": "INTEGER", "value": kind})
    sent = [text for text, _ in VALUES[kind]]
    if suffix == "jsonl":
        content = "".join(f'{{"id": {n}, "value": "{text}"}}\n' for n, text in enumerate(sent))
    else:
        content = "id,value\n" + "".join(f"{n},{text}\n" for n, text in enumerate(sent))
    world.drop(Task.LOAD, f"rows.{suffix}", content)
    outcomes = world.work_off()
    assert [type(one) for one in outcomes] == [Done, Done], outcomes
    found = [value for (value,) in world.rows('select value from {}"people" order by id')]
    assert [as_sent(value) for value in found] == [meant for _, meant in VALUES[kind]]


def as_sent(value: Any) -> Any:
    """Dates and moments as text in UTC, whatever the driver makes of them."""
    return str(value).removesuffix("+00:00") if hasattr(value, "year") else value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("SMALLINT", "32768"), ("DECIMAL(5,2)", "1.234"), ("DECIMAL(5,2)", "1234"), ("DECIMAL(5,2)", "1e2"),
        ("REAL", "1e39"), ("REAL", "1e-60"), ("REAL", "3.4028235e38"), ("REAL", "-3.4028235e38"), ("REAL", "1e-40"),
        ("DOUBLE PRECISION", "1e-310"), ("DOUBLE PRECISION", "nan"), ("DOUBLE PRECISION", "inf"),
        ("DOUBLE PRECISION", "1e999"), ("BOOLEAN", "2"), ("BOOLEAN", "wahr"), ("DATE", "2026-02-30"),
        ("DATE", "31.01.2026"), ("DATE", "0000-01-01"), ("DATE", "2026-1-1"), ("TIMESTAMP", "2026-01-31 24:00:00"),
        ("TIMESTAMP", "2026-01-31 10:00:60"), ("TIMESTAMP", "2026-01-31 10:00:00Z"), ("TIMESTAMP", "2026-01-31"),
        ("TIMESTAMP", "now"), ("TIMESTAMPTZ", "2026-01-31 10:00:00 Europe/Berlin"), ("CHAR(2)", "abc"),
        ("CHAR(3)", "é"), ("VARCHAR(3)", "éé"), ("SUPER", "{"), ("SUPER", '"\\u0000"'),
        ("SUPER", "[" * 32 + "]" * 32), ("SUPER", '{"a":' * 32 + "1" + "}" * 32), ("SUPER", "[-1e309]"),
        ("SUPER", "9" * 310), ("SUPER", '{"[": [0.1e+310]}'),
    ],
)  # fmt: skip
def test_values_that_a_database_would_bend_do_not_pass(make_world: Any, kind: str, text: str) -> None:
    world = make_world("postgres")
    world.create({"id": "INTEGER", "value": kind})
    quoted = text.replace('"', '""')
    world.drop(Task.LOAD, "rows.csv", f'id,value\n1,"{quoted}"\n')
    outcome = world.work_off()[-1]
    assert isinstance(outcome, Failed) and str(outcome.refused).startswith("line 2, column value"), outcome


OUTERMOST = {
    "REAL": ["3.4028233e38", "-3.4028233e38", "1.1754944e-38", "0", "-0.0"],
    "DOUBLE PRECISION": ["1.7976931348623157e308", "2.2250738585072014e-308", "0e5"],
    "DATE": ["0001-01-01", "9999-12-31"],
    "TIMESTAMP": ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"],
    "TIMESTAMPTZ": ["0001-01-01 00:00:00", "9999-12-31 23:59:59.999999+00"],
    "SUPER": ["[" * 31 + "]" * 31, '{"a":[' * 15 + '"]}}[[{{}"' + "]}" * 15, "[" + "[],{}," * 200 + "1.5e308]", "1e-9"],
}  # fmt: skip


@pytest.mark.parametrize("kind", OUTERMOST)
def test_what_just_passes_is_taken_by_every_destination(world: World, kind: str) -> None:
    world.create({"id": "INTEGER", "value": kind})
    quoted = (text.replace('"', '""') for text in OUTERMOST[kind])
    world.drop(Task.LOAD, "rows.csv", "id,value\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(quoted)))
    outcomes = world.work_off()
    assert [type(one) for one in outcomes] == [Done, Done], outcomes
    assert world.rows('select count(value) from {}"people"') == [(len(OUTERMOST[kind]),)]
