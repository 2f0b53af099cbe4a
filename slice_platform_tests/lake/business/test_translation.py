"""A translation names the same columns in the same order, or is refused with what is in its way."""

from datetime import UTC, datetime

import duckdb
import pytest
from sqlglot import exp, parse_one

from slice_platform.engine import run
from slice_platform.errors import ContractError
from slice_platform.lake.business.translation import Dialect, translate
from slice_platform_tests.lake.business.sources import MARKED, TABLES, bound, fill

DIALECTS: tuple[Dialect, ...] = ("athena", "redshift", "spark")
START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC)
MODELS = """
from curated.people

select * exclude (email) replace (upper(name) as name) rename (id as person) from curated.people

select id, name from curated.people
qualify row_number() over (partition by name order by joined_at desc) = 1

select * exclude (home) from curated.people qualify rank() over (order by id) <= 2

select p.id, sum(o.amount) as total, count(*) as n, avg(o.amount::double) as mean, min(note) as low
from curated.people p left join curated.orders o on o.person = p.id
group by p.id having count(*) > 0 order by total desc limit 9

with a as (select *, id + 1 as next, next * 2 as twice from curated.orders)
select id, twice from a where exists (select 1 from curated.people p where p.id = a.person) and note like 'c%'

select id, case when id > 1 then 'a' else name end as c, coalesce(name, email) as d, id between 1 and 2 as e,
  id in (1, 2) as f, name is null as g, not id = 3 as h, -id as i, id % 2 as j, id / 2 as k,
  lower(name) || email as l, length(name) as m, round(id, 1) as n, nullif(id, 1) as o
from curated.people

select joined_at::date as day, date_trunc('month', joined_at) as month, extract(year from joined_at) as year,
  joined_at + interval 1 day as later
from curated.people where joined_at >= $partition_start and joined_at < $partition_end

select id, note from curated.orders union all select id, name from curated.people

select id from curated.orders union select id from curated.people except select person from curated.orders

select id, email, person from curated.people join curated.orders using (id)

select distinct note, lag(id) over (order by id) as before from curated.orders, (select 1 as one) c

select (select max(name) from curated.people) as m, id from curated.orders
where id in (select id from curated.people);  -- end

select day, visitor from business.daily
""".strip().split("\n\n")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", MODELS)
def test_a_translation_has_the_columns_of_the_model(sql: str, dialect: Dialect) -> None:
    model = bound(sql)
    translated = translate(model, dialect, start=START, end=END)
    parsed = parse_one(translated.sql, dialect=dialect)
    assert isinstance(parsed, exp.Query)
    assert parsed.named_selects == [column.name for column in model.columns]
    assert translated.parameters == ()
    assert not [star for star in parsed.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("sql", MODELS)
def test_back_in_duckdb_a_translation_has_the_same_rows(sql: str, dialect: Dialect) -> None:
    """The engines themselves are not here, so this is as near as a test comes."""
    model = bound(sql)
    back = parse_one(translate(model, dialect, start=START, end=END).sql, dialect=dialect).sql("duckdb")
    with duckdb.connect() as connection:
        fill(connection, MARKED, TABLES)
        rows, translated = (sorted(run(connection, query), key=repr) for query in (model.sql_at(START, END), back))
    assert translated == rows


@pytest.mark.parametrize(
    ("dialect", "shown", "parameters"),
    [
        ("athena", ">= ?\n", ("partition_start", "partition_end")),
        ("redshift", ">= :partition_start", ("partition_end", "partition_start")),
        ("spark", ">= :partition_start", ("partition_end", "partition_start")),
    ],
)
def test_parameters_stay_where_no_moments_are_given(dialect: Dialect, shown: str, parameters: tuple[str, ...]) -> None:
    where = "joined_at >= $partition_start and joined_at < $partition_end"
    sql = f"select id, '$partition_start' as x from curated.people where {where}"
    translated = translate(bound(sql), dialect)
    assert shown in translated.sql and "'$partition_start'" in translated.sql
    assert translated.parameters == parameters


def test_moments_that_are_given_stand_in_it_as_literals() -> None:
    model = bound("select id from curated.people where joined_at >= $partition_start")
    assert (
        "CAST('2013-01-01 00:00:00+00:00' AS TIMESTAMP WITH TIME ZONE)"
        in translate(model, "athena", start=START, end=END).sql
    )
    assert "CAST('2013-01-01 00:00:00+00:00' AS TIMESTAMP)" in translate(model, "spark", start=START, end=END).sql


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select hash(id)::varchar as h from curated.people", r"function hash\(\) is not known"),
        ("select try_strptime(name, '%Y') as y from curated.people", r"try_strptime\(\)"),
        ("select sum(id::hugeint)::bigint as s from curated.people", "the type INT128"),
        ("select email::uuid::varchar as u from curated.people", "the type UUID"),
        ("select joined_at at time zone 'UTC' as t from curated.people", "not known to mean the same"),
        ("select greatest(id, 1) as g from curated.people", r"greatest\(\)"),
        ("select id // 2 as h from curated.people", "intdiv|int_div|//"),
        ("select tags[1] as t from curated.people", "not known"),
        ("select home.city from curated.people", "not known"),
        ("select p from curated.people p", "not known"),
        ("select id, t from curated.people, unnest(tags) u(t)", "not known"),
        ("select columns('e.*') from curated.people", r"columns\(\)"),
        ("select id from curated.people union all by name select id from curated.orders", "BY NAME"),
        ("select id from curated.people intersect all select id from curated.orders", "INTERSECT ALL"),
        ("select p.id from curated.people p semi join curated.orders o using (id)", "join of type SEMI"),
        ("select p.id from curated.people p asof join curated.orders o on p.id >= o.id", "join of type ASOF"),
        ("select p.id from curated.people p positional join curated.orders o", "join of type POSITIONAL"),
        ("select distinct on (note) note, id from curated.orders", "QUALIFY"),
        ("select note, count(*) as n from curated.orders group by all", "GROUP BY ALL"),
        (
            "with recursive r as (select 1 as n union all select n + 1 from r where n < 3) select n from r",
            "WITH RECURSIVE",
        ),
        ("select id from curated.people where name like email", "backslash"),
        ("select day - day as d from business.daily", "type of the difference"),
        ("select amount / 2 as h from curated.orders", "quotient of decimals"),
        ("select date_trunc('week', day) as w from business.daily", "timestamps cut to"),
        ("select extract(isodow from joined_at) as d from curated.people", "the same everywhere are YEAR"),
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_not_known_to_mean_the_same_is_refused(sql: str, said: str, dialect: Dialect) -> None:
    with pytest.raises(ContractError, match=f"cannot be translated to {dialect}: .*({said})"):
        translate(bound(sql), dialect)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select avg(id) as a from curated.people", "cuts digits off"),
        ("select count(*) filter (where id > 1) as n from curated.people", "CASE WHEN"),
        ("select id, sum(amount) over (order by id) as s from curated.orders", "asks for a frame"),
    ],
)
def test_redshift_refuses_more(sql: str, said: str) -> None:
    assert translate(bound(sql), "athena").sql
    with pytest.raises(ContractError, match=said):
        translate(bound(sql), "redshift")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("name::bigint", "what is cast"),
        ("amount::bigint", "what is cast"),
        ("amount::double::varchar", "what is cast"),
        ("p.id % o.id", "division by zero"),
        ("p.id / o.id", "division by zero"),
    ],
)
def test_what_may_differ_for_some_values_is_warned_of(expression: str, said: str) -> None:
    sql = f"select {expression} as x from curated.people p, curated.orders o"
    assert [warning for warning in translate(bound(sql), "spark").warnings if said in warning]


@pytest.mark.parametrize(
    "expression", ["p.id::double", "'2013-01-01'::date", "p.id::varchar", "p.id / 2", "joined_at::date"]
)
def test_what_is_the_same_is_not_warned_of(expression: str) -> None:
    assert translate(bound(f"select {expression} as x from curated.people p"), "spark").warnings == ()
