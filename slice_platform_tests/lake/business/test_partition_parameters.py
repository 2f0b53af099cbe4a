"""A model that makes one partition at a time gets its moments, and what prunes files understands them."""

from datetime import UTC, datetime, timedelta, timezone

import duckdb
import pytest
from pyiceberg import types as ice
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.schema import Schema

from slice_platform.lake.business.partition_parameters import at_partition, is_partitioned
from slice_platform.lake.pruning import row_filters
from slice_platform.lake.sql_tree import read_statement

START, END = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 1, 2, tzinfo=UTC)


def test_moments_take_the_place_of_the_parameters_and_of_nothing_else() -> None:
    sql = """-- é $partition_start
select '$partition_start' as a, "$partition_end" as b, $$ $partition_end $$ as c, $PARTITION_END as d
from curated.x where t between $partition_start and $partition_end /* $partition_start */ limit 3
"""
    assert at_partition(sql, START, END) == (
        """-- é $partition_start
select '$partition_start' as a, "$partition_end" as b, $$ $partition_end $$ as c, """
        """TIMESTAMPTZ '2013-01-02 00:00:00+00:00' as d
from curated.x where t between TIMESTAMPTZ '2013-01-01 00:00:00+00:00' and TIMESTAMPTZ '2013-01-02 00:00:00+00:00' """
        """/* $partition_start */ limit 3
"""
    )


def test_moments_are_told_in_utc_and_exactly() -> None:
    start = datetime(2013, 1, 1, 2, 0, 0, 250, tzinfo=timezone(timedelta(hours=2)))
    assert at_partition("select $partition_start as a", start, END) == (
        "select TIMESTAMPTZ '2013-01-01 00:00:00.000250+00:00' as a"
    )


def test_a_moment_without_a_zone_is_no_moment() -> None:
    with pytest.raises(ValueError, match="has no zone"):
        at_partition("select $partition_start as a", datetime(2013, 1, 1), END)  # noqa: DTZ001 -- that is the mistake


def test_a_model_is_partitioned_where_it_says_so() -> None:
    assert is_partitioned("select id from curated.x where t < $Partition_End")
    assert not is_partitioned("select '$partition_end' as a -- $partition_start")


def test_a_parameter_in_a_place_that_is_copied_is_replaced_once() -> None:
    sql = "select case $partition_start when t then 1 when u then 2 end as a from curated.x"
    assert at_partition(sql, START, END).count("TIMESTAMPTZ") == 1


@pytest.mark.parametrize("kind", [ice.TimestamptzType(), ice.TimestampType(), ice.DateType()], ids=str)
def test_files_outside_of_the_partition_are_pruned(kind: ice.PrimitiveType) -> None:
    schema = Schema(ice.NestedField(1, "moment", kind))
    sql = at_partition(
        "select moment from curated.x where moment >= $partition_start and moment < $partition_end", START, END
    )
    with duckdb.connect() as connection:
        tree = read_statement(connection, sql)
    found = str(row_filters(tree, {("curated", "x"): schema})[("curated", "x")])
    assert found != str(AlwaysTrue()) and "2013-01-01" in found and "2013-01-02" in found
