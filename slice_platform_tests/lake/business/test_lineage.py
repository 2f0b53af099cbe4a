"""What the columns of a model are made of: no more than is, and never less."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from slice_platform.engine import run
from slice_platform.lake.business.lineage import lineage_of
from slice_platform.lake.business.tables import Origin
from slice_platform.lake.sql_tree import Node
from slice_platform_tests.lake.business.lineages import Expected, lineages, origins
from slice_platform_tests.lake.business.sources import MARKED, TABLES, bound, fill

_MARKER = re.compile(r"((?:curated|business)\.\w+)\.(\w+)#", re.IGNORECASE)
_UNCLEAR = "select email, i from curated.people, (select i from unnest([1]) with ordinality u(x, i))"
_KEYED = """
with recursive r(id, email) using key (id) as (
    select id, email from curated.people
    union all select r.id + 1, p.name from r join curated.people p on p.id = r.id
) select email, id as i from r
"""


@pytest.fixture(scope="module")
def marked() -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables in which every text says which column it is from."""
    with duckdb.connect() as connection:
        fill(connection, MARKED, TABLES)
        yield connection


def paths(sql: str, column: str) -> list[str]:
    return list(lineage_of(bound(sql)).of(column).paths.values())


@pytest.mark.parametrize(("sql", "expected"), lineages())
def test_a_column_is_made_of_what_its_value_is_made_of(sql: str, expected: Expected) -> None:
    lineage = lineage_of(bound(sql))
    assert {found.column: found.origins for found in lineage.columns} == expected
    assert lineage.is_certain


@pytest.mark.parametrize("sql", [*(sql for sql, _ in lineages()), _UNCLEAR])
def test_no_text_reaches_a_column_that_is_not_said_to_be_made_of_it(
    marked: duckdb.DuckDBPyConnection, sql: str
) -> None:
    """The model runs, and what shows up is compared with the lineage: it knows nothing of how that was found."""
    for column, seen in texts_in(marked, sql).items():
        assert seen <= {str(origin).lower() for origin in lineage_of(bound(sql)).of(column).origins}


def texts_in(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, set[str]]:
    """For each column the source columns whose texts are in it."""
    relation = connection.sql(sql)
    names, rows = relation.columns, relation.fetchall()
    return {
        name: {
            f"{found[1]}.{found[2]}".lower()
            for row in rows
            for found in _MARKER.finditer(json.dumps(row[position], default=str))
        }
        for position, name in enumerate(names)
    }


def test_the_texts_are_found_at_all(marked: duckdb.DuckDBPyConnection) -> None:
    seen = texts_in(marked, "select upper(email) as a, [{'x': tags}] as b from curated.people")
    assert seen == {"a": {"curated.people.email"}, "b": {"curated.people.tags"}}
    assert run(marked, "select count(*) from business.Daily") == [(3,)]


def test_a_correlated_column_is_not_mistaken_for_the_one_it_equals() -> None:
    """DuckDB reads p.id where o.person is written, as they are equal; the model still says o.person."""
    sql = (
        "select l.x from curated.orders o, lateral (select o.person as x from curated.people p where p.id = o.person) l"
    )
    assert lineage_of(bound(sql)).of("x").origins >= origins("O.person")
    inside = "select 1 from curated.people p where p.id = o.person and p.name > o.note"
    sql = f"select exists ({inside}) as x from curated.orders o"
    assert lineage_of(bound(sql)).of("x").origins >= origins("O.person O.note P.name")


def test_a_way_has_every_name_that_the_value_had() -> None:
    sql = """
    with customers as (select id, email as mail from curated.people),
         reached as (select mail as address, id from customers)
    select upper(address) as contact, o.amount as amount
    from reached r join (select amount, person as who from curated.orders) o on o.who = r.id
    """
    assert paths(sql, "contact") == ["contact <- reached.address <- customers.mail <- curated.people.email"]
    assert paths(sql, "amount") == ["amount <- curated.orders.amount"]


def test_of_several_ways_the_shortest_is_told() -> None:
    sql = "with a as (select email as x from curated.people) select x || email as y from a, curated.people"
    assert paths(sql, "y") == ["y <- curated.people.email"]


def test_a_name_given_inside_is_on_the_way() -> None:
    assert paths("select b as c from (select email as b from curated.people)", "c") == [
        "c <- b <- curated.people.email"
    ]


@pytest.mark.parametrize("sql", [_UNCLEAR, _KEYED])
def test_what_cannot_be_told_counts_as_made_of_everything(sql: str) -> None:
    lineage = lineage_of(bound(sql))
    everything = frozenset(Origin("curated.people", column.name) for column in TABLES["curated.people"].columns)
    assert not lineage.is_certain
    assert [found.origins for found in lineage.columns] == [everything, everything]


def test_an_operator_that_is_not_known_makes_the_whole_uncertain() -> None:
    model = bound("select email from curated.people limit 3")
    assert model.plan is not None and lineage_of(model).is_certain
    lineage = lineage_of(replace(model, plan=Node({**model.plan.fields, "type": "LOGICAL_NOVELTY"})))
    assert not lineage.is_certain and len(lineage.of("email").origins) == 6


def test_an_expression_that_is_not_known_makes_the_whole_uncertain() -> None:
    model = bound("select email from curated.people")
    assert model.plan is not None
    changed = json.loads(json.dumps(model.plan.fields).replace('"BOUND_REF"', '"BOUND_NOVELTY"'))
    assert not lineage_of(replace(model, plan=Node(changed))).is_certain
