import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import StoreUnavailable
from slice_platform.store import Children, Digest, Store, StoredObject, is_at_rest, open_store
from slice_platform_tests.cloud import Cloud


@pytest.fixture(params=["directory", "s3"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    """One promise, two stores. What only one of them does is in the fixture `directory` or in test_s3.py."""
    if request.param == "directory":
        return Store(str(tmp_path / "lake"))
    cloud: Cloud = request.getfixturevalue("cloud")
    return open_store(f"s3://{cloud.fresh_bucket()}/lake", AwsAccess(cloud.url))


@pytest.fixture
def directory(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "lake"))


def keys(store: Store, prefix: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix)]


def test_what_was_written_is_listed_and_read_back(store: Store) -> None:
    store.write("raw/a/one.csv", b"1\n")
    assert keys(store) == ["raw/a/one.csv"]
    with store.open("raw/a/one.csv") as source:
        assert source.read() == b"1\n"
    assert store.digest("raw/a/one.csv").size_bytes == 2


def test_a_listing_goes_to_any_depth_in_order_and_not_to_siblings(store: Store) -> None:
    for key in ("landing/a/2", "landing/a/1/deep", "landing/ab/3"):
        store.write(key, b"")
    assert keys(store, "landing/a") == ["landing/a/1/deep", "landing/a/2"]
    assert keys(store, "landing/none") == []


def test_one_level_has_its_folders_and_its_objects(store: Store) -> None:
    for key in ("top/a/1", "top/a/deep/2", "top/b/3", "top/4", "topper/5"):
        store.write(key, b"x")
    found = store.children("top")
    assert found.folders == ("top/a", "top/b") and [entry.key for entry in found.objects] == ["top/4"]
    assert store.children("").folders == ("top", "topper")
    assert store.children("nothing/there") == Children((), ())


def test_an_object_moves_unless_it_is_another_by_now(store: Store) -> None:
    store.write("in/a", b"old")
    entry = store.stat("in/a")
    assert entry is not None
    store.move_version(entry, "out/a")
    assert keys(store) == ["out/a"] and store.open("out/a").read() == b"old"
    store.write("in/a", b"newer")
    store.move_version(entry, "out/b")
    assert keys(store) == ["in/a", "out/a"]


def test_a_rewrite_of_the_same_size_is_another_version(store: Store) -> None:
    store.write("k", b"aaa")
    before = store.stat("k")
    time.sleep(0.02)
    store.write("k", b"bbb")
    after = store.stat("k")
    assert before
    assert after
    assert before.version != after.version


def test_what_is_not_there_has_no_state_and_no_error_on_removal(store: Store) -> None:
    assert store.stat("none") is None
    store.remove("none")
    store.remove_tree("none")
    with pytest.raises(FileNotFoundError):
        store.open("none")


def test_a_write_that_fails_leaves_nothing_behind(directory: Store, tmp_path: Path) -> None:
    directory.write("k", b"old")
    with pytest.raises(TypeError), directory._writing("k") as target:
        target.writelines([b"half of the new", "no bytes"])  # type: ignore[list-item]
    assert [path.name for path in (tmp_path / "lake").iterdir()] == ["k"]
    assert (tmp_path / "lake" / "k").read_bytes() == b"old"


def test_a_copy_is_whole_and_tells_what_it_saw(store: Store) -> None:
    store.write("landing/k", b"x" * 9_000_000)
    written = store.copy("landing/k", "raw/k")
    assert store.digest("raw/k") == store.digest("landing/k")
    assert written.agrees_with(store.digest("raw/k"))


def test_a_file_of_this_machine_is_copied_in(store: Store, tmp_path: Path) -> None:
    (tmp_path / "here.csv").write_bytes(b"1,2\n")
    store.copy_in(str(tmp_path / "here.csv"), "landing/a/here.csv")
    assert keys(store, "landing") == ["landing/a/here.csv"]
    assert (tmp_path / "here.csv").exists()


def test_storage_that_refuses_is_told_with_verb_and_key(directory: Store) -> None:
    directory.write("a", b"a file where a folder is needed")
    with pytest.raises(StoreUnavailable, match="Could not write 'a/b'"):
        directory.write("a/b", b"")


def test_a_tree_is_removed_and_its_neighbour_stays(store: Store) -> None:
    for key in ("q/1/reason.json", "q/1/raw", "q/12/raw"):
        store.write(key, b"")
    store.remove_tree("q/1")
    assert keys(store) == ["q/12/raw"]


def test_remains_of_dead_writers_go_and_hidden_files_of_others_stay(directory: Store) -> None:
    directory.write("raw/a/.0123456789abcdef0123456789abcdef.tmp", b"half")
    directory.write("raw/a/.keep.tmp", b"")
    directory.remove_unfinished("raw/a")
    assert keys(directory) == ["raw/a/.keep.tmp"]


def test_digests_agree_unless_what_is_known_of_them_differs() -> None:
    assert Digest(1, "a").agrees_with(Digest(1, None))
    assert not Digest(1, "a").agrees_with(Digest(1, "b"))
    assert not Digest(1, None).agrees_with(Digest(2, "a"))


@pytest.mark.parametrize(("ago_seconds", "expected"), [(0, False), (4, False), (6, True), (-4, False), (-6, True)])
def test_a_file_is_at_rest_one_tick_after_its_change(ago_seconds: int, *, expected: bool) -> None:
    """A change in the future counts too: the clock of the machine may have been set back."""
    changed_at = datetime.now(UTC) - timedelta(seconds=ago_seconds)
    assert is_at_rest(StoredObject("k", 1, "v", changed_at), 5.0) is expected


def test_an_object_of_s3_appears_whole_and_needs_no_rest() -> None:
    assert is_at_rest(StoredObject("k", 1, "v", None), 5.0)
