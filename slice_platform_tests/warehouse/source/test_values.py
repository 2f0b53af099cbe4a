"""Values of both databases as Arrow has them: exact, in UTC, or told where there is no such value."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from slice_platform.errors import PermanentError
from slice_platform_tests.warehouse.source.databases import Shop, read

MOMENT = datetime.fromisoformat("2026-03-01 09:30:00.123456")
POSTGRES = [
    ("smallint", "-7", -7),
    ("bigint", "9223372036854775807", 2**63 - 1),
    ("numeric(38,10)", "1234567890123456789012345678.0123456789", Decimal("1234567890123456789012345678.0123456789")),
    ("numeric", "1.50", "1.50"),
    ("numeric(50,2)", "1.50", "1.50"),
    ("real", "0.1", 0.10000000149011612),
    ("double precision", "0.1", 0.1),
    ("boolean", "true", True),
    ("date", "'2026-03-01'", date(2026, 3, 1)),
    ("time", "'09:30:00.5'", time(9, 30, 0, 500000)),
    ("timestamp", "'2026-03-01 09:30:00.123456'", MOMENT),
    ("timestamptz", "'2026-03-01 11:30:00.123456+02'", MOMENT.replace(tzinfo=UTC)),
    ("char(5)", "'ab'", "ab"),
    ("text", "'ünï'", "ünï"),
    ("json", """'{"b": 1, "a": [1]}'""", '{"b": 1, "a": [1]}'),
    ("jsonb", """'{"a":1}'""", '{"a": 1}'),
    ("int[]", "array[1, null]", "[1,null]"),
    ("text[]", "array['x,y']", '["x,y"]'),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
    ("bytea", r"'\xdeadbeef'", "deadbeef"),
    ("interval", "'1 day 02:00'", "1 day 02:00:00"),
    ("inet", "'10.0.0.1'", "10.0.0.1/32"),
    ("mood", "'glad'", "glad"),
    ("price", "1.5", Decimal("1.50")),
    ("pair", "row(1, 'x')", '{"a":1,"b":"x"}'),
]
MYSQL = [
    ("tinyint", "-7", -7),
    ("tinyint(1)", "true", True),
    ("bigint unsigned", "18446744073709551615", 2**64 - 1),
    ("int unsigned zerofill", "7", 7),
    ("decimal(38,10)", "1234567890123456789012345678.0123456789", Decimal("1234567890123456789012345678.0123456789")),
    ("decimal(10,2) unsigned", "99999999.99", Decimal("99999999.99")),
    ("decimal(50,2)", "1.50", "1.50"),
    ("float", "16777215", 16777215.0),
    ("double", "0.1", 0.1),
    ("year", "2026", 2026),
    ("date", "'2026-03-01'", date(2026, 3, 1)),
    ("time", "'-100:30:00'", "-100:30:00"),
    ("datetime(6)", "'2026-03-01 09:30:00.123456'", MOMENT),
    ("timestamp(6)", "'2026-03-01 09:30:00.123456'", MOMENT.replace(tzinfo=UTC)),
    ("varchar(9) character set utf8mb4", "'ünï😀'", "ünï😀"),
    ("text", "'long'", "long"),
    ("json", """'{"b": 1}'""", '{"b": 1}'),
    ("enum('a','b')", "'b'", "b"),
    ("set('a','b')", "'a,b'", "a,b"),
    ("bit(1)", "1", True),
    ("bit(9)", "300", 300),
    ("varbinary(9)", "0xdeadbeef", "deadbeef"),
    ("blob", "'xy'", "7879"),
    ("uuid", "'123e4567-e89b-12d3-a456-426655440000'", "123e4567-e89b-12d3-a456-426655440000"),
]


def one(shop: Shop, kind: str, written: str) -> Any:
    """The value of a column of that type, and beside it that there is none in another row."""
    shop.run(f"create table t (v {kind} null)", f"insert into t values ({written}), (null)")
    found = [row["v"] for row in read(shop, "t").to_pylist()]
    assert sum(value is None for value in found) == 1
    return next(value for value in found if value is not None)


@pytest.mark.parametrize(("kind", "written", "expected"), POSTGRES, ids=[kind for kind, *_ in POSTGRES])
def test_a_value_of_postgres(postgres_shop: Shop, kind: str, written: str, expected: object) -> None:
    postgres_shop.run(
        "create type mood as enum ('sad', 'glad')",
        "create domain price as numeric(9,2) check (value > 0)",
        "create type pair as (a int, b text)",
    )
    found = one(postgres_shop, kind, written)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(("kind", "written", "expected"), MYSQL, ids=[kind for kind, *_ in MYSQL])
def test_a_value_of_mysql(mysql_shop: Shop, kind: str, written: str, expected: object) -> None:
    found = one(mysql_shop, kind, written)
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(
    ("kind", "written", "says"),
    [
        ("timestamptz", "'infinity'", "infinity"),
        ("timestamp", "'-infinity'", "infinity"),
        ("date", "'0044-03-15 BC'", "beyond the years 1 to 9999"),
        ("numeric(5,2)", "'NaN'", "such as NaN"),
    ],
)
def test_what_postgres_has_and_nobody_else_is_told(postgres_shop: Shop, kind: str, written: str, says: str) -> None:
    with pytest.raises(PermanentError, match=f"column 'v' .*{says}.*`query`"):
        one(postgres_shop, kind, written)


@pytest.mark.parametrize(
    ("kind", "written", "says"),
    [
        ("datetime", "'0000-00-00'", "0000-00-00 00:00:00"),
        ("date", "'2026-00-10'", "2026-00-10"),
        ("timestamp", "'0000-00-00'", "0000-00-00 00:00:00"),
        ("tinyint(1)", "5", "neither 0 nor 1"),
    ],
)
def test_what_mysql_has_and_nobody_else_is_told(mysql_shop: Shop, kind: str, written: str, says: str) -> None:
    with pytest.raises(PermanentError, match=f"column 'v' .*{says}.*`query`"):
        one(mysql_shop, kind, written)
