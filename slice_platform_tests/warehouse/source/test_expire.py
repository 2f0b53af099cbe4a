"""Rows leave the database when they are proven, and only then, whatever happens at the same time."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
import pytest

from slice_platform.errors import DestinationBusy, DestinationError, PermanentError
from slice_platform.warehouse.source.expire import Expired, Limits, Proof, expire, expiring
from slice_platform.warehouse.source.reading import Shape, Wanted
from slice_platform.warehouse.source.server import server_at
from slice_platform.warehouse.source.spec import RetentionSpec
from slice_platform_tests.warehouse.source.databases import DATABASE, Shop, at

RETENTION = RetentionSpec(after=timedelta(days=60), column="created_at")
ORDERS = Wanted("orders")


def held(*ids: int) -> Proof:
    """A lake that holds these orders, each of tea."""

    def proof(rows: pa.Table, shape: Shape) -> Sequence[bool]:
        assert shape.key == ("id",)
        return [row["id"] in ids and row["item"] == "tea" for row in rows.to_pylist()]

    return proof


def everything_held(rows: pa.Table, _shape: Shape) -> Sequence[bool]:
    return [True] * rows.num_rows


def expire_before(day: int, shop: Shop, proof: Proof, **limits: int) -> Expired:
    return expire(shop.server(), ORDERS, RETENTION, proof, until=at(day), limits=Limits(**limits))


def ids(shop: Shop) -> list[int]:
    return [number for (number,) in shop.rows("select id from orders order by id")]


def test_what_is_past_its_time_and_proven_is_deleted(shop: Shop) -> None:
    shop.make_orders(9)
    found = expire_before(6, shop, held(*range(10)), batch_rows=2)
    assert (found.looked_at, found.proven, found.deleted, found.is_whole) == (5, 5, 5, True)
    assert ids(shop) == [6, 7, 8, 9]


def test_what_is_not_proven_stays_and_is_told(shop: Shop) -> None:
    shop.make_orders(9)
    found = expire_before(6, shop, held(1, 3, 5), batch_rows=2)
    assert found.unproven == 2 and found.missing == (("2",), ("4",)) and found.key == ("id",)
    assert ids(shop) == [2, 4, 6, 7, 8, 9]


def test_without_a_proof_nothing_is_deleted(shop: Shop) -> None:
    shop.make_orders(20)
    found = expire_before(30, shop, held(), batch_rows=3)
    assert found.looked_at == 20 and found.deleted == 0 and len(found.missing) == 10
    assert ids(shop) == list(range(1, 21))


def test_looking_deletes_and_locks_nothing(shop: Shop) -> None:
    shop.make_orders(9)

    def proof(rows: pa.Table, shape: Shape) -> Sequence[bool]:
        shop.order(1, item="milk")  # would wait for a lock
        return held(1, 2, 3)(rows, shape)

    found = expiring(shop.server(), ORDERS, RETENTION, proof, until=at(6))
    assert (found.looked_at, found.proven, found.missing) == (5, 3, (("4",), ("5",)))
    assert ids(shop) == list(range(1, 10))


def test_no_more_than_the_most_rows_are_deleted(shop: Shop) -> None:
    shop.make_orders(9)
    found = expire_before(9, shop, held(*range(10)), batch_rows=2, most_rows=3)
    assert found.deleted == 3 and not found.is_whole
    assert ids(shop) == [4, 5, 6, 7, 8, 9]


def test_a_writer_who_comes_between_proof_and_delete_has_to_wait(shop: Shop) -> None:
    """And what he writes then is of a row that is gone: he is told that he changed none."""
    shop.make_orders(3)
    changed: list[int] = []

    def write() -> None:
        with shop.connected() as connection, connection.cursor() as cursor:
            cursor.execute("update orders set item = 'milk' where id = 2")
            changed.append(cursor.rowcount)

    writer = threading.Thread(target=write)

    def proof(rows: pa.Table, shape: Shape) -> Sequence[bool]:
        if not writer.is_alive():
            writer.start()
            writer.join(0.5)
            assert writer.is_alive() and not changed
        return held(1, 2, 3)(rows, shape)

    found = expire_before(4, shop, proof, most_rows=3)
    writer.join()
    assert found.deleted == 3 and changed == [0] and ids(shop) == []


def test_a_change_that_is_committed_first_is_what_is_judged(shop: Shop) -> None:
    """The writer holds the row when the expiry asks for it; what he commits is not in the lake."""
    shop.make_orders(3)
    found: list[Expired] = []
    with shop.connected(autocommit=False) as connection:
        connection.cursor().execute("update orders set item = 'milk' where id = 2")
        expiry = threading.Thread(target=lambda: found.append(expire_before(4, shop, held(1, 2, 3))))
        expiry.start()
        expiry.join(0.5)
        assert expiry.is_alive()
        connection.commit()
    expiry.join()
    assert found[0].deleted == 2 and found[0].missing == (("2",),)
    assert shop.rows("select id, item from orders") == [(2, "milk")]


def test_a_row_that_is_inserted_after_the_proof_stays(shop: Shop) -> None:
    shop.make_orders(2)
    shop.run("delete from orders where id = 1")

    def proof(rows: pa.Table, shape: Shape) -> Sequence[bool]:
        shop.order(1)
        return held(1, 2)(rows, shape)

    found = expire_before(4, shop, proof, most_rows=1)
    assert found.deleted == 1 and ids(shop) == [1]


def test_a_row_that_others_hold_too_long_is_tried_again_later(shop: Shop) -> None:
    shop.make_orders(3)
    server = shop.server()
    server._lock_timeout_seconds = 1  # type: ignore[attr-defined]
    with shop.connected(autocommit=False) as connection:
        connection.cursor().execute("update orders set item = 'milk' where id = 2")
        with pytest.raises(DestinationBusy):
            expire(server, ORDERS, RETENTION, held(1, 2, 3), until=at(4), limits=Limits(batch_rows=1))
        connection.rollback()
    assert ids(shop) == [2, 3]


def test_a_trigger_that_keeps_a_row_undoes_the_batch(postgres_shop: Shop) -> None:
    postgres_shop.make_orders(3)
    postgres_shop.run(
        "create function keep() returns trigger language plpgsql as 'begin return null; end'",
        "create trigger keep before delete on orders for each row when (old.id = 2) execute function keep()",
    )
    with pytest.raises(DestinationError, match=r"deleted 2, so the\s+batch was rolled back"):
        expire_before(4, postgres_shop, held(1, 2, 3))
    assert ids(postgres_shop) == [1, 2, 3]


def test_rows_of_other_tables_never_go_with_them(shop: Shop) -> None:
    shop.make_orders(3)
    referring = "order_id int, foreign key (order_id) references orders (id) on delete cascade"
    shop.run(f"create table items ({referring})", "insert into items values (2)")
    with pytest.raises(PermanentError, match=r"ON DELETE CASCADE.*items"):
        expire_before(4, shop, held(1, 2, 3))
    assert ids(shop) == [1, 2, 3]


def test_rows_that_others_refer_to_are_told(shop: Shop) -> None:
    shop.make_orders(3)
    referring = "order_id int, foreign key (order_id) references orders (id)"
    shop.run(f"create table items ({referring})", "insert into items values (2)")
    with pytest.raises(PermanentError, match="expire those first"):
        expire_before(4, shop, held(1, 2, 3))
    assert ids(shop) == [1, 2, 3]


@pytest.mark.parametrize(
    ("ddl", "column", "says"),
    [
        ("id int, created_at timestamp null", "created_at", "no primary key"),
        ("id varbinary(9) primary key, created_at timestamp null", "created_at", "not told exactly"),
        ("id int primary key, created_at timestamp null", "id", "says no time"),
        ("id int primary key, created_at timestamp null", "made_at", "Columns: id, created_at"),
    ],
)
def test_what_cannot_be_expired_is_told(mysql_shop: Shop, ddl: str, column: str, says: str) -> None:
    mysql_shop.run(f"create table orders ({ddl})")
    retention = RetentionSpec(after=timedelta(days=1), column=column)
    with pytest.raises(PermanentError, match=says):
        expiring(mysql_shop.server(), ORDERS, retention, held(), until=at(1))


def test_keys_of_several_columns_and_odd_values_are_found_again(shop: Shop) -> None:
    shop.run("create table orders (shop varchar(20), day date, created_at timestamp null, primary key (shop, day))")
    shops = ["it''s", 'say "x"', "a\\\\b", "100%", "ünï", ""]
    for name in shops:
        shop.run(f"insert into orders values ('{name}', '2026-01-01', '2026-01-01'), ('{name}', '2026-01-02', null)")
    done = expire(shop.server(), ORDERS, RETENTION, everything_held, until=at(9), limits=Limits(4))
    assert done.deleted == len(shops)  # a row without a time never expires
    assert shop.rows("select count(*) from orders where created_at is null") == [(len(shops),)]


def test_a_date_expires_when_its_day_is_over(shop: Shop) -> None:
    shop.run("create table orders (id int primary key, created_at date)")
    shop.run("insert into orders values (1, '2026-01-01'), (2, '2026-01-02')")
    done = expire(shop.server(), ORDERS, RETENTION, everything_held, until=at(2, 13), limits=Limits())
    assert done.deleted == 1 and ids(shop) == [2]


_KILLED = """
import sys
from slice_platform_tests.warehouse.source.test_expire import expire_and_die

expire_and_die(sys.argv[1])
"""


def expire_and_die(url: str) -> None:
    """Expire all orders in batches of two, and die in the proof of the third batch."""
    batches = 0

    def proof(rows: pa.Table, _shape: Shape) -> Sequence[bool]:
        nonlocal batches
        batches += 1
        if batches == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return [True] * rows.num_rows

    server = server_at(url, setting="SHOP_URL", database=DATABASE)
    expire(server, ORDERS, RETENTION, proof, until=at(30), limits=Limits(batch_rows=2))


def test_a_run_that_is_killed_leaves_whole_batches_and_the_next_goes_on(shop: Shop) -> None:
    shop.make_orders(9)
    ended = subprocess.run([sys.executable, "-c", _KILLED, shop.url], check=False)
    assert ended.returncode == -signal.SIGKILL and ids(shop) == [5, 6, 7, 8, 9]
    found = expire_before(30, shop, held(*range(10)), batch_rows=2)
    assert found.deleted == 5 and ids(shop) == []
