"""A file in schema/update: columns to add or to drop, or what is wrong with it."""

import pytest

from slice_platform.warehouse.column_type import column_type
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.schema_change import AddColumns, DropColumns, read_schema_change
from slice_platform.warehouse.table_spec import Column


def test_columns_to_add_have_names_and_types() -> None:
    change = read_schema_change(b'{"column_specification": {"city": "VARCHAR", "n": "int"}, "operation_type": "add"}')
    assert change == AddColumns((Column("city", column_type("VARCHAR", "city")), Column("n", column_type("INT", "n"))))


def test_columns_to_drop_have_names() -> None:
    change = read_schema_change(b'{"column_specification": ["city", "state"], "operation_type": "drop"}')
    assert change == DropColumns(("city", "state"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"column_specification": ["a"]}', "operation_type"),
        (b'{"column_specification": ["a"], "operation_type": "rename"}', "'add', 'drop'"),
        (b'{"column_specification": ["a"], "operation_type": "add"}', "add.column_specification: "),
        (b'{"column_specification": {"a": "INT"}, "operation_type": "drop"}', "drop.column_specification: "),
        (b'{"column_specification": [], "operation_type": "drop"}', "at least 1"),
        (
            b'{"column_specification": ["a", "a"], "operation_type": "drop"}',
            "column a: column_specification names it twice",
        ),
        (b'{"column_specification": ["a; drop table x"], "operation_type": "drop"}', "is no name for a column"),
        (
            b'{"column_specification": {"a": "INT, b INT"}, "operation_type": "add"}',
            "column a: 'INT, b INT' is no type",
        ),
        (b'{"column_specification": ["a"], "operation_type": "drop", "cascade": true}', "cascade: Extra inputs"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(content: bytes, says: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read_schema_change(content)
    assert says in str(refused.value)
