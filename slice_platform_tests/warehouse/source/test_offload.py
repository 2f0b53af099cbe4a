"""From a database into landing: what the files are called, what is in them, and what a crash leaves."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from slice_platform.errors import DatasetBusy, PermanentError
from slice_platform.store import Store
from slice_platform.warehouse.source.offload import Offload, Offloaded, offload
from slice_platform.warehouse.source.reading import Wanted
from slice_platform.warehouse.source.spec import CursorSpec
from slice_platform.warehouse.source.state import Position, SourceCursors
from slice_platform_tests.crashes import SimulatedCrash, die
from slice_platform_tests.warehouse.source.databases import Shop

CURSOR = CursorSpec(column="updated_at", overlap=timedelta(minutes=15))


class Landing:
    """The landing folder of a lake, and the positions of its sources."""

    def __init__(self, home: Path, shop: Shop) -> None:
        self.home, self.shop = home, shop
        self.store = Store(str(home / "lake"))
        self.cursors = SourceCursors(f"sqlite:///{home}/ledger.db", lock_dir=home / "locks", lock_timeout_seconds=0)

    def offload(self, cursor: CursorSpec | None = None, wanted: Wanted | None = None) -> Offloaded:
        work = Offload("orders", wanted or Wanted("orders"), cursor, order_by=("id",))
        return offload(self.shop.server(), work, self.store, self.cursors, self.home / "spill")

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in (self.home / "lake" / "landing" / "orders").glob("*"))

    def rows(self, done: Offloaded) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pq.read_table(self.home / "lake" / str(done.key)).to_pylist()
        return found

    def ids(self, done: Offloaded) -> list[int]:
        return [row["id"] for row in self.rows(done)]


@pytest.fixture
def landing(tmp_path: Path, shop: Shop) -> Iterator[Landing]:
    made = Landing(tmp_path, shop)
    with closing(made.cursors):
        yield made


def test_a_snapshot_is_one_file_of_one_name_with_all_rows(landing: Landing) -> None:
    landing.shop.make_orders(3)
    done = landing.offload()
    assert done.key == "landing/orders/orders.parquet" and done.rows == 3
    assert landing.files == ["orders.parquet"] and landing.ids(done) == [1, 2, 3]
    assert not list((landing.home / "spill").iterdir())


def test_unchanged_rows_are_the_same_bytes(landing: Landing) -> None:
    landing.shop.make_orders(9)
    path = landing.home / "lake" / str(landing.offload().key)
    before = path.read_bytes()
    landing.shop.run("delete from orders where id = 4")
    landing.offload()
    assert path.read_bytes() != before
    landing.shop.order(4)  # lies elsewhere in the table now
    landing.offload()
    assert path.read_bytes() == before


def test_an_empty_table_is_a_file_without_rows(landing: Landing) -> None:
    landing.shop.make_orders()
    done = landing.offload()
    assert done.rows == 0 and landing.rows(done) == []
    assert pq.read_schema(landing.home / "lake" / str(done.key)).names[:2] == ["id", "item"]


def test_the_first_increment_has_all_rows_and_the_next_what_changed(landing: Landing) -> None:
    landing.shop.make_orders(3)
    first = landing.offload(CURSOR)
    assert first.file is not None and first.file.startswith("orders-start-20260103T100000.000000Z-")
    landing.shop.order(4)
    landing.shop.order(1, item="milk", updated_at="2026-01-04 11:00:00")
    second = landing.offload(CURSOR)
    assert second.window == "20260103T094500.000000Z-20260104T110000.000000Z"
    assert landing.ids(first) == [1, 2, 3] and landing.ids(second) == [1, 3, 4]
    assert len(landing.files) == 2


def test_nothing_new_writes_no_file(landing: Landing) -> None:
    landing.shop.make_orders(3)
    landing.offload(CURSOR)
    for _ in range(2):
        assert landing.offload(CURSOR).key is None
    assert len(landing.files) == 1


def test_a_row_that_was_committed_late_comes_with_the_overlap(landing: Landing) -> None:
    """Its transaction had stamped it before the greatest value that was read, and committed after."""
    landing.shop.make_orders(3)
    landing.offload(CURSOR)
    landing.shop.order(4, updated_at="2026-01-03 09:50:00")
    late = landing.offload(CURSOR)
    assert landing.ids(late) == [3, 4]
    assert landing.offload(CURSOR).key is None


def test_a_late_row_beyond_the_overlap_stays_out(landing: Landing) -> None:
    landing.shop.make_orders(3)
    landing.offload(CURSOR)
    landing.shop.order(4, updated_at="2026-01-03 09:40:00")
    assert landing.offload(CURSOR).key is None


def test_increments_of_one_window_never_take_each_others_place(landing: Landing) -> None:
    landing.shop.make_orders(3)
    first = landing.offload(CURSOR)
    landing.shop.run("delete from orders where id = 2")
    landing.cursors.keep("orders", Position("of another table", "", "", ""))
    again = landing.offload(CURSOR)
    assert again.began_anew and again.window == first.window and again.key != first.key
    assert landing.ids(first) == [1, 2, 3] and landing.ids(again) == [1, 3]


def test_integers_and_dates_are_cursors_as_well(landing: Landing) -> None:
    landing.shop.run("create table orders (id int primary key, day date)")
    landing.shop.run("insert into orders values (1, '2026-01-01'), (2, '2026-01-02')")
    assert landing.offload(CursorSpec(column="id", overlap=0)).file is not None
    landing.shop.run("insert into orders values (3, '2026-01-03')")
    found = landing.offload(CursorSpec(column="id", overlap=0))
    assert found.window == "2-3" and landing.ids(found) == [2, 3]
    by_day = CursorSpec(column="day", overlap=timedelta(days=1))
    assert landing.offload(by_day).window == "start-20260103"
    landing.shop.run("insert into orders values (4, '2026-01-04')")
    assert landing.ids(landing.offload(by_day)) == [2, 3, 4]


def test_a_query_has_increments_too(landing: Landing) -> None:
    landing.shop.make_orders(3)
    wanted = Wanted(query="select id, coalesce(updated_at, created_at) as changed_at from orders")
    done = landing.offload(CursorSpec(column="changed_at"), wanted)
    assert landing.ids(done) == [1, 2, 3] and landing.rows(done)[0].keys() == {"id", "changed_at"}


def test_a_crash_before_the_position_is_kept_sends_the_rows_again(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.shop.make_orders(3)
    with monkeypatch.context() as patched:
        patched.setattr(SourceCursors, "keep", die)
        with pytest.raises(SimulatedCrash):
            landing.offload(CURSOR)
    assert len(landing.files) == 1
    again = landing.offload(CURSOR)
    assert landing.ids(again) == [1, 2, 3] and landing.files == [again.file]
    assert landing.offload(CURSOR).key is None


def test_a_crash_before_landing_moves_nothing(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.shop.make_orders(3)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "copy_in", die)
        with pytest.raises(SimulatedCrash):
            landing.offload(CURSOR)
    assert landing.files == [] and landing.cursors.last("orders") is None
    assert landing.offload(CURSOR).rows == 3


def test_rows_without_a_cursor_are_refused(landing: Landing) -> None:
    landing.shop.run("create table orders (id int primary key, updated_at timestamp null)")
    landing.shop.run("insert into orders values (1, '2026-01-01'), (2, null)")
    with pytest.raises(PermanentError, match=r"no value there.*COALESCE"):
        landing.offload(CURSOR)
    assert landing.offload().rows == 2


@pytest.mark.parametrize(
    ("cursor", "says"),
    [
        (CursorSpec(column="item"), "a cursor is a timestamp, a date or an integer"),
        (CursorSpec(column="price"), "a cursor is a timestamp, a date or an integer"),
        (CursorSpec(column="changed"), "Columns: id, item, price"),
        (CursorSpec(column="id", overlap=timedelta(minutes=1)), "its overlap is a number"),
        (CursorSpec(column="updated_at", overlap=7), "a time such as 15m"),
    ],
)
def test_what_cannot_be_a_cursor_is_told(landing: Landing, cursor: CursorSpec, says: str) -> None:
    landing.shop.make_orders(1)
    with pytest.raises(PermanentError, match=says):
        landing.offload(cursor)


def test_two_offloads_of_one_dataset_do_not_run_at_once(landing: Landing) -> None:
    landing.shop.make_orders(1)
    with landing.cursors.exclusive("orders"), pytest.raises(DatasetBusy, match="'orders'"):
        landing.offload()


def test_another_source_begins_anew(landing: Landing) -> None:
    landing.shop.make_orders(2)
    landing.offload(CURSOR)
    landing.shop.run("create table more as select * from orders")
    done = landing.offload(CURSOR, Wanted("more"))
    assert done.began_anew and landing.ids(done) == [1, 2]
