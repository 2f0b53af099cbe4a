"""A model says by itself which columns it makes; what is wrong with it is told with its line and a way out."""

from datetime import date

import duckdb
import pytest

from slice_platform.engine import run
from slice_platform.errors import ContractError
from slice_platform.lake.business.binding import BoundModel
from slice_platform_tests.lake.business.sources import MARKED, PATH, TABLES, bound, fill


def shape(model: BoundModel) -> dict[str, str]:
    return {column.name: str(column.type) for column in model.columns}


def test_columns_come_in_their_order_with_the_types_of_a_contract() -> None:
    model = bound(
        """
        select id::tinyint as small, 1.5::float as rough, amount, note::json as doc, uuid '6ba7b810-9dad-11d1-80b4-00c04fd430c8' as key,
               timestamp_ms '2013-01-01' as local, 'a'::enum('a') as letter, [1, 2]::integer[2] as pair, {'n': 1} as box
        from curated.orders;  -- all of them
        """  # noqa: E501 -- a model as it may be written
    )
    assert shape(model) == {
        "small": "integer",
        "rough": "number",
        "amount": "number(10,2)",
        "doc": "string",
        "key": "string",
        "local": "timestamp",
        "letter": "string",
        "pair": "array<integer>",
        "box": "object<n: integer>",
    }


def test_the_tables_it_reads_are_known_by_their_own_spelling() -> None:
    model = bound("with d as (from BUSINESS.daily) select d.visitor, p.id from d, Curated.People p")
    assert model.dependencies == ("business.Daily", "curated.people")
    assert shape(model) == {"visitor": "string", "id": "integer"}


def test_what_is_written_has_the_types_that_were_promised() -> None:
    model = bound("select id::tinyint as small, [id::integer] as few, day from curated.people, business.daily --")
    with duckdb.connect() as connection:
        fill(connection, MARKED, TABLES)
        relation = connection.sql(model.cast_sql)
        assert [str(kind) for kind in relation.types] == ["BIGINT", "BIGINT[]", "DATE"]
        assert relation.fetchall()[0] == (1, [1], date(2013, 1, 1))


@pytest.mark.parametrize(
    ("sql", "line", "said"),
    [
        (
            "\n\n-- é\nselect id,\n emial from curated.people",
            5,
            r"no column 'emial'; did you mean 'email'\?.*id, email",
        ),
        ("select rowid\nfrom curated.people", 1, "no column 'rowid'"),
        ("select id from\n curated.peple", 2, r"no table 'curated.peple'; did you mean curated.people\? Tables: busin"),
        ("select id from\n people", 2, "write the tier in front, curated.people or business.people"),
        ("select id\nfrom raw.people", 2, "reads 'raw.people'"),
        ("select id\nfrom memory.curated.people", 2, "reads 'memory.curated.people'"),
        ("select 1 as a\nfrom information_schema.tables", 2, "nothing else can be read"),
        ("select 1 as a\nfrom 'people.csv'", 2, "nothing else can be read"),
        ("select\n nix(id) as a from curated.people", 2, "name nix does not exist"),
        ("select\n id + email as a from curated.people", 2, "No function matches"),
        ("select id,\n email from curated.people group by id", 2, "must appear in the GROUP BY"),
    ],
)
def test_what_is_not_there_is_named_with_its_line(sql: str, line: int, said: str) -> None:
    with pytest.raises(ContractError, match=said) as raised:
        bound(sql)
    assert str(raised.value).startswith(f"{PATH}:{line}: model.sql: ")


