"""Sets that a manifest completes: exactly the files it names, each as it says."""

import hashlib

import pytest

from slice_platform.lake import file_sets, set_view
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import snapshots
from slice_platform_tests.lake.set_fixtures import (
    BROKEN,
    by_manifest,
    in_landing,
    keys,
    manifest,
    part,
    put,
    run,
    statuses,
    waiting,
    waits_for,
)
from slice_platform_tests.samples import drop

A, B = part("a"), part("b")


def test_files_wait_for_a_manifest_that_names_them(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A)
    assert not run(lake).batches
    assert waits_for(lake) == ["the manifest *.manifest.json that names march/a.jsonl"]


def test_a_manifest_waits_for_each_file_it_names(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    manifest(lake, a=A, b=B)
    put(lake, a=A)
    assert not run(lake).batches
    assert (waits_for(lake), in_landing(lake)) == (["march/b.jsonl"], ["march/a.jsonl", "march/x.manifest.json"])
    put(lake, b=B)
    assert len(run(lake).batches) == 1
    assert (keys(lake), in_landing(lake), waiting(lake)) == (["a", "b"], [], [])
    assert statuses(lake)["march/x.manifest.json"] is FileStatus.KEPT


def test_a_file_of_another_size_than_the_manifest_says_is_not_taken(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    manifest(lake, a=A)
    put(lake, a=A + b" ")
    run(lake)
    assert waits_for(lake) == [f"march/a.jsonl: it has {len(A) + 1} bytes, the manifest says {len(A)}"]
    put(lake, a=A)
    run(lake)
    assert keys(lake) == ["a"]


def test_a_wrong_number_of_rows_keeps_the_set_out_and_its_files_received(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=part("a", "x"), b=B)
    drop(lake, "feed/march/x.manifest.json", b'[{"name": "a.jsonl", "rows": 3}, {"name": "b.jsonl", "rows": 1}]')
    run(lake)
    assert keys(lake) == []
    assert {statuses(lake)[f"march/{name}.jsonl"] for name in "ab"} == {FileStatus.RECEIVED}
    (one,) = waiting(lake)
    assert one.is_refused and any("march/a.jsonl: it has 2 rows, the manifest says 3" in what for what in one.waits_for)


@pytest.mark.parametrize("who_was_wrong", ["manifest", "file"])
def test_either_a_corrected_manifest_or_a_corrected_file_ends_the_contradiction(
    make_lake: MakeLake, who_was_wrong: str
) -> None:
    lake, fixed = make_lake(by_manifest()), part("a", "x")
    put(lake, a=A, b=B)
    manifest(lake, without="size_bytes", a=fixed, b=B)
    run(lake)
    if who_was_wrong == "file":
        put(lake, a=fixed)
    manifest(lake, a=fixed if who_was_wrong == "file" else A, b=B)
    assert len(run(lake).batches) == 1
    assert (keys(lake), waiting(lake)) == (["a", "b"] + ["x"] * (who_was_wrong == "file"), [])
    assert lake.ledger.quarantined_files("feed") == []


def test_other_bytes_than_the_sha256_says_keep_the_set_out(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=part("z"))
    manifest(lake, a=A)
    run(lake)
    found = hashlib.sha256(part("z")).hexdigest()
    assert keys(lake) == [] and any(f"its sha256 is {found}" in what for what in waits_for(lake))


def test_a_file_that_the_manifest_does_not_name_waits_for_one_that_does(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A, b=B)
    manifest(lake, a=A)
    run(lake)
    assert (keys(lake), in_landing(lake)) == (["a"], ["march/b.jsonl"])
    assert waits_for(lake) == ["the manifest *.manifest.json that names march/b.jsonl"]
    manifest(lake, a=A, b=B)
    run(lake)
    assert (keys(lake), waiting(lake)) == (["a", "b"], [])


def test_a_corrected_file_needs_a_manifest_and_not_all_the_others_again(make_lake: MakeLake) -> None:
    lake, better = make_lake(by_manifest()), part("a", "x")
    put(lake, a=A, b=B)
    manifest(lake, a=A, b=B)
    run(lake)
    put(lake, a=better)
    assert not run(lake).batches
    manifest(lake, a=better, b=B)
    run(lake)
    assert (keys(lake), waiting(lake), snapshots(lake)) == (["a", "b", "x"], [], 2)


def test_a_bad_file_keeps_the_set_out_until_it_is_corrected_or_no_longer_named(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A, b=BROKEN)
    manifest(lake, a=A, b=BROKEN)
    run(lake)
    assert keys(lake) == [] and statuses(lake)["march/b.jsonl"] is FileStatus.QUARANTINED
    manifest(lake, a=A, b=BROKEN)
    run(lake)
    assert any(what.startswith("march/b.jsonl: rejects: 1 of 1") for what in waiting(lake)[0].waits_for)
    manifest(lake, a=A)
    run(lake)
    assert (keys(lake), waiting(lake)) == (["a"], [])


def test_a_manifest_that_says_what_is_published_already_is_kept(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A)
    manifest(lake, a=A)
    run(lake)
    for without in ("", "rows"):
        manifest(lake, without=without, a=A)
        assert not run(lake).batches
        assert (statuses(lake)["march/x.manifest.json"], waiting(lake)) == (FileStatus.KEPT, [])


def test_a_manifest_that_contradicts_what_is_published_is_set_aside(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A)
    manifest(lake, a=A)
    run(lake)
    drop(lake, "feed/march/x.manifest.json", b'[{"name": "a.jsonl", "rows": 7}]')
    run(lake)
    assert keys(lake) == ["a"] and statuses(lake)["march/x.manifest.json"] is FileStatus.QUARANTINED
    assert waiting(lake)[0].is_refused


def test_a_manifest_that_cannot_be_used_is_set_aside_and_its_files_wait(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A)
    drop(lake, "feed/march/x.manifest.json", b"a.jsonl\n")
    run(lake)
    (aside,) = lake.ledger.quarantined_files("feed")
    assert "cannot be used: not JSON" in str(aside.error)
    assert in_landing(lake) == ["march/a.jsonl"] and waiting(lake)[0].is_refused
    manifest(lake, a=A)
    run(lake)
    assert (keys(lake), waiting(lake)) == (["a"], [])


def test_a_manifest_beyond_the_limit_is_set_aside_unread(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake(by_manifest())
    monkeypatch.setattr(set_view, "MAX_MANIFEST_BYTES", 10)
    drop(lake, "feed/march/x.manifest.json", b'["a.jsonl"]')
    run(lake)
    (aside,) = lake.ledger.quarantined_files("feed")
    assert "it has 11 bytes, and the limit is 10" in str(aside.error)
    assert file_sets.MAX_MANIFEST_BYTES > 10


def test_a_named_file_that_no_pattern_would_read_is_told(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    drop(lake, "feed/march/notes.txt", b"hello")
    drop(lake, "feed/march/x.manifest.json", b'["notes.txt"]')
    run(lake)
    assert waits_for(lake) == ["march/notes.txt, which matches none of the dataset's patterns: *.jsonl"]


def test_a_manifest_beside_the_folders_names_files_inside_of_them(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A, b=B)
    drop(lake, "feed/march.manifest.json", b'["march/a.jsonl", "march/b.jsonl"]')
    assert len(run(lake).batches) == 1
    assert (keys(lake), waiting(lake)) == (["a", "b"], [])


def test_many_files_that_nothing_names_are_told_in_one_line(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, **{f"p{number:02}": A for number in range(30)})
    (only,) = waits_for(lake)
    assert "names march/p00.jsonl, march/p01.jsonl" in only and only.endswith("march/p19.jsonl, and 10 more")
    assert len(waiting(lake)[0].files) == 30


def test_two_manifests_of_one_set_are_two_commits(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    put(lake, a=A, b=B, c=part("c"))
    drop(lake, "feed/march/1.manifest.json", b'["a.jsonl", "b.jsonl"]')
    drop(lake, "feed/march/2.manifest.json", b'["b.jsonl", "c.jsonl"]')
    assert len(run(lake).batches) == 2
    assert (keys(lake), waiting(lake)) == (["a", "b", "c"], [])
