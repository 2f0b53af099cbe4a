"""Files are left out only where no row in them can matter."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.expressions import AlwaysTrue

from slice_platform.engine import run
from slice_platform.errors import QueryRefused
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform.lake.table import load_table
from slice_platform.lake.views import table_view
from slice_platform_tests.lake.query_fixtures import DAYS, lake_of_visits


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Only read by the tests of this file."""
    with lake_of_visits(tmp_path_factory.mktemp("visits")) as made:
        yield made


def files_opened(lake: Lake, sql: str) -> int:
    return query(lake, sql).cost.files_opened


def rows_without_pruning(lake: Lake, sql: str) -> pa.Table:
    """What DuckDB answers when it sees every file."""
    table = load_table(lake, lake.dataset("visits"))
    assert table is not None
    view = table_view(lake.dataset("visits"), table, AlwaysTrue())
    with engine(lake) as connection:
        run(connection, "create schema curated")
        run(connection, f"create view curated.visits as {view.sql}")
        run(connection, "set search_path = 'curated'")
        return connection.sql(sql).to_arrow_table()


PRUNED = {
    "day = '2013-01-03'": 1,
    "day = DATE '2013-01-03'": 1,
    "day >= TIMESTAMP '2013-01-05 00:00:00'": 2,
    "'2013-01-03' > day": 2,
    "day BETWEEN '2013-01-02' AND CAST('2013-01-04' AS DATE)": 3,
    "day IN ('2013-01-01', DATE '2013-01-06')": 2,
    "day = '2013-01-01' OR day = '2013-01-02'": 2,
    "(day > '2013-01-01' AND upper(id) > 'A') AND day <= '2013-01-03'": 2,
    "moment < '2013-01-02 02:00'": 2,
    "moment >= DATE '2013-01-06'": 1,
    "seen >= '2013-01-06T00:00:00Z'": 1,
    "seen < TIMESTAMPTZ '2013-01-02 01:00:00+02'": 1,
    "seen < TIMESTAMP '2013-01-01 12:00:00'": 1,
    "moment < TIMESTAMPTZ '2013-01-02 00:00:00'": 1,
    "day >= TIMESTAMPTZ '2013-01-05 00:00:00+00:00'": 2,
    "day > DATE '2013-01-05' - interval 1 day": 2,
    "seen < TIMESTAMPTZ '2013-01-04 00:00:00+00' - interval '48 hours'": 1,
    "seen < TIMESTAMPTZ '2013-01-01 00:00:00+00' + interval 1 week - interval 6 days": 1,
    "id = 'v2-03'": 1,
    "id >= 'v4'": 2,
    "n = 301": 1,
    "-5 >= n": 0,
    "amount = 25.25": 1,
    "amount > 100": 2,
    "_file_id = 1": 1,
    "visits.day = '2013-01-03'": 1,
}


@pytest.mark.parametrize(("condition", "files"), PRUNED.items())
def test_a_comparison_with_a_literal_leaves_files_out(lake: Lake, condition: str, files: int) -> None:
    sql = f"select id from curated.visits where {condition} order by id"
    assert files_opened(lake, sql) == files
    assert query(lake, sql).table.equals(rows_without_pruning(lake, sql))


NOT_PRUNED = (
    "day <> '2013-01-03'",
    "NOT day = '2013-01-03'",
    "day NOT IN ('2013-01-03')",
    "day = '2013-01-03' OR upper(id) = 'V1-01'",
    "day + 1 = DATE '2013-01-03'",
    "day = '2013-1-3'",
    "day < TIMESTAMP '2013-01-02 12:00:00'",
    "day = DATE '2013-01-02' + 1",
    "year(day) = 2013",
    "day IS NOT DISTINCT FROM '2013-01-03'",
    "day = (SELECT DATE '2013-01-03')",
    "day = '2013-01-03' COLLATE nocase",
    "moment < TIMESTAMP '2013-02-02 00:00:00' - interval 1 month",
    "moment < TIMESTAMP '2013-01-04 00:00:00' - interval (n) day",
    "moment < '2013-01-02 00:00:00+02'",
    "ratio > 4.5",  # NaN counts as greater, and bounds do not know it
    "n = 101.0",
    "n = 1e2",
    "n = '101'",
    "amount = 25.251",
    "page.n = 1",
    "id COLLATE nocase = 'V1-01'",
)


@pytest.mark.parametrize("condition", NOT_PRUNED)
def test_what_is_not_understood_leaves_nothing_out(lake: Lake, condition: str) -> None:
    assert files_opened(lake, f"select * from curated.visits where {condition}") == DAYS


def test_a_table_named_twice_keeps_what_either_place_needs(lake: Lake) -> None:
    one_each = """
        select * from curated.visits a join curated.visits b on a.n = b.n - 100
        where a.day = '2013-01-01' and b.day = '2013-01-02'"""
    everywhere = "select (select count(*) from curated.visits), id from curated.visits where day = '2013-01-01'"
    assert files_opened(lake, one_each) == 2
    assert files_opened(lake, everywhere) == DAYS


