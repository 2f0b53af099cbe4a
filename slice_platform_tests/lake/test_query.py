"""SQL over the lake: what analysts get, and what no query can do."""

import gzip
import json
import warnings
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slice_platform.errors import QueryRefused, StoreUnavailable, TransientError
from slice_platform.lake.engine import engine
from slice_platform.lake.ingest import ingest, receive_pending
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import _lock, query
from slice_platform.lake.scan_cost import ScanCost
from slice_platform.lake.table import load_table
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.query_fixtures import DAYS, VISITS, VISITS_A_DAY, fill_visits, visit
from slice_platform_tests.samples import DatasetText, changed, drop


@pytest.fixture
def lake(make_lake: MakeLake) -> Lake:
    made = make_lake({"visits": VISITS})
    fill_visits(made)
    return made


def values(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in query(lake, sql).table.to_pylist()]


def test_a_query_gives_typed_rows_in_the_order_asked_for(lake: Lake) -> None:
    table = query(lake, "select id, day, seen, amount, page from curated.visits order by id desc limit 2").table
    assert table["id"].to_pylist() == ["v5-11", "v5-10"]
    assert table.schema.field("seen").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("amount").type == pa.decimal128(6, 2)
    assert table["page"].to_pylist()[0] == {"path": "/11", "n": 11}


@pytest.mark.directory("polars has an S3 client of its own, to be told where S3 is")
def test_duckdb_polars_and_pyiceberg_see_the_same_table(lake: Lake) -> None:
    table = load_table(lake, lake.dataset("visits"))
    assert table is not None
    columns = ("id", "day", "moment", "seen", "n", "amount", "ratio")
    ours = query(lake, f"select {', '.join(columns)} from curated.visits order by id").table
    theirs = table.scan(selected_fields=columns).to_arrow().sort_by("id")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # polars would plan faster with a package that it does not require
        polars = pl.scan_iceberg(table).select(columns).sort("id").collect().to_arrow()
    assert ours.num_rows == DAYS * VISITS_A_DAY
    assert ours.to_pylist() == theirs.to_pylist() == polars.to_pylist()


def test_the_cost_of_a_query_is_measured(lake: Lake) -> None:
    everything = query(lake, "select * from curated.visits").cost
    one_day = query(lake, "select id from curated.visits where day = '2013-01-02'").cost
    assert (everything.files_opened, everything.files_total) == (DAYS, DAYS)
    assert (one_day.files_opened, one_day.files_total) == (1, DAYS)
    assert 0 < one_day.stored_bytes < everything.stored_bytes
    assert 0 < one_day.read_bytes < everything.read_bytes


def test_athena_bills_whole_megabytes_and_ten_at_least() -> None:
    def cost(read_bytes: int) -> ScanCost:
        return ScanCost(files_opened=1, files_total=1, stored_bytes=1, read_bytes=read_bytes)

    assert cost(1).athena_bytes == 10 * 1024**2
    assert cost(20 * 1024**2 + 1).athena_bytes == 21 * 1024**2
    assert cost(1024**4).athena_usd == 5.0


