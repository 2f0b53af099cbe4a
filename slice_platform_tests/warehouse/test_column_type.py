"""The closed grammar of types: what is spelled right has one meaning, everything else is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slice_platform.warehouse.column_type import column_type
from slice_platform.warehouse.refusal import FileRefused


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("INTEGER", "INTEGER"),
        ("int", "INTEGER"),
        ("int8", "BIGINT"),
        ("double precision", "DOUBLE PRECISION"),
        ("Float", "DOUBLE PRECISION"),
        ("timestamp with time zone", "TIMESTAMPTZ"),
        ("VARCHAR", "VARCHAR(256)"),
        ("varchar (20)", "VARCHAR(20)"),
        ("VARCHAR(max)", "VARCHAR(65535)"),
        ("character varying(65535)", "VARCHAR(65535)"),
        ("char", "CHAR(1)"),
        ("numeric", "DECIMAL(18,0)"),
        ("decimal( 12 , 2 )", "DECIMAL(12,2)"),
        ("DECIMAL(38,38)", "DECIMAL(38,38)"),
        ("super", "SUPER"),
    ],
)
def test_a_type_is_understood_in_any_case_and_with_its_defaults(written: str, meant: str) -> None:
    assert str(column_type(written, "c")) == meant
    assert column_type(meant, "c") == column_type(written, "c")


@pytest.mark.parametrize(
    "written",
    [
        "", "TEXT[]", "INTEGER(4)", "INTEGER); DROP TABLE victim; --", "INTEGER DEFAULT (select 1)", "INTEGER NOT NULL",
        "INTEGER REFERENCES x", "VARCHAR(0)", "VARCHAR(65536)", "VARCHAR(99999)", "VARCHAR(99999999)", "VARCHAR(20,2)",
        "VARCHAR(-1)", "CHAR(4097)", "CHAR(MAX)", "DECIMAL(39)", "DECIMAL(0)", "DECIMAL(5,6)", "DECIMAL(MAX)",
        "SUPER(1)", "INTEGER\n", "INTEGER\x00", "\uff29NT", "INTEGER--", "VARCHAR(\uff12)", "\u0131nteger", "BLOB",
        "SERIAL",
    ],
)  # fmt: skip
def test_everything_else_is_refused_and_names_the_column(written: str) -> None:
    with pytest.raises(FileRefused, match="column phone_no: .*is no type"):
        column_type(written, "phone_no")


@given(st.text(max_size=40) | st.builds(str.__add__, st.sampled_from(["VARCHAR(20)", "INT"]), st.text(max_size=10)))
def test_any_text_is_a_type_of_the_alphabet_or_refused(text: str) -> None:
    try:
        found = column_type(text, "c")
    except FileRefused:
        return
    assert column_type(str(found), "c") == found
    assert set(str(found)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 (),")