def test_a_name_that_with_gives_does_not_leave_files_of_the_table_out(lake: Lake) -> None:
    hidden = """
        with visits as (select * from visits where day = '2013-01-01')
        select * from visits where day = '2013-01-02' or id = 'v0-01'"""
    assert query(lake, hidden).table["id"].to_pylist() == ["v0-01"]


@pytest.mark.parametrize(
    "sql",
    [
        "from curated.visits v(id, moment, day) where day = '2013-01-03'",
        "from curated.visits tablesample reservoir(72 rows) where day = '2013-01-03'",
        "from curated.visits where day = '2013-01-03' using sample 72 rows",
        "from curated.visits a positional join curated.visits b where a.day = '2013-01-03' and b.n > 5",
        "from range(99) r asof join curated.visits b on r.range > b.n where b.day = '2013-01-01'",
        "from curated.visits pivot (count(*) for n in (1, 2)) where day = '2013-01-03'",
        "from (select * from curated.visits limit 72) where day = '2013-01-03'",
        "from curated.visits, (select date '2013-01-03' as day) t where t.day = '2013-01-03'",
        "select upper(id) as id from curated.visits where upper(id) = 'V1-01'",
    ],
)
def test_a_row_that_where_drops_is_kept_where_it_decides_about_others(lake: Lake, sql: str) -> None:
    assert files_opened(lake, sql) == DAYS


JOINS = (
    "select a.id, b.id from curated.visits a left join curated.visits b on a.n = b.n + 100 where b.day = '2013-01-02'",
    "select a.id, b.id from curated.visits a left join curated.visits b on a.n = b.n + 100 where a.day = '2013-01-02'",
    "select a.id, b.id from curated.visits a full join curated.visits b on a.n = b.n + 100 where a.day > '2013-01-05'",
    "select range, id from range(700) r left join curated.visits on n = range where day = '2013-01-02' or n is null",
    "select (select count(*) from curated.visits b where b.day = a.day and b.n > 105) from curated.visits a",
    "select upper(id) as id from curated.visits where id = 'v1-01'",
    "select id from curated.visits where n > 250 union all select id from curated.visits where day < '2013-01-02'",
    "select id from curated.visits where exists (from curated.visits where n = 101) and n = 500",
    "from range(600) r anti join curated.visits b on b.n = range where range = 101 or range = 99",
    "select id from curated.visits day where day = '2013-01-02'",
)


@pytest.mark.parametrize("sql", JOINS)
def test_pruning_changes_no_answer(lake: Lake, sql: str) -> None:
    answer = query(lake, f"select * from ({sql}) order by all").table
    assert answer.num_rows > 0
    assert answer.equals(rows_without_pruning(lake, f"select * from ({sql}) order by all"))


_DAYS = ("'2013-01-02'", "date '2013-01-03'", "timestamp '2013-01-04 00:00:00'", "timestamptz '2013-01-04 01:00:00+01'")
_SHIFTED = (
    "date '2013-01-03' - interval 1 day",
    "timestamp '2013-01-02 08:00:00' + interval 36 hours",
    "timestamptz '2013-01-05 01:00:00+01' - interval '2 days'",
    "timestamp '2013-02-02 00:00:00' - interval 1 month",
)
_TIMES = ("timestamp '2013-01-02 08:00:00.000004'", "'2013-01-05 10:00'", "'2013-01-04T00:00:00+02'", "null")
_MOMENTS = (*_DAYS, *_SHIFTED, *_TIMES)
_NUMBERS = ("102", "-1", "25.5", "25.25", "1e2", "2.03", "99999999999999999999", "0.001", "'101'", "null")
_TEXTS = ("'v1-01'", "'v'", "''", "'v3-07'", "null")
_FITTING = {
    **dict.fromkeys(("day", "visits.day", "moment", "seen"), _MOMENTS),
    **dict.fromkeys(("n", "amount", "ratio", "_file_id", "page.n"), _NUMBERS),
    "id": _TEXTS,
}
_OPERATORS = st.sampled_from(["=", "<", "<=", ">", ">=", "<>", "is distinct from"])
_COMPARED = st.sampled_from(sorted(_FITTING)).flatmap(
    lambda column: st.tuples(st.just(column), _OPERATORS, *[st.sampled_from(_FITTING[column])] * 2)
)
_COMPARISONS = _COMPARED.flatmap(
    lambda t: st.sampled_from(
        [
            f"{t[0]} {t[1]} {t[2]}",
            f"{t[2]} {t[1]} {t[0]}",
            f"{t[0]} between {t[2]} and {t[3]}",
            f"{t[0]} in ({t[2]}, {t[3]})",
        ]
    )
)
_CONDITIONS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: f"({t[0]} and {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]} or {t[1]})"),
        inner.map(lambda t: f"not ({t})"),
    ),
    max_leaves=4,
)


@settings(max_examples=60, deadline=None)
@given(condition=_CONDITIONS)
def test_pruning_agrees_with_reading_everything(lake: Lake, condition: str) -> None:
    """Conditions at random: both ways give the same rows, or both refuse the types."""
    sql = f"select id from curated.visits where {condition} order by id"
    try:
        expected = rows_without_pruning(lake, sql)
    except duckdb.Error:
        with pytest.raises(QueryRefused):
            query(lake, sql)
        return
    assert query(lake, sql).table.equals(expected)
