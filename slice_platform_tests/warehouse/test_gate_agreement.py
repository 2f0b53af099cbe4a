"""What the gate lets pass means the same to Postgres: whatever hypothesis thinks of."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.engine import open_engine
from slice_platform.settings import load_settings
from slice_platform.warehouse.column_type import column_type
from slice_platform.warehouse.csv_records import csv_records
from slice_platform.warehouse.gate import check_rows
from slice_platform.warehouse.input_file import InputFile
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import Column, TableSpec
from slice_platform_tests.postgres import Postgres

KINDS = ("SMALLINT", "INTEGER", "BIGINT", "DECIMAL(8,3)", "REAL", "DOUBLE PRECISION", "BOOLEAN", "DATE", "TIMESTAMP",
         "TIMESTAMPTZ", "VARCHAR(8)", "CHAR(4)")  # fmt: skip
NUMBERS = st.one_of(st.integers().map(str), st.floats().map(str), st.decimals().map(str))
MOMENTS = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes().map(lambda at: at.isoformat() + "Z"),
    st.builds("{} {}{}".format, st.dates(), st.times(), st.sampled_from(["", "+05:30", "-14", "+1459", " UTC", "Z"])),
)
PIECES = st.text("0123456789+-.eE:TZ /,truefalsnyo '\\Näé\t", max_size=12)
TEXTS = st.lists(st.one_of(NUMBERS, MOMENTS, PIECES), min_size=1, max_size=30)
Ask = Callable[[str, str], Any]


@pytest.fixture(scope="module")
def ask(postgres: Postgres) -> Iterator[Ask]:
    """What Postgres makes of a text."""
    with psycopg.connect(f"host={postgres.folder} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield lambda text, kind: connection.execute(f"select cast(%s as {kind})".encode(), [text]).fetchall()[0][0]


def passed(folder: Path, kind: str, texts: list[str]) -> list[tuple[str, Any]]:
    """The texts that pass, each with its value."""
    spec = TableSpec(
        (Column("n", column_type("INTEGER", "n")), Column("value", column_type(kind, "value"))), tolerated_bad_rows=1.0
    )
    path = folder / "in.csv"
    quoted = (text.replace('"', '""') for text in texts)
    path.write_text("n,value\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(quoted)), newline="")
    with open_engine(load_settings(home=folder)) as engine:
        checked = check_rows(engine, InputFile(path, "csv", 0, ""), spec)
        rows = engine.execute(f"select * from {checked.relation}").fetchall()
    return [(texts[n], value) for n, value in rows]


def meant(value: Any, kind: str) -> Any:
    """Of REAL the nearest number that four bytes hold."""
    return struct.pack("f", value) if kind == "REAL" else value


@pytest.mark.parametrize("kind", KINDS)
@given(texts=TEXTS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_text_that_passes_is_the_same_value_to_postgres(
    ask: Ask, tmp_path: Path, kind: str, texts: list[str]
) -> None:
    for text, value in passed(tmp_path, kind, texts):
        theirs = ask(text, kind)
        if kind.startswith("CHAR"):
            theirs = theirs.rstrip(" ") + value[len(value.rstrip(" ")) :]  # Postgres pads it
        assert meant(value, kind) == meant(theirs, kind), text


FIELDS = st.one_of(st.none(), st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8))
ROWS = st.lists(st.tuples(FIELDS, FIELDS), min_size=1, max_size=8)


@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_both_readings_of_a_csv_give_what_was_written(tmp_path: Path, rows: list[tuple[Any, Any]], end: str) -> None:
    lines = ["a,b", *(",".join("" if f is None else '"{}"'.format(f.replace('"', '""')) for f in row) for row in rows)]
    path = tmp_path / "in.csv"
    path.write_bytes(("".join(f"{line}{end}" for line in lines)).encode())
    assert [record.fields for record in csv_records(path)][1:] == rows
    spec = TableSpec(tuple(Column(name, column_type("VARCHAR", name)) for name in "ab"))
    with open_engine(load_settings(home=tmp_path)) as engine:
        checked = check_rows(engine, InputFile(path, "csv", 0, ""), spec)
        assert engine.execute(f"select * from {checked.relation}").fetchall() == rows


@given(content=st.binary(max_size=60), header=st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_comes_is_rows_or_a_refusal(tmp_path: Path, content: bytes, header: bool) -> None:  # noqa: FBT001 -- drawn
    path = tmp_path / "in.csv"
    path.write_bytes((b"a,b\n" if header else b"") + content)
    spec = TableSpec(tuple(Column(name, column_type("VARCHAR", name)) for name in "ab"))
    with open_engine(load_settings(home=tmp_path)) as engine:
        try:
            checked = check_rows(engine, InputFile(path, "csv", 0, ""), spec)
        except FileRefused:
            return
        assert len(engine.execute(f"select * from {checked.relation}").fetchall()) == checked.rows
