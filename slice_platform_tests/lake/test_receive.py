"""Promises 1 (pristine) and 5 (nothing lost), and what else becomes of an object in landing."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from slice_platform.errors import StoreUnavailable
from slice_platform.lake.lake import LANDING, QUARANTINE, RAW, STRAYS, Lake
from slice_platform.lake.landing import look
from slice_platform.lake.receive import Received, receive, set_aside_strays
from slice_platform.records import FileRow, FileStatus
from slice_platform.store import Digest
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.samples import drop


def take(lake: Lake) -> Received:
    """What one run does with landing."""
    landing = look(lake)
    set_aside_strays(lake, landing.strays)
    with lake.ledger.exclusive("trips"):
        return receive(lake, "trips", landing.pending.get("trips", []))


def bytes_of(lake: Lake, row: FileRow) -> bytes:
    assert row.raw_key
    with lake.store.open(row.raw_key) as source:
        return source.read()


def kept(lake: Lake) -> set[str]:
    """Keys of everything below raw and quarantine but the reasons."""
    entries = [*lake.store.list(RAW), *lake.store.list(QUARANTINE)]
    return {entry.key for entry in entries if not entry.key.endswith("/reason.json")}


def test_an_object_is_kept_byte_for_byte_with_its_digest(make_lake: MakeLake) -> None:
    lake, content = make_lake(), bytes(range(256)) * 50_000
    drop(lake, "trips/2013/a.csv", content)
    (row,) = take(lake).accepted
    assert bytes_of(lake, row) == content
    assert (row.sha256, row.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert row.raw_key == f"raw/trips/arrived={row.received_at:%Y-%m-%d}/{row.id:08d}-a.csv"
    assert (row.source_key, row.status, row.left_landing) == ("landing/trips/2013/a.csv", FileStatus.RECEIVED, True)
    assert list(lake.store.list(LANDING)) == []


def test_empty_and_strangely_named_files_are_kept_too(make_lake: MakeLake) -> None:
    lake = make_lake()
    for name in ("empty.csv", "with space & ünï.csv", "per%20cent.csv", "a[1]*?.csv", "it's.csv"):
        drop(lake, f"trips/{name}", name.encode() if "empty" not in name else b"")
    received = take(lake)
    assert len(received.accepted) == 5
    assert all(bytes_of(lake, row) in {b"", row.name.encode()} for row in received.accepted)


def test_the_same_bytes_under_the_same_name_are_a_repeated_delivery(make_lake: MakeLake) -> None:
    lake = make_lake()
    drop(lake, "trips/a.csv", b"id\n1\n")
    (first,) = take(lake).accepted
    drop(lake, "trips/a.csv", b"id\n1\n")
    received = take(lake)
    (repeat,) = received.repeated
    assert not received.accepted
    assert (repeat.status, repeat.repeat_of, repeat.raw_key) == (FileStatus.REPEATED, first.id, first.raw_key)
    assert kept(lake) == {first.raw_key}
    assert list(lake.store.list(LANDING)) == []


def test_other_bytes_under_the_same_name_are_another_version(make_lake: MakeLake) -> None:
    lake = make_lake()
    drop(lake, "trips/a.csv", b"id\n1\n")
    (first,) = take(lake).accepted
    drop(lake, "trips/a.csv", b"id\n2\n")
    (second,) = take(lake).accepted
    assert (bytes_of(lake, first), bytes_of(lake, second)) == (b"id\n1\n", b"id\n2\n")
    assert [row.source_key for row in lake.ledger.list_files("trips")] == ["landing/trips/a.csv"] * 2


def test_the_same_bytes_under_another_name_are_another_file(make_lake: MakeLake) -> None:
    lake = make_lake()
    drop(lake, "trips/a.csv", b"id\n1\n")
    drop(lake, "trips/b.csv", b"id\n1\n")
    assert len(take(lake).accepted) == 2


def test_a_name_that_matches_no_pattern_is_set_aside_with_the_reason(make_lake: MakeLake) -> None:
    lake = make_lake()
    drop(lake, "trips/notes.xml", b"<a/>")
    drop(lake, "trips/a.csv", b"id\n")
    received = take(lake)
    (row,) = received.quarantined
    assert bytes_of(lake, row) == b"<a/>"
    assert row.error == "the name 'landing/trips/notes.xml' matches none of the patterns of 'trips': *.jsonl*, *.csv*"
    with lake.store.open(f"quarantine/trips/{row.id:08d}/reason.json") as source:
        assert json.load(source)["reason"] == row.error
    assert len(received.accepted) == 1
    assert list(lake.store.list(LANDING)) == []


@pytest.mark.parametrize(
    ("path", "says"),
    [("trip/a.csv", "landing/trip/ belongs to no dataset; datasets: trips"), ("a.csv", "it lies in landing/ itself")],
)
def test_an_object_of_no_dataset_is_set_aside_with_the_reason(make_lake: MakeLake, path: str, says: str) -> None:
    lake = make_lake()
    drop(lake, path, b"whose is it?")
    take(lake)
    (row,) = lake.ledger.list_files(STRAYS)
    assert (row.status, row.left_landing) == (FileStatus.QUARANTINED, True)
    assert says in str(row.error)
    assert bytes_of(lake, row) == b"whose is it?"


def test_an_object_that_changes_under_our_hands_is_left_for_the_next_call(make_lake: MakeLake) -> None:
    lake = make_lake()
    drop(lake, "trips/a.csv", b"id\n1\n")
    (seen,) = look(lake).pending["trips"]
    drop(lake, "trips/a.csv", b"id\n1\n2\n")
    received = receive(lake, "trips", [seen])
    assert (received.changed_meanwhile, received.accepted) == (["landing/trips/a.csv"], [])
    assert lake.ledger.list_files() == []
    assert kept(lake) == set()
    (row,) = take(lake).accepted
    assert bytes_of(lake, row) == b"id\n1\n2\n"


def test_an_object_that_vanished_is_no_error(make_lake: MakeLake) -> None:
    lake = make_lake()
    entry = drop(lake, "trips/a.csv", b"id\n")
    lake.store.remove(entry.key)
    assert receive(lake, "trips", [entry]).changed_meanwhile == [entry.key]
    assert lake.ledger.list_files() == []


def test_a_version_that_arrives_while_the_earlier_one_is_booked_stays_in_landing(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake()
    drop(lake, "trips/a.csv", b"old")
    update = lake.ledger.update_file

    def update_late(file_id: int, **changes: object) -> FileRow:
        if changes.get("status") is FileStatus.RECEIVED:
            drop(lake, "trips/a.csv", b"new")
        return update(file_id, **changes)

    monkeypatch.setattr(lake.ledger, "update_file", update_late)
    take(lake)
    monkeypatch.undo()
    assert [entry.size_bytes for entry in lake.store.list(LANDING)] == [3]
    assert [bytes_of(lake, row) for row in take(lake).accepted] == [b"new"]


def test_a_copy_that_differs_is_told_and_the_object_stays(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake()
    drop(lake, "trips/a.csv", b"id\n")
    with monkeypatch.context() as patched:
        patched.setattr(lake.store, "digest", lambda _key: Digest(4, "0" * 64))
        with pytest.raises(StoreUnavailable, match=r"'landing/trips/a\.csv'.*differs.*stays where it is"):
            take(lake)
    assert [entry.key for entry in lake.store.list(LANDING)] == ["landing/trips/a.csv"]
    (row,) = take(lake).accepted
    assert kept(lake) == {row.raw_key}


def test_progress_is_told_for_every_object(make_lake: MakeLake) -> None:
    lake, seen = make_lake(), list[int]()
    entries = [drop(lake, f"trips/{n}.csv", b"id\n") for n in range(3)]
    receive(lake, "trips", entries, progress=seen.append)
    assert sum(seen) == 3


def test_an_ignored_name_is_neither_taken_nor_booked(make_lake: MakeLake) -> None:
    lake = make_lake()
    drop(lake, "trips/_SUCCESS", b"")
    drop(lake, "trips/a.csv.part", b"id")
    assert take(lake) == Received()
    assert lake.ledger.list_files() == []
    assert lake.store.stat("landing/trips/a.csv.part")


def test_a_return_to_earlier_bytes_is_a_new_version_and_no_repetition(make_lake: MakeLake) -> None:
    """After A and B under one name, A again is what the producer now means."""
    lake = make_lake()
    for content in (b"first", b"second", b"first"):
        received = receive(lake, "trips", [drop(lake, "trips/a.csv", content)])
        assert len(received.accepted) == 1 and not received.repeated


def test_a_quarantined_file_dropped_again_is_taken_again(make_lake: MakeLake) -> None:
    lake = make_lake()
    (first,) = receive(lake, "trips", [drop(lake, "trips/a.csv", b"bad")]).accepted
    lake.ledger.update_file(first.id, status=FileStatus.QUARANTINED, error="the contract was wrong")
    assert len(receive(lake, "trips", [drop(lake, "trips/a.csv", b"bad")]).accepted) == 1


@pytest.mark.parametrize("name", ["reason.json", "rejects.csv"])
def test_a_stray_with_a_name_of_ours_keeps_its_bytes(make_lake: MakeLake, name: str) -> None:
    lake = make_lake()
    (row,) = set_aside_strays(lake, [drop(lake, f"nobody/{name}", b"precious")])
    assert row.raw_key is not None
    with lake.store.open(row.raw_key) as kept:
        assert kept.read() == b"precious"


@pytest.mark.directory("names on S3 are text")
def test_a_name_that_is_no_utf_8_is_received_under_its_escapes(make_lake: MakeLake, tmp_path: Path) -> None:
    lake = make_lake()
    folder = tmp_path / "lake" / "landing" / "trips"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"a\xff.csv")).write_bytes(b"x")
    (row,) = receive(lake, "trips", look(lake).pending["trips"]).accepted
    assert row.source_key == "landing/trips/a\\xff.csv"
    assert not look(lake).pending


@pytest.mark.directory("S3 compares in the request that deletes, which test_s3.py proves")
def test_what_a_producer_puts_in_the_place_of_a_taken_object_stays(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the last look and the removal: the new object is moved aside with the old name, and put back."""
    lake = make_lake()
    entry, rename = drop(lake, "trips/a.csv", b"first"), os.rename

    def replaced_just_before(source: str, target: str) -> None:
        monkeypatch.setattr(os, "rename", rename)
        lake.store.write(entry.key, b"second, longer")
        rename(source, target)

    monkeypatch.setattr(os, "rename", replaced_just_before)
    lake.store.remove_version(entry)
    with lake.store.open(entry.key) as kept:
        assert kept.read() == b"second, longer"


def test_a_quarantined_name_that_came_again_in_good_order_is_quarantined_no_more(make_lake: MakeLake) -> None:
    lake = make_lake()
    (bad,) = receive(lake, "trips", [drop(lake, "trips/a.csv", b"bad")]).accepted
    lake.ledger.update_file(bad.id, status=FileStatus.QUARANTINED, error="broken")
    assert [row.id for row in lake.ledger.quarantined_files("trips")] == [bad.id]
    receive(lake, "trips", [drop(lake, "trips/a.csv", b"good")])
    assert lake.ledger.quarantined_files("trips") == []
