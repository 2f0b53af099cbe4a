"""Sets that a marker completes: nothing of them is published before it, and all of it in one commit after it."""

import pytest

from slice_platform.lake.corrections import replay, retract
from slice_platform.lake.ingest import receive_pending
from slice_platform.lake.landing import look
from slice_platform.lake.rejects import folder_of
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import assert_accounted, merged, snapshots
from slice_platform_tests.lake.set_fixtures import (
    BROKEN,
    JSONL,
    by_marker,
    in_landing,
    keys,
    mark,
    part,
    put,
    run,
    statuses,
    waiting,
    waits_for,
)
from slice_platform_tests.samples import drop


def test_a_set_without_its_marker_stays_in_landing(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=part("b"))
    assert not run(lake).batches
    assert in_landing(lake) == ["march/a.jsonl", "march/b.jsonl"]
    assert waits_for(lake) == ["the marker _SUCCESS"]
    assert not look(lake).pending


def test_a_complete_set_is_one_commit_however_small_the_batches_are(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker(), batch_files=1, batch_bytes=1)
    put(lake, a=part("a"), b=part("b"), c=part("c"))
    mark(lake)
    assert len(run(lake).batches) == 1
    assert (keys(lake), snapshots(lake), in_landing(lake), waiting(lake)) == (["a", "b", "c"], 1, [], [])


