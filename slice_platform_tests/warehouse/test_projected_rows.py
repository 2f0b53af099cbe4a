"""Rows of the lake are judged as those of a Parquet file are, all of them or none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from duckdb import DuckDBPyConnection

from slice_platform.engine import open_engine
from slice_platform.settings import load_settings
from slice_platform.warehouse.gate import CheckedRows
from slice_platform.warehouse.projected_rows import check_relation, measure_rows
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import TableSpec, columns_of

SPEC = TableSpec(columns_of({"id": "SMALLINT", "name": "VARCHAR(3)"}), ("id",), tolerated_bad_rows=0.5)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBPyConnection]:
    with open_engine(load_settings(home=tmp_path)) as opened:
        yield opened


def check(engine: DuckDBPyConnection, values: str, spec: TableSpec = SPEC) -> CheckedRows:
    """Of a VALUES list with the columns `id` and `name`."""
    relation = f"(select * from (values {values}) as t(id, name))"
    types = {name: kind for name, kind, *_ in engine.execute(f"describe select * from {relation}").fetchall()}
    return check_relation(engine, relation, types, spec)


def test_rows_that_fit_go_on_with_their_measure(engine: DuckDBPyConnection) -> None:
    checked = check(engine, "(1::bigint, 'a'), (2, null)")
    assert checked.rows == 2 and checked.measure == measure_rows(engine, checked)
    assert engine.execute(f"select * from {checked.relation}").fetchall() == [(1, "a"), (2, None)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("(1, 'abcd'), (2, 'b')", "row 1, column name: 'abcd' has 4 bytes, more than VARCHAR(3)"),
        ("(1, 'é€')", "has 5 bytes, more than VARCHAR(3)"),
        ("(1, 'a' || chr(0))", "holds a NUL character"),
        ("(70000, 'a')", "column id: '70000' is beyond what SMALLINT holds"),
        ("(null::int, 'a')", "column id: is empty, and the column is part of the primary key"),
        ("(1, 'a'), (2, 'b'), (1, 'c')", "column id: '1' is in row 1 as well"),
    ],
)
def test_one_row_that_is_wrong_refuses_all_of_them(engine: DuckDBPyConnection, values: str, said: str) -> None:
    """Whatever the table tolerates of files: a partition is there as a whole."""
    with pytest.raises(FileRefused) as caught:
        check(engine, values)
    assert said in str(caught.value)


def test_a_column_that_the_relation_lacks_is_named(engine: DuckDBPyConnection) -> None:
    spec = TableSpec((*SPEC.columns, *columns_of({"age": "DATE"})))
    with pytest.raises(FileRefused, match="column age: is missing"):
        check(engine, "(1, 'a')", spec)


def test_nested_values_are_documents_and_times_are_text(engine: DuckDBPyConnection) -> None:
    spec = TableSpec(columns_of({"id": "SUPER", "name": "VARCHAR(15)"}))
    checked = check(engine, "({'a': [1, 2]}, time '12:34:56.123456')", spec)
    found = engine.execute(f"select * from {checked.relation}").fetchall()
    assert found == [('{"a":[1,2]}', "12:34:56.123456")]
