"""What the rules promise, the rows keep."""

import hmac
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.engine import run
from slice_platform.lake.business.hashing import hash_variables, hashed
from slice_platform.lake.business.lineage import lineage_of
from slice_platform.lake.business.personal import treat
from slice_platform.lake.business.treated_sql import canonical_text, treated_sql
from slice_platform.lake.personal_rule import Allow, PersonalRule
from slice_platform.lake.types import LogicalType
from slice_platform.sql_text import literal
from slice_platform_tests.lake.business.sources import INSTANT, INTEGER, MARKED, MONEY, TABLES, bound, fill

KEY = b"a key that nobody else knows"


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        fill(opened, MARKED, TABLES)
        for statement in hash_variables(KEY):
            run(opened, statement)
        yield opened


def digest(text: str, key: bytes = KEY) -> str:
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def sql_of(sql: str, **rules: PersonalRule) -> str:
    model = bound(sql)
    return treated_sql(model.sql_at(), treat(model, lineage_of(model), rules))


def test_rows_are_dropped_masked_hashed_and_allowed(connection: duckdb.DuckDBPyConnection) -> None:
    sql = sql_of(
        "select email as a, email as b, email as c, email as d, home as e, id from curated.people where id = 1; -- one",
        a="drop", b="mask", c="hash", d=Allow(allow="support needs to call them"), e="mask",
    )  # fmt: skip
    email = "curated.people.email#1"
    assert run(connection, sql) == [("***", digest(email), email, None, 1)]


def test_a_mask_does_not_even_tell_where_there_was_no_value(connection: duckdb.DuckDBPyConnection) -> None:
    sql = sql_of("select case when id > 1 then email end as a from curated.people", a="mask")
    assert run(connection, sql) == [("***",)] * 3


def test_types_are_those_that_were_promised(connection: duckdb.DuckDBPyConnection) -> None:
    model = bound("select home.floor as a, home.floor as b, id::tinyint as c from curated.people")
    found = treat(model, lineage_of(model), {"a": "mask", "b": "hash"})
    kinds = [str(kind) for kind in connection.sql(treated_sql(model.sql_at(), found)).types]
    assert kinds == ["BIGINT", "VARCHAR", "BIGINT"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    key=st.binary(min_size=1, max_size=150),
)
def test_the_hash_is_the_hmac_that_anyone_with_the_key_can_make(text: str, key: bytes) -> None:
    with duckdb.connect() as opened:
        for statement in hash_variables(key):
            run(opened, statement)
        assert run(opened, f"select {hashed(literal(text) + '::varchar')}") == [(digest(text, key),)]


def test_null_has_no_hash(connection: duckdb.DuckDBPyConnection) -> None:
    assert run(connection, f"select {hashed('null::varchar')}") == [(None,)]


def test_without_its_key_no_hash_is_made() -> None:
    with duckdb.connect() as opened, pytest.raises(duckdb.Error, match="slice_hmac_.* is not set"):
        run(opened, f"select {hashed('x')} from (values ('a'), (null)) t(x)")


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(ValueError, match="the key of the hashes is empty"):
        hash_variables(b"")


def test_the_key_stands_in_no_query() -> None:
    sql = sql_of("select email from curated.people", email="hash")
    assert KEY.hex() not in sql and all(part not in sql for part in hash_variables(KEY)) and "getvariable" in sql


@pytest.mark.parametrize(
    ("value", "logical", "text"),
    [
        ("'Ünï'", LogicalType("string"), "Ünï"),
        ("7::tinyint", INTEGER, "7"),
        ("1.5", MONEY, "1.50"),
        ("-0.0::double", LogicalType("number"), "0.0"),
        ("1e300", LogicalType("number"), "1e+300"),
        ("true", LogicalType("boolean"), "true"),
        ("date '2013-01-02'", LogicalType("date"), "2013-01-02"),
        ("timestamp '2013-01-02 03:04:05.6'", LogicalType("timestamp"), "2013-01-02 03:04:05.6"),
        ("timestamptz '2013-01-02 03:04:05+02'", INSTANT, "2013-01-02 01:04:05+00"),
        ("['a', null]", LogicalType("array", items=LogicalType("string")), '["a",null]'),
    ],
)
def test_equal_values_have_one_text_whatever_the_sessions_zone(value: str, logical: LogicalType, text: str) -> None:
    with duckdb.connect() as opened:
        run(opened, "set TimeZone = 'Asia/Kolkata'")
        assert run(opened, f"select {canonical_text(f'({value})', logical)}") == [(text,)]
