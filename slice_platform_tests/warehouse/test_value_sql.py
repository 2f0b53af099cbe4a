"""The quick look at a value never lets pass what the slow one refuses."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slice_platform.warehouse import value_sql
from slice_platform.warehouse.column_type import column_type
from slice_platform.warehouse.value_sql import text_cell

KINDS = ("SMALLINT", "INTEGER", "BIGINT", "DECIMAL(5,2)", "DATE", "TIMESTAMP", "BOOLEAN", "REAL", "DOUBLE PRECISION")
ODD = (
    "infinity", "-infinity", "epoch", "10000-01-01", "0044-03-15 (BC)", "0000-01-01", "294247-01-10", "2026-02-30",
    "0044-03-15 (BC) 00:00:00", "10000-01-01 00:00:00", "2026-01-31 10:00:00.1234567", "2026-01-31 24:00:00",
    "-0", "+1", "007", "7.0", "-7.00", "1e3", "1.50", "1.5", "999.99", "-999.99", "1000.00", "32767", "32768",
    "true", "True", "t", "",
    "inf", "-Infinity", "nan", "1e-320", "1e39", "1e999", "-0.0", "1e+30", "0.1",
)  # fmt: skip
_texts = st.one_of(
    st.sampled_from(ODD),
    st.from_regex(r"\A[+-]?[0-9]{1,20}(\.[0-9]{0,3})?\Z"),
    st.from_regex(r"\A[0-9]{3,6}-[0-9]{2}-[0-9]{2}( \(BC\))?([ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?)?\Z"),
)


def reason(kind: str, text: str) -> str | None:
    """What is said of a value; NULL where nothing is wrong."""
    cell = text_cell("v", column_type(kind, "v"), is_key=False)
    found = duckdb.execute(f"select {cell.reason} from (select $1::varchar as v)", [text]).fetchall()
    answer: str | None = found[0][0]
    return answer


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(text=_texts)
def test_the_quick_look_says_what_the_slow_one_says(kind: str, text: str) -> None:
    quick = reason(kind, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_sql, "_usual", lambda _text, _kind: None)
        assert quick == reason(kind, text)


@pytest.mark.parametrize("text", ["infinity", "-infinity", "10000-01-01", "0044-03-15 (BC)"])
def test_what_only_duckdb_takes_for_a_date_is_refused(text: str) -> None:
    assert reason("DATE", text) == "is not DATE"
