"""Only a statement that reads passes, judged by what DuckDB parses and not by how it begins."""

import duckdb
import pytest

from slice_platform.errors import QueryRefused
from slice_platform.lake.sql_tree import TABLE_FUNCTIONS, Node, read_statement

READS = (
    "select 1;",
    "from range(3)",
    "values (1), (2)",
    "(select 1) union all (select 2) order by 1",
    "with recursive n as (select 1 as i union all select i + 1 from n where i < 3) from n",
    "describe select 1",
    "summarize select 1",
    "show tables",
    "show all tables",
    "explain select 1",
    "EXPLAIN ANALYZE\nselect 1",
    "-- the first word is not what counts\nselect 'insert', 'copy'",
    "from (values (1, 2)) t(a, b) pivot (sum(a) for b in (1, 2))",
)
WRITES = (
    "copy (select 1) to 'out.csv'",
    "with x as (copy (select 1) to 'out.csv') select * from x",
    "select * from (with x as (copy (select 1) to 'out.csv') select 1)",
    "with x as (insert into t values (1) returning *) select * from x",
    "with x as (delete from t returning *) select * from x",
    "with x as (update t set a = 1 returning *) select * from x",
    "explain analyze copy (select 1) to 'out.csv'",
    "explain analyze with x as (copy (select 1) to 'out.csv') select * from x",
    "export database 'out'",
    "create table t as select 1",
    "create view v as select 1",
    "insert into t values (1)",
    "attach 'other.db'",
    "use other",
    "install httpfs",
    "load httpfs",
    "set threads = 9",
    "reset threads",
    "pragma database_list",
    "call enable_logging()",
    "checkpoint",
    "prepare p as select 1",
    "begin",
    "create secret (type s3)",
)
OPENS = (
    "from read_csv('/etc/passwd')",
    "select (select count(*) from read_text('/etc/passwd'))",
    "from glob('/*')",
    "from system.main.read_blob('/etc/passwd')",
    "from sniff_csv('/etc/passwd')",
    "from query('select 1')",
    "from query_table('curated.trips')",
    "from histogram('curated.trips', id)",
    "from json_execute_serialized_sql(json_serialize_sql('select 1'))",
    "from duckdb_secrets()",
)


@pytest.mark.parametrize("sql", READS)
def test_a_statement_that_reads_passes(sql: str) -> None:
    with duckdb.connect() as connection:
        assert read_statement(connection, sql).type.endswith("_NODE")


@pytest.mark.parametrize("sql", WRITES)
def test_what_does_more_than_read_is_refused_wherever_it_stands(sql: str) -> None:
    with duckdb.connect() as connection, pytest.raises(QueryRefused, match="one statement that reads|understands"):
        read_statement(connection, sql)


@pytest.mark.parametrize("sql", OPENS)
def test_functions_that_open_what_a_string_names_are_refused(sql: str) -> None:
    """They would pass by the list of files, or by the filters that files are pruned with."""
    with duckdb.connect() as connection, pytest.raises(QueryRefused, match=r"table function .* offered are: .*range"):
        read_statement(connection, sql)


@pytest.mark.parametrize("sql", ["", "-- nothing", "select 1; select 2", "select 1; drop table t"])
def test_anything_but_one_statement_is_refused(sql: str) -> None:
    with duckdb.connect() as connection, pytest.raises(QueryRefused, match="has [02] statements"):
        read_statement(connection, sql)


def test_a_pivot_over_unnamed_values_is_refused_with_the_way_to_write_it() -> None:
    with duckdb.connect() as connection, pytest.raises(QueryRefused, match=r"IN \(value, ...\)"):
        read_statement(connection, "pivot t on c using sum(a)")


def test_every_table_function_that_is_offered_exists() -> None:
    with duckdb.connect() as connection:
        known = {name for (name,) in connection.execute("select function_name from duckdb_functions()").fetchall()}
    assert known >= set(TABLE_FUNCTIONS)


def test_an_unknown_shape_of_the_tree_reads_as_empty() -> None:
    node = Node({"type": {"id": "DOUBLE"}, "children": "none", "names": None})
    assert (node.type, node.nodes("children"), node.texts("names"), node.node("type").node("id").fields) == (
        "",
        [],
        [],
        {},
    )
