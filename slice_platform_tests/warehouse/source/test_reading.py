"""Reading a table or query: one state of the database, every value exactly, and mistakes told with what to do."""

import pyarrow as pa
import pytest

from slice_platform.errors import DestinationError, DestinationUnavailable, PermanentError, SettingsError
from slice_platform.warehouse.source.reading import Ask, Bound, Wanted
from slice_platform.warehouse.source.server import server_at
from slice_platform_tests.warehouse.source.databases import Shop, at, read


def test_rows_come_in_the_order_of_the_key_and_with_their_types(shop: Shop) -> None:
    shop.make_orders(3)
    found = read(shop, order_by=("id",), limit=2)
    assert found.column("id").to_pylist() == [1, 2]
    assert found.schema.field("price").type == pa.decimal128(10, 2)
    assert found.schema.field("created_at").type == pa.timestamp("us", "UTC")
    assert found.column("created_at")[0].as_py() == at(1, 10)


def test_the_catalog_tells_key_required_columns_and_comments(postgres_shop: Shop) -> None:
    postgres_shop.run(
        "create table t (b int, a varchar(9), note text not null, primary key (b, a))",
        "comment on column t.note is 'what the customer wrote'",
        "comment on table t is 'one row per note'",
    )
    with postgres_shop.server().reading(Wanted("public.t")) as session:
        shape = session.shape
    assert shape.key == ("b", "a") and shape.comment == "one row per note"
    note = shape.column("note", "a test")
    assert note.is_required and note.comment == "what the customer wrote"


def test_the_catalog_of_mysql_tells_the_same(mysql_shop: Shop) -> None:
    mysql_shop.run(
        "create table t (b int, a varchar(9), note varchar(9) not null comment 'what the customer wrote', "
        "more int, primary key (b, a)) comment 'one row per note'"
    )
    with mysql_shop.server().reading(Wanted("t")) as session:
        shape = session.shape
    assert shape.key == ("b", "a") and shape.comment == "one row per note"
    note = shape.column("note", "a test")
    assert note.is_required and note.comment == "what the customer wrote"
    assert not shape.column("more", "a test").is_required


def test_one_state_is_read_whatever_others_commit_meanwhile(shop: Shop) -> None:
    shop.make_orders(3)
    with shop.server().reading(Wanted("orders")) as session:
        assert session.greatest("updated_at") == at(3, 10)
        shop.order(4)
        assert session.greatest("updated_at") == at(3, 10)
        assert sum(batch.num_rows for batch in session.batches(Ask())) == 3


def test_a_query_is_read_like_a_table(shop: Shop) -> None:
    shop.make_orders(3)
    query = "select id, price * 2 as twice from orders where id > 1 -- cheap ones\n;"
    found = read(shop, query=query, order_by=("id",), where=(Bound("id", "<=", 3),))
    assert [str(row["twice"]) for row in found.to_pylist()] == ["5.00", "7.00"]


def test_rows_after_a_key_are_found_whatever_is_in_it(shop: Shop) -> None:
    shop.run("create table t (a varchar(20), b int, primary key (a, b))")
    shop.run("insert into t values ('it''s', 1), ('it''s', 2), ('a\\b', 1), ('zoo', 0)")
    everything = [tuple(row.values()) for row in read(shop, "t", order_by=("a", "b")).to_pylist()]
    assert len(everything) == 4
    for position, key in enumerate(everything):
        rest = read(shop, "t", order_by=("a", "b"), after=key)
        assert [tuple(row.values()) for row in rest.to_pylist()] == everything[position + 1 :]


@pytest.mark.parametrize(
    ("table", "query", "says"),
    [
        ("nowhere", None, "Check `table` and `database`"),
        (None, "select nothing from orders", "Check the columns of `query`"),
        (None, "select from from orders", "Check `query`: one SELECT"),
        (None, "delete from orders", "Check `query`: one SELECT"),
    ],
)
def test_a_mistake_says_what_to_check(shop: Shop, table: str | None, query: str | None, says: str) -> None:
    shop.make_orders()
    with pytest.raises(PermanentError, match=says) as told:
        read(shop, table, query)
    assert "secret" not in str(told.value)


def test_a_missing_column_lists_those_that_are_there(shop: Shop) -> None:
    shop.make_orders()
    with shop.server().reading(Wanted("orders")) as session, pytest.raises(PermanentError, match="updated_at"):
        session.shape.column("Updated", "cursor.column")


@pytest.mark.parametrize("url", ["postgresql://joe:secret@127.0.0.1:1/shop", "mysql://joe:secret@127.0.0.1:1/shop"])
def test_a_server_that_is_away_is_tried_again_and_no_password_is_told(url: str) -> None:
    server = server_at(url, setting="SHOP_URL")
    assert "secret" not in server.label and "joe" not in server.label
    with pytest.raises(DestinationUnavailable) as told, server.reading(Wanted("orders")):
        pass
    assert "secret" not in str(told.value) and "127.0.0.1:1/shop" in str(told.value)


@pytest.mark.parametrize(
    "url", ["oracle://joe:secret@host/db", "postgresql://joe:se@cret@host/db", "mysql://joe:secret@host", "secret"]
)
def test_what_is_no_url_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(SettingsError, match="SHOP_URL") as told:
        server_at(url, setting="SHOP_URL")
    assert "secret" not in str(told.value) and "cret" not in str(told.value)


def test_a_file_of_tls_that_is_missing_is_told_with_the_variable_that_names_it() -> None:
    with pytest.raises(SettingsError, match=r"^SHOP_URL names with ssl_ca the file '/nowhere/ca.pem'"):
        server_at("mysql://joe:secret@host/shop?ssl_ca=/nowhere/ca.pem", setting="SHOP_URL")


def test_somebody_without_rights_is_told_which(postgres_shop: Shop) -> None:
    postgres_shop.make_orders()
    postgres_shop.run("drop role if exists reader", "create role reader login")
    server = server_at(postgres_shop.url.replace("postgres@", "reader@"), setting="SHOP_URL")
    with pytest.raises(PermanentError, match="SELECT to read"), server.reading(Wanted("orders")):
        pass


def test_a_connection_that_breaks_while_rows_come_is_tried_again(postgres_shop: Shop) -> None:
    postgres_shop.run("create table big as select n as id, repeat('x', 5000) as text from generate_series(1, 20000) n")
    end = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = 'shop'"
    with postgres_shop.server().reading(Wanted("big")) as session:
        batches = session.batches(Ask())
        next(batches)
        postgres_shop.run(end)
        with pytest.raises(DestinationUnavailable):
            list(batches)


def test_what_fails_in_the_middle_of_a_query_is_told(postgres_shop: Shop) -> None:
    with pytest.raises(DestinationError, match="division by zero"):
        read(postgres_shop, query="select 1 / (n - 2) as n from generate_series(1, 3) n")


def test_rows_are_never_all_in_memory(shop: Shop) -> None:
    numbers = {"postgres": "generate_series(1, 60000)", "mysql": "seq_1_to_60000"}[shop.kind]
    column = {"postgres": "generate_series", "mysql": "seq"}[shop.kind]
    shop.run(f"create table big as select {column} as id, repeat('x', 2000) as text from {numbers}")
    with shop.server().reading(Wanted("big")) as session:
        sizes = [batch.nbytes for batch in session.batches(Ask())]
    assert sum(sizes) > 100_000_000 and max(sizes) < 20_000_000