def test_a_dataset_without_a_table_is_empty_but_has_its_columns(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    curated = query(lake, "from curated.visits").table
    assert (curated.num_rows, curated.schema.field("amount").type) == (0, pa.decimal128(6, 2))
    assert curated.column_names[-3:] == ["_file_id", "_row", "_ingested_at"]
    assert query(lake, "from raw.visits").table.column_names == [*lake.dataset("visits").contract.names, "_file"]


def test_a_column_that_the_contract_gained_is_null_in_older_rows(lake: Lake, make_lake: MakeLake) -> None:
    more = changed(
        VISITS.contract, "      - name: page", "      - {name: note, logicalType: string}\n      - name: page"
    )
    newer = make_lake({"visits": DatasetText(more, VISITS.defs)}, home=lake.settings.home)
    assert values(newer, "select count(*), count(note) from curated.visits") == [(72, 0)]
    drop(newer, "visits/late.jsonl", json.dumps({**visit(9, 1), "note": "new"}).encode())
    ingest(newer, "visits")
    assert values(newer, "select count(*), max(note) from curated.visits") == [(73, "new")]
    assert values(newer, "select note, n from curated.visits where day = '2013-01-10'") == [("new", 901)]


def test_a_bare_name_means_the_curated_table_and_the_catalog_shows_all(lake: Lake) -> None:
    assert values(lake, "select count(*) from visits") == [(72,)]
    assert values(lake, "show tables") == [("visits",)]
    shown = {(row[1], row[2]) for row in values(lake, "show all tables")}
    assert shown == {("curated", "visits"), ("raw", "visits")}
    described = {row[0]: row[1] for row in values(lake, "describe curated.visits")}
    assert described["seen"] == "TIMESTAMP WITH TIME ZONE"


def test_raw_tables_show_every_format_as_text_by_name(make_lake: MakeLake) -> None:
    """Columns in another order, files of other formats, values that the checks will refuse: all are there."""
    lake = make_lake({"visits": VISITS})
    drop(lake, "visits/a/one.csv.gz", gzip.compress(b"n,more,id\nmany,x,a1\n2,y,a2\n"))
    drop(lake, "visits/b/two.csv", b'id,n,page\nb1,,"{""path"": ""/b""}"\n')
    drop(lake, "visits/three.txt", "id;n\nc\xe9;NA\n".encode("latin-1"))
    drop(lake, "visits/four.jsonl", b'{"id": "d1", "n": 4.0, "page": {"path": "/d", "n": [1]}}\n')
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"n": [5], "id": ["e1"], "page": [{"path": "/e"}]}), sink)
    drop(lake, "visits/five.parquet", sink.getvalue().to_pybytes())
    receive_pending(lake, "visits")
    assert values(lake, "select id, n, page, _file from raw.visits order by id") == [
        ("a1", "many", None, "landing/visits/a/one.csv.gz"),
        ("a2", "2", None, "landing/visits/a/one.csv.gz"),
        ("b1", None, '{"path": "/b"}', "landing/visits/b/two.csv"),
        ("c\xe9", None, None, "landing/visits/three.txt"),
        ("d1", "4.0", '{"path":"/d","n":[1]}', "landing/visits/four.jsonl"),
        ("e1", "5", '{"path":"/e"}', "landing/visits/five.parquet"),
    ]


def test_bad_lines_and_files_without_columns_do_not_fail_a_raw_query(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    drop(lake, "visits/some.csv", b'id,n\na1,1\na2,2,3,4\na3\n"open\n')
    drop(lake, "visits/other.csv", b"id,n\nb1,1\nb\xff2,2\n")
    drop(lake, "visits/some.jsonl", b'{"id": "c1"}\nnot json\n[1]\n\n{"id": "c2", "n"\n{"id": "c3"}\n')
    drop(lake, "visits/empty.csv", b"")
    drop(lake, "visits/broken.parquet", b"PAR1 and no more")
    drop(lake, "visits/broken.csv.gz", b"no gzip")
    receive_pending(lake, "visits")
    assert values(lake, "select id from raw.visits order by id") == [("a1",), ("b1",), ("c1",), ("c3",)]


def test_a_raw_column_that_comes_from_the_path_has_its_value(make_lake: MakeLake) -> None:
    defs = changed(VISITS.defs, "grain: day,", r"grain: day, from_path: 'd=(?P<year>\d+)-(?P<month>\d+)-(?P<day>\d+)',")
    lake = make_lake({"visits": DatasetText(VISITS.contract, defs)})
    drop(lake, "visits/d=2013-01-05/one.csv", b"id\na1\n")
    drop(lake, "visits/d=2013-01-06/one.csv", b"id\na2\n")
    receive_pending(lake, "visits")
    assert values(lake, "select id, day from raw.visits order by id") == [("a1", "2013-01-05"), ("a2", "2013-01-06")]


def test_names_that_look_like_patterns_are_read_as_they_are(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    for name in ("a*.csv", "a[1].csv", "a1.csv", "it's?.csv"):
        drop(lake, f"visits/{name}", f"id\n{name}\n".replace("'", "").encode())
    receive_pending(lake, "visits")
    assert [row[0] for row in values(lake, "select id from raw.visits order by id")] == [
        "a*.csv", "a1.csv", "a[1].csv", "its?.csv",
    ]  # fmt: skip


def test_an_unknown_table_is_answered_with_the_tables_there_are(lake: Lake) -> None:
    with pytest.raises(
        QueryRefused, match=r"'visit'; did you mean curated.visits\? Tables: curated.visits, raw.visits"
    ):
        query(lake, "select * from curated.visit")
    with pytest.raises(QueryRefused, match=r"'sales'. Tables: curated.visits"):
        query(lake, "select * from sales")


@pytest.mark.parametrize("sql", ["select nope from curated.visits", "select 'a'::int", "selct 1", "select $1"])
def test_a_mistake_in_the_sql_is_told_in_the_words_of_duckdb(lake: Lake, sql: str) -> None:
    with pytest.raises(QueryRefused, match=r"nope|Could not convert|syntax error|not provided"):
        query(lake, sql)


def test_variables_of_the_program_are_no_tables(lake: Lake) -> None:
    secret = pa.table({"a": [1]})
    with pytest.raises(QueryRefused, match="unknown table 'secret'"):
        query(lake, "select * from secret")
    assert secret.num_rows == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "ledger.db", "lake/raw/*/*/*.jsonl"])
