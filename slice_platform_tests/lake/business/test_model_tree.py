"""What a model reads is known from its text alone, before any table is."""

from pathlib import Path

import pytest

from slice_platform.errors import ContractError
from slice_platform.lake.business.model_tree import dependencies

PATH = Path("model.sql")


def test_tables_are_found_wherever_they_are_read() -> None:
    sql = """
    with a as (select * from curated.c1 where x in (select y from business.b1))
    select *, (select max(z) from curated.c2) as m from a join Curated.C1 using (id), lateral (from business.b2)
    union all by name from curated.c3
    """
    assert dependencies(PATH, sql) == ("business.b1", "business.b2", "curated.C1", "curated.c2", "curated.c3")


def test_a_with_hides_no_table_of_the_same_name() -> None:
    assert dependencies(PATH, "with flights as (from curated.flights) from flights") == ("curated.flights",)


def test_a_name_in_a_text_or_a_comment_is_no_table() -> None:
    assert dependencies(PATH, "select 'curated.a' as a, \"curated.b\" from curated.d -- curated.c") == ("curated.d",)


def test_what_stands_in_a_lambda_or_a_pivot_is_found() -> None:
    assert dependencies(PATH, "from curated.a pivot (max(b) for c in ('x'))") == ("curated.a",)


def test_what_is_no_model_has_no_dependencies() -> None:
    with pytest.raises(ContractError, match="model.sql:1: model.sql: expected SELECT"):
        dependencies(PATH, "drop table curated.a")
