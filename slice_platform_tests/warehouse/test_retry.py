"""A file goes back from failed/ to where it was dropped, and nowhere else, whatever its report says."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slice_platform.errors import PermanentError
from slice_platform.store import Store
from slice_platform.warehouse.archive import Attempt, archive_failed, archive_stray
from slice_platform.warehouse.drop_path import read_drop_path
from slice_platform.warehouse.pending import Dropped, look
from slice_platform.warehouse.refusal import FileRefused, Finding
from slice_platform.warehouse.retry import return_to_inbox

KEY = "destination=postgres/database=shop/table_name=people/input/load/a.csv"
AT = datetime(2026, 3, 1, 12, 30, 15, 7, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root"))


@pytest.fixture
def failed(store: Store) -> str:
    """The key of a file that failed."""
    store.write(KEY, b"id\n1\n")
    entry = store.stat(KEY)
    assert entry is not None
    dropped, refused = Dropped(read_drop_path(KEY), entry), FileRefused(Finding("is not INTEGER", 2))
    return archive_failed(store, dropped, refused, Attempt(AT, "run", "00"))


def test_a_file_that_failed_goes_back_to_where_it_was_dropped(store: Store, failed: str) -> None:
    assert return_to_inbox(store, failed) == KEY
    assert store.open(KEY).read() == b"id\n1\n"
    assert [entry.key for entry in store.list("")] == [KEY]


def test_a_path_on_this_machine_is_as_good_as_a_key(store: Store, failed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(store.root) / failed
    monkeypatch.chdir(place.parent)
    assert return_to_inbox(store, place.name) == KEY


def test_nothing_is_put_back_over_another_file(store: Store, failed: str) -> None:
    store.write(KEY, b"new")
    with pytest.raises(PermanentError, match="another file lies"):
        return_to_inbox(store, failed)
    assert store.open(KEY).read() == b"new" and store.stat(failed) is not None


@pytest.mark.parametrize(
    "file",
    [
        "../escaped.csv", "/escaped.csv", KEY.replace("people", "salaries"), KEY.replace("load", "../../x"),
        KEY.replace("input/load", "failed"), KEY.replace("shop", "other"), "",
    ],
)  # fmt: skip
def test_a_report_sends_a_file_nowhere_but_to_its_own_table(store: Store, failed: str, file: str) -> None:
    report = json.loads(store.open(f"{failed}.error.json").read())
    store.write(f"{failed}.error.json", json.dumps(report | {"file": file}).encode())
    before = sorted(Path(store.root).parent.rglob("*"))
    with pytest.raises(PermanentError, match="is no place for a file of postgres shop.people"):
        return_to_inbox(store, failed)
    assert sorted(Path(store.root).parent.rglob("*")) == before


def test_a_stray_is_put_back_nowhere(store: Store) -> None:
    store.write("people.csv", b"x")
    (stray,) = look(store, tick_seconds=0).strays
    with pytest.raises(PermanentError, match="is no file in failed/ of a table"):
        return_to_inbox(store, archive_stray(store, stray, AT))


@pytest.mark.parametrize("key", [KEY, "failed/a.csv", "../failed/a.csv", KEY.replace("input/load", "failed/deep")])
def test_a_key_that_is_no_failed_file_is_told(store: Store, key: str) -> None:
    with pytest.raises(PermanentError, match="is no file in failed/ of a table"):
        return_to_inbox(store, key)


def test_a_file_without_a_report_is_told(store: Store, failed: str) -> None:
    store.remove(f"{failed}.error.json")
    with pytest.raises(PermanentError, match=r"no \.error\.json beside it"):
        return_to_inbox(store, failed)
