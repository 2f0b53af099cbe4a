"""The gate by itself: JSON lines, what goes to Postgres as it came, and what is counted."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from slice_platform.engine import open_engine
from slice_platform.settings import load_settings
from slice_platform.warehouse.clean_rows import CsvStyle, write_csv
from slice_platform.warehouse.csv_shape import read_shape
from slice_platform.warehouse.drop_path import Format
from slice_platform.warehouse.gate import CheckedRows, check_rows
from slice_platform.warehouse.input_file import InputFile
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import read_table_spec

SPEC = read_table_spec(
    b'{"column_specification": {"id": "INTEGER", "name": "VARCHAR(20)", "doc": "SUPER", "is_on": "BOOLEAN"}}',
    "postgres",
)
Check = Callable[..., CheckedRows]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBPyConnection]:
    with open_engine(load_settings(home=tmp_path)) as opened:
        yield opened


@pytest.fixture
def check(engine: DuckDBPyConnection, tmp_path: Path) -> Check:
    def checked(content: bytes | str, kind: Format = "csv") -> CheckedRows:
        path = tmp_path / "in"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return check_rows(engine, InputFile(path, kind, 0, ""), SPEC)

    return checked


def lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_objects_may_lack_keys_and_lines_may_be_blank(check: Check, engine: DuckDBPyConnection) -> None:
    checked = check(lines('{"id": 1}', "", '{"name": "x", "id": null, "is_on": true}'), "jsonl")
    assert [column.name for column in checked.columns] == ["id", "name", "is_on"]
    assert engine.execute(f"from {checked.relation}").fetchall() == [(1, None, None), (None, "x", True)]


@pytest.mark.parametrize(
    ("line", "finding"),
    [
        ('{"id": 1.5}', "line 2, column id: '1.5' is not INTEGER"),
        ('{"id": 1e3}', "line 2, column id: '1e3' is not INTEGER"),
        ('{"fax": 1}', "line 2: 'fax' is no column of the table"),
        ('{"id": 1, "id": 2}', "line 2, column id: is there twice"),
        ('{"name": {"a": 1}}', "line 2, column name: is an object or a list; only SUPER takes those"),
        ("[1]", "line 2: is no JSON object"),
        ("7", "line 2: is no JSON object"),
        ("{id: 1}", "line 2: 'id: 1}' is no JSON"),
        ('{"id": NaN}', "line 2: says NaN, which is no JSON"),
        ('{"name": "\\ud800"}', "line 2: is not valid UTF-8"),
        ("[" * 100_000, "line 2: is nested too deeply"),
        ('{"doc": ' + "[" * 31 + "]" * 31 + "}", None),
        ('{"doc": ' + "[" * 32 + "]" * 32 + "}", "]]]' is nested more than 31 deep"),
        ('{"id": 7.0}', "line 2, column id: '7.0' is not INTEGER: write 7; pandas does so with astype('Int64')"),
        ('{"id": -12.00}', "'-12.00' is not INTEGER: write -12; "),
        ('{"name": "' + "x" * 30 + '"}', "has 30 bytes, more than VARCHAR(20)"),
    ],
)  # fmt: skip
def test_a_line_that_is_wrong_is_told_with_its_place(check: Check, line: str, finding: str | None) -> None:
    content = lines('{"id": 1}', line)
    if finding is None:
        assert check(content, "jsonl").rows == 2
        return
    with pytest.raises(FileRefused) as caught:
        check(content, "jsonl")
    assert finding in str(caught.value)


def test_a_line_without_an_end_does_not_fill_memory(check: Check) -> None:
    with pytest.raises(FileRefused, match="is longer than 16,777,216 bytes"):
        check('{"name": "' + "x" * 20_000_000, "jsonl")


def test_all_findings_are_counted_and_the_first_are_told(check: Check) -> None:
    with pytest.raises(FileRefused) as caught:
        check("id\n" + "x\n" * 3000)
    assert caught.value.total == 3000 and len(caught.value.findings) == 1000
    assert [finding.line for finding in caught.value.findings[:3]] == [2, 3, 4]


@pytest.mark.parametrize(
    ("content", "is_raw"),
    [
        ("id,name\n1,a\n", True),
        ("id,name\r\n1,a\r\n", True),
        ('id,name\n1,"a,b"\n', True),
        ("id,name\n1,a", True),
        ("id,name\n1,a\n\n2,b\n", False),
        ("id,name\r\n1,a\n", False),
        ('id,name\n1,"a\nb"\n', False),
        ('id,name\n1,"say ""x"""\n', False),
        ("name\n\\.\n", False),
        ("name\n\nb\n", True),
    ],
)  # fmt: skip
def test_only_what_postgres_reads_alike_goes_there_as_it_came(check: Check, content: str, *, is_raw: bool) -> None:
    assert (check(content).raw_csv is not None) is is_raw


def test_a_line_break_between_two_chunks_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slice_platform.warehouse.csv_shape.CHUNK_BYTES", 3)
    (tmp_path / "in").write_bytes(b"ab\r\ncd\r\n\\.\r\n")
    shape = read_shape(tmp_path / "in")
    assert (shape.breaks, shape.returns, shape.pairs, shape.may_end_early) == (3, 3, 3, True)


def test_null_is_a_bare_word_and_everything_else_is_quoted(
    check: Check, engine: DuckDBPyConnection, tmp_path: Path
) -> None:
    checked = check('id,name,is_on\n1,,true\n2,"",f\n3,NULL,\n')
    write_csv(engine, checked, tmp_path / "out", CsvStyle(null="NULL", true="1", false="0"))
    assert (tmp_path / "out").read_text() == '"1",NULL,"1"\n"2","","0"\n"3","NULL",NULL\n'


KEYED = """{"column_specification": {"code": "%s", "n": "INTEGER"}, "primary_key": ["code", "n"]}"""


@pytest.mark.parametrize("kind", ["VARCHAR(5)", "CHAR(5)"])
@pytest.mark.parametrize("tolerated", [0.0, 0.5])
def test_keys_that_differ_by_blanks_at_the_end_alone_are_one(
    engine: DuckDBPyConnection, tmp_path: Path, kind: str, tolerated: float
) -> None:
    spec = replace(read_table_spec((KEYED % kind).encode(), "postgres"), tolerated_bad_rows=tolerated)
    (tmp_path / "in").write_text("code,n\na,1\n a,1\nA,1\na,2\na  ,1\n")
    file = InputFile(tmp_path / "in", "csv", 0, "")
    said = "line 6, column code, n: 'a  , 1' is in line 2 as well: blanks at the end do not count"
    if tolerated:
        checked = check_rows(engine, file, spec)
        assert (checked.rows, [str(one) for one in checked.set_aside]) == (4, [said])
        return
    with pytest.raises(FileRefused) as caught:
        check_rows(engine, file, spec)
    assert [str(one) for one in caught.value.findings] == [said]
