"""What is found in the folders, and what a look costs."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from slice_platform.store import Children, Store, StoredObject
from slice_platform.warehouse.pending import look, look_at
from slice_platform_tests.cloud import Cloud

TABLE = "destination=postgres/database=shop/table_name=people"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root"))


def strays(store: Store) -> list[str]:
    return [stray.entry.key for stray in look(store, tick_seconds=0).strays]


def test_files_of_tables_are_found_by_table(store: Store) -> None:
    for key in (
        f"{TABLE}/input/load/a.csv",
        f"{TABLE}/schema/create/b.json",
        TABLE.replace("people", "x") + "/input/update/c.csv",
    ):
        store.write(key, b"x")
    found = look(store, tick_seconds=0).tables
    assert {str(table): [one.path.name for one in files] for table, files in found.items()} == {
        "postgres shop.people": ["b.json", "a.csv"],
        "postgres shop.x": ["c.csv"],
    }


@pytest.mark.parametrize(
    "key",
    [
        "notes.txt", "people/a.csv", "destination=oracle/database=shop/table_name=people/input/load/a.csv",
        "destination=postgres/a.csv", "destination=postgres/database=shop/a.csv", f"{TABLE}/a.csv",
        f"{TABLE}/input/a.csv", f"{TABLE}/input/load/deep/er/a.csv", f"{TABLE}/input/load/a.xlsx",
        f"{TABLE}/input/load/.DS_Store", f"{TABLE}/inputs/load/a.csv", f"{TABLE}/schema/create/a.csv",
        f"{TABLE}/input/load/a%27.csv", "destination=postgres/database=shop/table_name=PEOPLE/input/load/a.csv",
        "destination=postgres/database=shop/table_name=a;b/failed/a.csv", "failed.csv",
        "destination=postgres/failed/a.csv",
    ],
)  # fmt: skip
def test_whatever_lies_elsewhere_is_a_stray_with_a_reason(store: Store, key: str) -> None:
    store.write(key, b"x")
    (found,) = look(store, tick_seconds=0).strays
    assert found.entry.key == key and str(found.refused)


def test_what_was_put_away_is_no_stray(store: Store) -> None:
    for key in (f"{TABLE}/succeeded/a.csv", f"{TABLE}/failed/b.csv", "failed/c", "_staging/d"):
        store.write(key, b"x")
    found = look(store, tick_seconds=0)
    assert not found.strays and not found.tables


def test_a_file_that_is_being_written_waits(store: Store) -> None:
    store.write(f"{TABLE}/input/load/a.csv", b"x")
    found = look(store, tick_seconds=60)
    assert not found.tables and [entry.key for entry in found.still_written] == [f"{TABLE}/input/load/a.csv"]
    assert not look_at(store, next(iter(look(store, tick_seconds=0).tables)), tick_seconds=60)


def test_a_look_costs_as_much_as_there_are_tables_whatever_they_have_seen(store: Store) -> None:
    class Counted(Store):
        calls = 0

        def children(self, prefix: str) -> Children:
            Counted.calls += 1
            return super().children(prefix)

        def list(self, prefix: str) -> Any:
            Counted.calls += 1
            found = list(super().list(prefix))
            assert len(found) < 10, "the history was listed"
            return iter(found)

    store.write(f"{TABLE}/input/load/a.csv", b"x")
    counted = Counted(store.root)
    look(counted, tick_seconds=0)
    before = Counted.calls
    for number in range(300):
        store.write(f"{TABLE}/{'succeeded' if number % 2 else 'failed'}/{number}.csv", b"x")
    look(counted, tick_seconds=0)
    assert Counted.calls == 2 * before


def test_a_look_takes_twice_as_long_for_twice_as_many_files() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)

    class Listed(Store):
        """Files that are there as far as listings tell."""

        number = 0

        def list(self, prefix: str) -> Any:
            names = range(self.number) if prefix.endswith("/input") else ()
            return iter([StoredObject(f"{prefix}/load/{name}.csv", 1, "1", at, at) for name in names])

        def children(self, prefix: str) -> Children:
            inner = {"": "destination=postgres", "destination=postgres": "database=shop"}.get(prefix)
            below = f"{prefix}/{inner}".strip("/") if inner else None
            return Children((below or (TABLE if prefix != TABLE else f"{TABLE}/input"),), ())

    def seconds(files: int) -> float:
        store = Listed("/nowhere")
        store.number = files
        started = time.process_time()
        ((_, found),) = look(store, tick_seconds=0).tables.items()
        assert len(found) == files
        return time.process_time() - started

    assert min(seconds(8000) for _ in range(2)) < 24 * min(seconds(1000) for _ in range(3))  # 8 and not 64


def test_a_bucket_is_walked_like_a_directory(cloud: Cloud) -> None:
    from slice_platform.aws import AwsAccess
    from slice_platform.store import open_store

    store = open_store(f"s3://{cloud.fresh_bucket()}/propagator", AwsAccess(cloud.url))
    for key in (f"{TABLE}/input/load/a.csv", f"{TABLE}/input/load/", f"{TABLE}/succeeded/b.csv", "stray.csv"):
        store.write(key, b"x" if not key.endswith("/") else b"")
    found = look(store, tick_seconds=0)
    assert [one.path.name for files in found.tables.values() for one in files] == ["a.csv"]
    assert [stray.entry.key for stray in found.strays] == ["stray.csv"]