@pytest.mark.parametrize(
    ("sql", "line", "said"),
    [
        ("select id\nfrm x y from", 2, "cannot parse it: syntax error at or near"),
        ("select 1 as a /* for ever", 1, "unterminated"),
        ("", 1, "expected one statement, found 0"),
        ("select 1 as a; select 2 as b", 1, "expected one statement, found 2"),
        ("insert into curated.people values (1)", 1, "expected SELECT or WITH, found a statement of type INSERT"),
        ("explain select 1 as a", 1, "found a statement of type EXPLAIN"),
        ("describe curated.people", 1, "describes a table"),
        ("with x as (copy (select 1) to 'x') from x", 1, "COPY, which does more than read"),
        ("from read_csv('x')", 1, "table function 'read_csv'"),
        ("select 1 as a\nfrom duckdb_tables()", 2, "offered are generate_series"),
        ("pivot curated.people on name using max(email)", 1, "pivots over values it does not name"),
        ("select id\nfrom curated.people at (version => 1)", 2, "as it was"),
        ("select 1 as a,\n $other as b", 2, "parameter 'other'"),
        ("select 1 as a,\n ? as b", 2, "parameter '1'"),
        ("select $partition_start as a,\n ? as b", 2, "parameter without a name"),
        ("select 'a\0' as a", 1, "NUL"),
    ],
)
def test_anything_but_one_select_of_the_lake_is_refused(sql: str, line: int, said: str) -> None:
    with pytest.raises(ContractError, match=said) as raised:
        bound(sql)
    assert str(raised.value).startswith(f"{PATH}:{line}: model.sql: ")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select\n sum(person) from curated.orders", r"'sum\(person\)' has no name of its own; write `... as <name>`"),
        ("select\n id + 1 from curated.orders", "no name of its own"),
        ("select *\nfrom (select count(*) from curated.orders)", "no name of its own"),
        ("select id,\n person as ID from curated.orders", "'ID' appears twice"),
        ("select o.*,\n p.id from curated.orders o, curated.people p", "'id' appears twice"),
        ("select\n id as _row from curated.orders", "kept for the platform"),
        ("select\n id as filename from curated.orders", "kept for the platform"),
        ('select\n id as "a\u200b" from curated.orders', "cannot be seen"),
    ],
)
def test_every_column_needs_a_name_of_its_own(sql: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        bound(sql)


def test_any_name_will_do_that_was_given() -> None:
    assert list(shape(bound('select id as "Größe in m²", note from curated.orders'))) == ["Größe in m²", "note"]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sum(id)", "HUGEINT.*`::bigint`"),
        ("null", 'type "NULL".*`null::varchar`'),
        ("[null]", 'holds "NULL"'),
        ("1::ubigint", "UBIGINT.*`::bigint`"),
        ("interval 1 day", "INTERVAL.*epoch"),
        ("'a'::blob", "BLOB.*base64"),
        ("map {'a': 1}", "MAP.*map_entries"),
        ("{'b': [map {'a': 1}]}", r"STRUCT\(b MAP.*holds MAP"),
        ("union_value(a := 1)", "UNION.*union_extract"),
        ("row(1, 2)", "TUPLE.*have no names"),
        ("'10:00+01'::timetz", "TIME WITH TIME ZONE.*`::time`"),
        ("'1'::bit", "BIT.*`::varchar`"),
        ("1::variant", "VARIANT.*`::varchar`"),
    ],
)
def test_a_type_that_no_table_has_comes_with_the_cast_to_write(expression: str, said: str) -> None:
    with pytest.raises(ContractError, match=f":2: model.sql: the column 'odd' is of type {said}|odd.*{said}"):
        bound(f"select\n {expression} as odd from curated.people")


@pytest.mark.parametrize(
    "expression",
    [
        "now()", "current_date", "current_timestamp", "localtimestamp", "today()", "random()", "uuid()",
        "age(joined_at)", "gen_random_uuid()", "getvariable('slice_hmac_inner')", "system.main.getvariable('x')",
        "'x'.getvariable()", "current_setting('TimeZone')", "ago(interval 1 day)", "txid_current()",
        "reservoir_quantile(id, 0.5)", "list_transform([1], lambda x: x + random())", "current_query()",
    ],
)  # fmt: skip
def test_an_answer_that_differs_from_run_to_run_is_refused(expression: str) -> None:
    with pytest.raises(ContractError, match=r":3: model.sql: the answer of .* is not the same in every run"):
        bound(f"select $partition_start as a, $partition_end as b,\n 'é\n', {expression} as n from curated.people")


def test_every_function_without_arguments_is_refused_or_always_answers_the_same() -> None:
    def answers(at: str) -> dict[str, object]:
        with duckdb.connect() as connection:
            run(connection, f"attach ':memory:' as {at}")
            run(connection, f"use {at}")
            return {name: _answer(connection, name) for name in names}

    with duckdb.connect() as connection:
        found = run(
            connection,
            "select distinct function_name from duckdb_functions() "
            "where function_type in ('scalar', 'macro') and len(parameters) = 0 and function_name <> '+'",
        )
    names = sorted(name for (name,) in found)
    one, other = answers("one"), answers("other")
    differing = {name for name in names if one[name] != other[name]}
    assert differing >= {"now", "uuid", "current_database"}
    for name in differing:
        with pytest.raises(ContractError, match="is not the same in every run"):
            bound(f"select {name}() as n")


def _answer(connection: duckdb.DuckDBPyConnection, name: str) -> object:
    try:
        return run(connection, f"select {name}()::varchar")
    except duckdb.Error:
        return None  # it needs arguments after all


def test_a_column_may_be_called_like_such_a_function() -> None:
    assert shape(bound("with x as (select id as current_date from curated.people) select current_date from x"))


def test_error_may_stop_a_run() -> None:
    assert shape(bound("select case when id > 0 then id else error('negative') end as id from curated.people"))


@pytest.mark.parametrize("sample", ["using sample 10%", "tablesample reservoir(2 rows)"])
def test_a_sample_is_refused(sample: str) -> None:
    with pytest.raises(ContractError, match="it samples"):
        bound(f"select id from curated.people {sample}")


def test_a_model_sees_nothing_of_this_process() -> None:
    people = [1]
    with pytest.raises(ContractError, match="reads 'people'"):
        bound("select * from people")
    assert people


def test_what_is_bound_runs() -> None:
    joined = "curated.people p join curated.orders o on person = p.id"
    model = bound(f"select p.email, sum(amount) as amount from {joined} group by all")
    with duckdb.connect() as connection:
        fill(connection, MARKED, TABLES)
        assert len(run(connection, model.cast_sql)) == 3
