"""DuckDB and every database come to the same of the same rows, and to something else of others."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.projection import ProjectedTable
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import TableSpec, columns_of
from slice_platform_tests.warehouse.projections import Projector, Row, projector
from slice_platform_tests.warehouse.worlds import World

LONG = 5_000
TYPES = {
    "i2": "SMALLINT", "i4": "INTEGER", "i8": "BIGINT", "money": "DECIMAL(12,2)", "wide": "DECIMAL(38,10)",
    "r4": "REAL", "r8": "DOUBLE PRECISION", "flag": "BOOLEAN", "day": "DATE", "local": "TIMESTAMP",
    "moment": "TIMESTAMPTZ", "code": "CHAR(6)", "word": "VARCHAR(60)", "text": f"VARCHAR({LONG})",
}  # fmt: skip
SPEC = TableSpec(columns_of(TYPES))
CHARACTERS = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001 -- a zone is added


def whole(bits: int) -> st.SearchStrategy[int]:
    return st.one_of(
        st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1), st.sampled_from([0, -1, 2 ** (bits - 1) - 1])
    )


def floating(bits: int, least: float, most: float) -> st.SearchStrategy[float]:
    """All that the gate lets pass, and the edges of bands."""
    any_one = st.floats(-most, most, width=32 if bits == 32 else 64, allow_subnormal=False)
    powers = st.builds(lambda sign, power: sign * 2.0**power, st.sampled_from([-1, 1]), st.integers(-120, 120))
    usual = st.sampled_from([0.0, -0.0, 0.1, -0.1, 1.5, 1e6, least, -least, most, -most])
    return st.one_of(any_one, powers, usual).filter(lambda one: one == 0 or abs(one) >= least)


VALUES: tuple[st.SearchStrategy[Any], ...] = (
    whole(16), whole(32), whole(64), st.decimals(-(10**10) + 1, 10**10 - 1, places=2),
    st.decimals(-(10**28) + 1, 10**28 - 1, places=10),
    floating(32, 2.0**-126, 2.0**127 * 1.5), floating(64, 2.0**-1022, 1.7976931348623157e308), st.booleans(),
    st.dates(), st.datetimes(FIRST, LAST), st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6), st.text(CHARACTERS, max_size=15),
    st.one_of(st.text(CHARACTERS, max_size=200), st.builds(lambda one: one * 1000, CHARACTERS)),
)  # fmt: skip
ROWS = st.lists(st.tuples(*(st.one_of(st.none(), value) for value in VALUES)), max_size=4)
ROW: Row = (
    1, 2, 3, Decimal("1.50"), Decimal("0.0000000001"), 0.5, 1e-300, True, date(2026, 1, 1), datetime(2026, 1, 1),  # noqa: DTZ001 -- has none
    datetime(2026, 1, 1, tzinfo=UTC), "ab", "a", "b" * LONG,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    2, 3, 4, Decimal("1.51"), Decimal("0.0000000002"), 0.50000006, 1.00000001e-300, False, date(2026, 1, 2),
    datetime(2026, 1, 1, 0, 0, 0, 1), datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1))), "aB", "",  # noqa: DTZ001
    "b" * (LONG - 1),
)  # fmt: skip


@pytest.fixture
def all_types(world: World) -> Projector:
    return projector(world, ProjectedTable(world.table(), SPEC, "replace_partition", None))


@pytest.fixture
def on_postgres(make_world: Callable[[DestinationName], World]) -> Projector:
    world = make_world("postgres")
    return projector(world, ProjectedTable(world.table(), SPEC, "replace_partition", None))


def measured(people: Projector, rows: list[Row]) -> Measure:
    """By DuckDB; `project` itself refuses what the database finds otherwise."""
    known = people.destination.recorded(people.table.ref)
    version = max((one.version for one in known.values()), default=0) + 1
    with people.checked(rows) as checked:
        done = people.destination.project(people.table, people.claim(None, version), checked)
        assert done.applied and done.measure == checked.checked.measure
    assert people.destination.measure(people.table, {"": None}) == {"": done.measure}
    return done.measure


@given(rows=ROWS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_database_measures_what_duckdb_measured(all_types: Projector, rows: list[Row]) -> None:
    assert measured(all_types, rows).rows == len(rows)


def test_every_value_that_changes_changes_the_measure(all_types: Projector) -> None:
    """By one in its last place, where the type has one."""
    found = {measured(all_types, [ROW])}
    for place, other in enumerate(OTHERS):
        found.add(measured(all_types, [(*ROW[:place], other, *ROW[place + 1 :])]))
        found.add(measured(all_types, [(*ROW[:place], None, *ROW[place + 1 :])]))
    assert len(found) == 1 + 2 * len(OTHERS)


def test_order_does_not_count_and_rows_that_are_twice_do(on_postgres: Projector) -> None:
    other = (*ROW[:-1], "c")
    once, turned = measured(on_postgres, [ROW, other]), measured(on_postgres, [other, ROW])
    assert once == turned != measured(on_postgres, [ROW, ROW]) != measured(on_postgres, [ROW])


def test_columns_do_not_run_together_and_null_is_no_letter(make_world: Callable[[DestinationName], World]) -> None:
    world = make_world("postgres")
    spec = TableSpec(columns_of({"a": "VARCHAR(9)", "b": "VARCHAR(9)"}))
    pairs = projector(world, ProjectedTable(world.table(), spec, "replace_partition", None))
    rows: list[Row] = [("ab", ""), ("a", "b"), ("", "ab"), ("ab", None), (None, "ab"), ("N", None), (None, "N"),
                       (None, None), ("", ""), ("1:a", ""), ("N", "N")]  # fmt: skip
    assert len({measured(pairs, [row]) for row in rows}) == len(rows)


def test_zero_is_zero_whatever_its_sign(on_postgres: Projector) -> None:
    first, second = ((*ROW[:5], zero, zero, *ROW[7:]) for zero in (0.0, -0.0))
    assert measured(on_postgres, [first]) == measured(on_postgres, [second])


def test_a_table_of_very_many_wide_columns_has_a_measure_as_well(world: World) -> None:
    """More than one text of Redshift holds, and more parts than one expression should have."""
    columns = {f"c{number:03}": "VARCHAR(1000)" if number % 2 else "DECIMAL(38,2)" for number in range(300)}
    table = ProjectedTable(world.table(), TableSpec(columns_of(columns)), "replace_partition", None)
    wide = projector(world, table)
    row: Row = tuple(f"text {number}" if number % 2 else Decimal(number) for number in range(300))
    assert measured(wide, [row]) != measured(wide, [(*row[:-1], "other")])


def test_documents_are_left_out(world: World) -> None:
    """Databases order and space them as they like: what they come to is not compared."""
    spec = TableSpec(columns_of({"id": "BIGINT", "doc": "SUPER"}))
    people = projector(world, ProjectedTable(world.table(), spec, "replace_partition", None))
    assert measured(people, [(1, '{"b": [1, 2],"a":null}')]) == measured(people, [(1, None)])


@pytest.mark.parametrize("value", [2.0**81, 2.0**91, -(2.0**807)])
def test_numbers_that_duckdb_writes_as_others_arrive_as_they_are(all_types: Projector, value: float) -> None:
    """DuckDB 2.0 makes text of twice the number of the first two, and none of the third."""
    measured(all_types, [(*ROW[:6], value, *ROW[7:])])
    (found,) = all_types.rows()
    assert found[6] == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused_before(on_postgres: Projector, value: float) -> None:
    with pytest.raises(FileRefused, match="row 1, column r8: .* is not DOUBLE PRECISION"):
        measured(on_postgres, [(*ROW[:6], value, *ROW[7:])])