def test_a_file_is_no_table(lake: Lake, path: str) -> None:
    with pytest.raises(QueryRefused, match=r"unknown table|disabled by configuration.* one statement that reads"):
        query(lake, f"select * from '{path}'")


def test_there_are_no_secrets_to_be_seen(lake: Lake) -> None:
    with engine(lake) as connection:
        _lock(connection, [])
        assert connection.execute("from duckdb_secrets()").fetchall() == []
        assert connection.execute("from duckdb_variables()").fetchall() == []
        with pytest.raises(duckdb.CatalogException):
            connection.execute("select getenv('HOME')").fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('/etc/passwd')",
        "from read_text('/etc/passwd')",
        "from glob('/*')",
        "from read_parquet('other.parquet')",
        "copy (select 1) to 'out.csv'",
        "attach 'other.db'",
        "set enable_external_access = true",
        "set allowed_paths = ['/etc/passwd']",
        "from enable_logging(storage = 'file', storage_config = {'path': 'logs'})",
    ],
)
def test_the_engine_itself_refuses_what_the_parse_tree_would_not_let_through(lake: Lake, sql: str) -> None:
    """The second and the third lock, tried with the first one open."""
    pq.write_table(pa.table({"a": [1]}), "other.parquet")
    with engine(lake) as connection:
        _lock(connection, [])
        with pytest.raises(duckdb.Error, match=r"disabled by configuration|has been locked"):
            connection.execute(sql).fetchall()
    assert not {path.name for path in Path().iterdir()} & {"out.csv", "other.db", "logs"}


def test_a_query_cannot_overwrite_the_files_it_may_read(lake: Lake) -> None:
    """DuckDB lets a SELECT write to an allowed path, by a COPY inside of WITH: only the parse tree stops it."""
    before = list(lake.store.list("curated"))
    path = next(lake.store.path(entry.key) for entry in before if entry.key.endswith(".parquet"))
    sql = f"with x as (copy (select 1) to '{path}' (use_tmp_file false)) select * from curated.visits, x"
    with pytest.raises(QueryRefused, match="COPY, which does more than read"):
        query(lake, sql)
    assert list(lake.store.list("curated")) == before


def test_a_query_leaves_nothing_behind(lake: Lake) -> None:
    def everything() -> set[Path]:
        return {
            path for path in lake.settings.home_dir.rglob("*") if path.name not in ("ledger.db-wal", "ledger.db-shm")
        }

    before = everything()
    query(lake, "select n, count(*) from curated.visits group by all order by all")
    assert everything() - before <= {lake.settings.spill_dir}


def test_too_little_memory_can_be_helped(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS}, duckdb_memory_limit="30MB")
    with pytest.raises(TransientError, match="SLICE_DUCKDB_MEMORY_LIMIT"):
        query(lake, "select list(range order by hash(range)) from range(20000000)")


def test_a_file_that_is_gone_can_come_back(lake: Lake) -> None:
    lake.store.remove(next(entry.key for entry in lake.store.list("curated") if entry.key.endswith(".parquet")))
    with pytest.raises(StoreUnavailable, match="run the query again"):
        query(lake, "select * from curated.visits")


def test_duckdb_still_writes_from_a_select() -> None:
    """If this fails, DuckDB closed the hole; the judgement of the parse tree stays for the other reasons."""
    with duckdb.connect() as connection:
        connection.execute("with x as (copy (select 1) to 'out.csv') select * from x").fetchall()
    assert Path("out.csv").exists()