def test_the_marker_is_kept_in_raw_like_every_object(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"))
    drop(lake, "feed/march/_SUCCESS", b"3 files\n")
    run(lake)
    marker = lake.ledger.list_files("feed")[-1]
    assert (marker.name, marker.status, marker.left_landing) == ("_SUCCESS", FileStatus.KEPT, True)
    with lake.store.open(str(marker.raw_key)) as kept:
        assert kept.read() == b"3 files\n"


def test_two_sets_side_by_side_do_not_wait_for_each_other(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"))
    drop(lake, "feed/april/x.jsonl", part("x"))
    mark(lake, "april")
    run(lake)
    assert (keys(lake), [one.name for one in waiting(lake)]) == (["x"], ["march"])
    mark(lake)
    assert len(run(lake).batches) == 1
    assert keys(lake) == ["a", "x"]


def test_two_sets_that_are_complete_are_two_commits(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    for name in ("march", "april"):
        drop(lake, f"feed/{name}/x.jsonl", part(name))
        mark(lake, name)
    assert len(run(lake).batches) == 2 and snapshots(lake) == 2


def test_a_late_member_waits_for_a_marker_of_its_own(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"))
    mark(lake)
    run(lake)
    put(lake, late=part("z"))
    run(lake)
    assert (keys(lake), waits_for(lake)) == (["a"], ["the marker _SUCCESS"])
    mark(lake)
    run(lake)
    assert (keys(lake), waiting(lake)) == (["a", "z"], [])


def test_a_marker_that_lies_alone_waits_for_its_files(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    mark(lake)
    assert not run(lake).batches
    assert (in_landing(lake), waits_for(lake)) == (["march/_SUCCESS"], ["its files: march/_SUCCESS lies alone"])
    put(lake, a=part("a"))
    run(lake)
    assert (keys(lake), in_landing(lake)) == (["a"], [])


def test_one_bad_file_keeps_its_whole_set_out_and_no_other(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=BROKEN)
    mark(lake)
    drop(lake, "feed/april/x.jsonl", part("x"))
    mark(lake, "april")
    run(lake)
    assert keys(lake) == ["x"]
    now = statuses(lake)
    assert (now["march/a.jsonl"], now["march/b.jsonl"]) == (FileStatus.RECEIVED, FileStatus.QUARANTINED)
    assert now["march/_SUCCESS"] is FileStatus.QUARANTINED
    (refused,) = waiting(lake)
    assert (refused.name, refused.is_refused, refused.files) == ("march", True, ("march/a.jsonl",))
    assert any("march/b.jsonl: rejects: 1 of 1 rows rejected" in what for what in refused.waits_for)


def test_a_corrected_file_and_a_fresh_marker_complete_a_refused_set(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=BROKEN)
    mark(lake)
    run(lake)
    put(lake, b=part("b"))
    assert not run(lake).batches
    mark(lake)
    assert len(run(lake).batches) == 1
    assert (keys(lake), waiting(lake), snapshots(lake)) == (["a", "b"], [], 1)
    assert lake.ledger.quarantined_files("feed") == []


def test_a_marker_without_the_correction_does_not_publish_the_rest(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=BROKEN)
    mark(lake)
    run(lake)
    mark(lake)
    assert not run(lake).batches
    (one,) = waiting(lake)
    assert one.is_refused and any(what.startswith("march/b.jsonl, corrected or retracted") for what in one.waits_for)
    put(lake, b=part("b"))
    run(lake)
    assert keys(lake) == ["a", "b"]


def test_a_bad_file_of_an_old_delivery_does_not_stop_the_next_one_of_the_same_name(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=BROKEN)
    mark(lake)
    run(lake)
    put(lake, b=part("b"))
    mark(lake)
    run(lake)
    put(lake, c=part("c"))
    mark(lake)
    run(lake)
    assert keys(lake) == ["a", "b", "c"]


def test_a_corrected_file_of_a_published_set_replaces_its_rows(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a", "old"), b=part("b"))
    mark(lake)
    run(lake)
    put(lake, a=part("a", "new"))
    mark(lake)
    run(lake)
    assert keys(lake) == ["a", "b", "new"]


def test_a_repeated_set_changes_nothing_and_leaves_nothing_behind(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    for _ in range(3):
        put(lake, a=part("a"), b=part("b"))
        mark(lake)
        run(lake)
        assert (keys(lake), snapshots(lake), in_landing(lake), waiting(lake)) == (["a", "b"], 1, [], [])


@pytest.mark.directory("in S3 an object appears whole")
def test_a_file_that_is_still_written_keeps_its_set_waiting(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker(), landing_tick_seconds=3600)
    put(lake, a=part("a"))
    mark(lake)
    assert waits_for(lake) == ["march/a.jsonl to be written to its end", "the marker _SUCCESS"]
    assert not look(lake).pending


def test_a_file_that_matches_no_pattern_keeps_its_set_waiting(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"))
    drop(lake, "feed/march/b.JSONL", part("b"))
    mark(lake)
    run(lake)
    (one,) = waiting(lake)
    assert one.is_refused and one.waits_for[0].startswith("march/b.JSONL to go, or to be named like")
    lake.store.remove("landing/feed/march/b.JSONL")
    run(lake)
    assert keys(lake) == ["a"]


def test_a_file_that_belongs_to_no_set_is_set_aside_with_the_reason(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker(by=r"(?P<set>\d{4})/"))
    drop(lake, "feed/march/a.jsonl", part("a"))
    mark(lake)
    run(lake)
    first, second = lake.ledger.quarantined_files("feed")
    assert {first.name, second.name} == {"a.jsonl", "_SUCCESS"}
    assert "belongs to no set of 'feed'" in str(first.error) and r"(?P<set>\d{4})/" in str(first.error)


@pytest.mark.parametrize("path", ["feed/_temporary/_SUCCESS", "feed/.x/_SUCCESS", "nobody/_SUCCESS"])
def test_a_marker_in_a_hidden_folder_or_of_nobody_is_ignored(make_lake: MakeLake, path: str) -> None:
    lake = make_lake(by_marker())
    drop(lake, path, b"")
    landing = look(lake)
    assert not landing.pending and not landing.waiting and not landing.strays


def test_markers_of_a_flat_delivery_name_their_set(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker(by=r"(?P<set>\d{4}-\d{2})", marker="*.done"))
    for month in ("2026-03", "2026-04"):
        drop(lake, f"feed/part1_{month}.jsonl", part(month))
    drop(lake, "feed/2026-03.done", b"")
    run(lake)
    assert (keys(lake), [one.name for one in waiting(lake)]) == (["2026-03"], ["2026-04"])


def test_a_member_that_changes_while_it_is_taken_holds_the_marker_back(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=part("b"))
    mark(lake)
    copy = type(lake.store).copy

    def change_meanwhile(store: object, key: str, to_key: str) -> object:
        done = copy(lake.store, key, to_key)
        if key.endswith("b.jsonl"):
            drop(lake, "feed/march/b.jsonl", part("b", "more"))
        return done

    with monkeypatch.context() as patched:
        patched.setattr(type(lake.store), "copy", change_meanwhile)
        received = receive_pending(lake, "feed")
    assert received.changed_meanwhile == ["landing/feed/march/b.jsonl", "landing/feed/march/_SUCCESS"]
    run(lake)
    assert (keys(lake), snapshots(lake)) == (["a", "b", "more"], 1)


def test_the_rest_of_a_set_is_published_once_its_bad_file_is_retracted(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=BROKEN)
    mark(lake)
    run(lake)
    retract(lake, "feed", "march/b.jsonl")
    mark(lake)
    run(lake)
    assert (keys(lake), waiting(lake)) == (["a"], [])


def test_a_replay_under_a_mended_contract_publishes_the_set_whole(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=part("b") + BROKEN)
    mark(lake)
    run(lake)
    tolerant = merged(files=JSONL, tolerated_rejects=1, sets={})
    mended = make_lake(tolerant)
    assert len(list(replay(mended, "feed"))) == 1
    assert_accounted(mended)
    assert (keys(mended), snapshots(mended), waiting(mended)) == (["a", "b"], 1, [])
    assert mended.ledger.quarantined_files("feed") == []
    marker = next(row for row in mended.ledger.list_files("feed") if row.name == "_SUCCESS")
    assert (marker.status, marker.error) == (FileStatus.KEPT, None)
    assert not list(mended.store.list(folder_of(marker)))


@pytest.mark.parametrize("file", ["march/_SUCCESS", "march/b.jsonl"])
def test_a_replay_of_half_of_what_was_set_aside_publishes_nothing(make_lake: MakeLake, file: str) -> None:
    lake = make_lake(by_marker())
    put(lake, a=part("a"), b=BROKEN)
    mark(lake)
    run(lake)
    assert not [one for one in replay(lake, "feed", file) if one.accounts]
    assert keys(lake) == [] and waiting(lake)[0].is_refused
