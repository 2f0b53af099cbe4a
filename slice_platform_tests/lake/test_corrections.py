"""Corrected files, files taken back, and what was set aside read again: the table follows, exactly."""

from itertools import count

import pytest

from slice_platform.errors import RebuildRefused, StoreUnavailable, UnknownFile
from slice_platform.lake.corrections import replay, retract
from slice_platform.lake.ingest import altered_files, ingest, publish_pending, rebuild_partitions, receive_pending
from slice_platform.lake.lake import Lake
from slice_platform.lake.rejects import folder_of
from slice_platform.records import FileRow, FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import (
    BY_DAY,
    DAY,
    DAYS,
    ID,
    KEY,
    POSITIVE,
    N,
    assert_accounted,
    deliver,
    feed,
    jsonl,
    lines,
    merged,
    rejects_of_file,
    snapshots,
    table_of,
)
from slice_platform_tests.samples import drop

_homes = count(1)


def statuses(lake: Lake) -> list[tuple[str, FileStatus]]:
    return [(row.name, row.status) for row in lake.ledger.list_files("feed")]


def only(lake: Lake, name: str) -> FileRow:
    (row,) = [row for row in lake.ledger.list_files("feed") if row.name == name]
    return row


# --- corrected files


def test_other_bytes_under_the_same_name_replace_the_rows_of_the_earlier_version(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("wrong", 9, 1), ("kept", 1, 1)))
    deliver(lake, a_jsonl=lines(("kept", 2, 1), ("new", 1, 2)))
    assert table_of(lake) == [("kept", 2, 1), ("new", 1, 2)]
    earlier, later = lake.ledger.list_files("feed")
    assert (earlier.status, earlier.superseded_by) == (FileStatus.SUPERSEDED, later.id)
    assert (earlier.rows_read, earlier.rows_published, earlier.rows_duplicate) == (2, 0, 2)
    assert later.status is FileStatus.PUBLISHED
    assert altered_files(lake, "feed") == []
    assert_accounted(lake)


def test_a_correction_is_one_commit(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 9, 1), ("b", 1, 2)))
    before = snapshots(lake)
    deliver(lake, a_jsonl=lines(("c", 1, 3)))
    assert snapshots(lake) == before + 1


def test_keys_that_the_earlier_version_had_hidden_come_back(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("k", 1, 1), ("l", 1, 1)))
    deliver(lake, b_jsonl=lines(("k", 5, 2)))
    deliver(lake, c_jsonl=lines(("k", 9, 3)))
    deliver(lake, c_jsonl=lines(("m", 1, 3)))
    assert table_of(lake) == [("k", 5, 2), ("l", 1, 1), ("m", 1, 3)]
    assert [(row.rows_published, row.rows_duplicate) for row in lake.ledger.list_files("feed")] == [
        (1, 1), (1, 0), (0, 1), (1, 0),
    ]  # fmt: skip
    assert_accounted(lake)


def test_what_was_hidden_behind_a_withdrawn_file_comes_back_through_it(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for name, n in (("a", 1), ("b", 2), ("c", 3)):
        drop(lake, f"feed/{name}.jsonl", lines(("k", n, n)))
        ingest(lake, "feed")
    retract(lake, "feed", "b.jsonl")
    assert table_of(lake) == [("k", 3, 3)]
    retract(lake, "feed", "c.jsonl")
    assert table_of(lake) == [("k", 1, 1)]
    assert_accounted(lake)


def test_two_versions_that_wait_together_are_one_correction(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for content in (lines(("old", 1, 1)), lines(("new", 1, 1))):
        drop(lake, "feed/a.jsonl", content)
        receive_pending(lake, "feed")
    list(publish_pending(lake, "feed"))
    assert table_of(lake) == [("new", 1, 1)]
    earlier, later = lake.ledger.list_files("feed")
    assert (earlier.status, earlier.superseded_by, earlier.rows_read) == (FileStatus.SUPERSEDED, later.id, 1)
    assert_accounted(lake)


def test_a_correction_that_is_refused_leaves_the_earlier_version_standing(make_lake: MakeLake) -> None:
    lake = make_lake(merged(tolerated_rejects=0.0))
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    deliver(lake, a_jsonl=b'{"id": "a"}\n')
    assert table_of(lake) == [("a", 1, 1)]
    deliver(lake, a_jsonl=lines(("a", 2, 1)))
    assert table_of(lake) == [("a", 2, 1)]
    assert [status for _, status in statuses(lake)] == ["superseded", "superseded", "published"]
    assert lake.ledger.quarantined_files("feed") == []


def test_a_correction_in_mode_replace_uncovers_the_partition_below(make_lake: MakeLake) -> None:
    lake = make_lake(feed(ID, N, DAY, mode="replace", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("a", 1, 2)))
    deliver(lake, b_jsonl=lines(("b", 1, 1), ("b", 2, 1)))
    deliver(lake, b_jsonl=lines(("b", 3, 2)))
    assert table_of(lake) == [("a", 1, 1), ("b", 3, 2)]
    assert_accounted(lake)


def test_a_correction_in_mode_append_may_bring_the_same_keys(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, DAY, mode="append", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1)), c_jsonl=lines(("c", 1, 1)))
    deliver(lake, a_jsonl=lines(("a", 2, 1)))
    assert table_of(lake) == [("a", 2, 1), ("c", 1, 1)]
    deliver(lake, a_jsonl=lines(("c", 2, 1)))
    assert table_of(lake) == [("a", 2, 1), ("c", 1, 1)]
    assert_accounted(lake)


# --- files taken back


def test_a_retracted_file_is_gone_from_the_table_and_kept_in_raw(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)), b_jsonl=lines(("a", 2, 1), ("b", 1, 2)))
    retract(lake, "feed", "b.jsonl")
    assert table_of(lake) == [("a", 1, 1)]
    assert statuses(lake) == [("a.jsonl", FileStatus.PUBLISHED), ("b.jsonl", FileStatus.RETRACTED)]
    assert altered_files(lake, "feed") == []
    assert retract(lake, "feed", "b.jsonl") == []
    rebuild_partitions(lake, "feed", DAYS)
    assert table_of(lake) == [("a", 1, 1)]
    assert_accounted(lake)


def test_a_retracted_file_that_is_dropped_again_is_published_again(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    retract(lake, "feed", "a.jsonl")
    assert table_of(lake) == []
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    assert table_of(lake) == [("a", 1, 1)]


def test_a_file_in_quarantine_can_be_retracted_so_that_nobody_looks_at_it_again(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, empty_jsonl=b"")
    retract(lake, "feed", "empty.jsonl")
    assert lake.ledger.quarantined_files("feed") == []
    assert list(replay(lake, "feed")) == []


@pytest.mark.parametrize("text", ["2", "landing/feed/x/b.jsonl", "x/b.jsonl", "b.jsonl"])
def test_a_file_is_named_by_id_key_path_or_name(make_lake: MakeLake, text: str) -> None:
    lake = make_lake(merged())
    drop(lake, "feed/a.jsonl", lines(("a", 1, 1)))
    ingest(lake, "feed")
    drop(lake, "feed/x/b.jsonl", lines(("b", 1, 1)))
    ingest(lake, "feed")
    retract(lake, "feed", text)
    assert table_of(lake) == [("a", 1, 1)]


def test_a_name_that_no_or_several_files_have_is_refused_with_what_is_near(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for folder in ("x", "y"):
        drop(lake, f"feed/{folder}/orders.jsonl", lines((folder, 1, 1)))
    ingest(lake, "feed")
    with pytest.raises(UnknownFile, match=r"no such file; similar: 'x/orders.jsonl'"):
        retract(lake, "feed", "x/order.jsonl")
    with pytest.raises(UnknownFile, match=r"2 files are called so: 'landing/feed/x/orders.jsonl'"):
        retract(lake, "feed", "orders.jsonl")


# --- replay


def test_rejected_rows_that_pass_now_leave_quarantine(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", -1, 1), ("b", 1, 1)), c_jsonl=lines(("c", 1, 1)))
    assert (only(lake, "a.jsonl").rows_rejected, table_of(lake)) == (1, [("b", 1, 1), ("c", 1, 1)])
    lake = make_lake(feed(KEY, N, DAY, mode="merge", partition=BY_DAY))
    list(replay(lake, "feed"))
    assert table_of(lake) == [("a", -1, 1), ("b", 1, 1), ("c", 1, 1)]
    row = only(lake, "a.jsonl")
    assert (row.rows_read, row.rows_published, row.rows_rejected) == (2, 2, 0)
    assert list(lake.store.list(folder_of(row))) == []
    assert_accounted(lake)


def test_rows_that_fail_again_stay_with_their_new_reason(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", -1, 1), ("b", -9, 1)))
    lenient = {**N, "logicalTypeOptions": {"minimum": -5}}
    lake = make_lake(feed(KEY, lenient, DAY, mode="merge", partition=BY_DAY))
    list(replay(lake, "feed"))
    assert table_of(lake) == [("a", -1, 1)]
    ((line, column, reason, _),) = rejects_of_file(lake, only(lake, "a.jsonl"))
    assert (line, column) == ("2", "n") and "-5" in reason
    assert_accounted(lake)


def test_a_file_set_aside_as_a_whole_is_published_once_the_contract_is_mended(make_lake: MakeLake) -> None:
    lake = make_lake(merged(tolerated_rejects=0.0))
    deliver(lake, a_jsonl=jsonl({"id": "a", "n": 1, "day": "2026-01-01"}, {"id": "b", "n": "x", "day": "2026-01-01"}))
    assert only(lake, "a.jsonl").status is FileStatus.QUARANTINED
    lake = make_lake(merged(tolerated_rejects=0.5))
    list(replay(lake, "feed", "a.jsonl"))
    row = only(lake, "a.jsonl")
    assert (row.status, row.error, row.rows_published, row.rows_rejected) == (FileStatus.PUBLISHED, None, 1, 1)
    assert [entry.key.rsplit("/", 1)[-1] for entry in lake.store.list(folder_of(row))] == ["rejects.csv"]
    assert_accounted(lake)


def test_what_changed_in_quarantine_is_not_taken_for_what_came(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_ndjson=lines(("a", 1, 1)))
    (aside,) = lake.ledger.list_files("feed")
    lake.store.write(str(aside.raw_key), lines(("a", 9, 1)))
    lake = make_lake(merged(files=[{"pattern": "*.ndjson", "format": "jsonl"}]))
    with pytest.raises(StoreUnavailable, match="differs from what was read"):
        list(replay(lake, "feed"))
    assert lake.ledger.list_files("feed") == [aside]
    assert [one.key for one in lake.store.list("raw")] == []
    assert [one.key for one in lake.store.list("quarantine") if one.key == aside.raw_key]


def test_a_file_whose_name_matched_nothing_is_read_once_a_pattern_takes_it(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    content = lines(("a", 1, 1))
    drop(lake, "feed/a.ndjson", content)
    ingest(lake, "feed")
    lake = make_lake(merged(files=[{"pattern": "*.ndjson", "format": "jsonl"}]))
    list(replay(lake, "feed"))
    assert table_of(lake) == [("a", 1, 1)]
    assert altered_files(lake, "feed") == []
    assert list(lake.store.list("quarantine")) == []


def test_a_stray_is_read_once_there_is_a_dataset_of_its_name(make_lake: MakeLake) -> None:
    from slice_platform.lake.landing import look
    from slice_platform.lake.receive import set_aside_strays

    lake = make_lake({})
    drop(lake, "feed/a.jsonl", lines(("a", 1, 1)))
    set_aside_strays(lake, look(lake).strays)
    lake = make_lake(merged())
    list(replay(lake, "feed"))
    assert table_of(lake) == [("a", 1, 1)]
    assert list(lake.store.list("quarantine")) == []


def test_a_replay_that_would_refuse_a_published_file_takes_nothing_away(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY, tolerated_rejects=0.5))
    deliver(lake, a_jsonl=lines(("a", -1, 1), ("b", 1, 1)))
    before = only(lake, "a.jsonl")
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY, tolerated_rejects=0.1))
    (done,) = replay(lake, "feed")
    assert done.files[0].refusal is not None
    assert only(lake, "a.jsonl") == before
    assert table_of(lake) == [("b", 1, 1)]
    assert_accounted(lake)


def test_a_replay_twice_changes_nothing_the_second_time(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", -1, 1), ("b", 1, 1)), b_jsonl=lines(("b", 2, 2)))
    before = (table_of(lake), lake.ledger.list_files("feed"))
    for _ in range(2):
        list(replay(lake, "feed"))
        assert (table_of(lake), lake.ledger.list_files("feed")) == before
    assert_accounted(lake)


def test_hidden_rows_come_back_as_the_mended_contract_reads_them(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("x", -1, 1)))
    deliver(lake, b_jsonl=lines(("a", 2, 1)))
    lake = make_lake(feed(KEY, N, DAY, mode="merge", partition=BY_DAY))
    retract(lake, "feed", "b.jsonl")
    assert table_of(lake) == [("a", 1, 1), ("x", -1, 1)]
    assert only(lake, "a.jsonl").rows_rejected == 0
    assert_accounted(lake)


# --- the whole table anew


def test_a_rebuild_of_the_whole_table_follows_a_changed_order(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 9, 1)))
    deliver(lake, b_jsonl=lines(("a", 1, 2)))
    assert table_of(lake) == [("a", 9, 1)]
    lake = make_lake(merged(order_by=["day"]))
    rebuild_partitions(lake, "feed")
    assert table_of(lake) == [("a", 1, 2)]
    assert [(row.rows_published, row.rows_duplicate) for row in lake.ledger.list_files("feed")] == [(0, 1), (1, 0)]
    assert_accounted(lake)


# --- the contract changes between publish and correction


def test_a_row_hidden_twice_comes_back_though_a_replay_took_the_hider_between(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, DAY, mode="merge", partition=BY_DAY))
    for name, rows in (("a", [("k", 1, 1)]), ("b", [("k", 5, 1), ("", 0, 1)]), ("c", [("k", 3, 1)])):
        drop(lake, f"feed/{name}.jsonl", lines(*rows))
        ingest(lake, "feed")
    small = {**N, "logicalTypeOptions": {"maximum": 4}}
    lake = make_lake(feed(KEY, small, DAY, mode="merge", partition=BY_DAY))
    list(replay(lake, "feed"))
    retract(lake, "feed", "c.jsonl")
    assert ("k", 1, 1) in table_of(lake)
    assert_accounted(lake)


def test_a_contract_that_rejects_other_rows_in_equal_number_loses_no_key(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY))
    for name, rows in (("a", [("k", 1, 1)]), ("b", [("k", 5, 1), ("x", -1, 1)]), ("c", [("k", 3, 1)])):
        drop(lake, f"feed/{name}.jsonl", lines(*rows))
        ingest(lake, "feed")
    small = {**N, "logicalTypeOptions": {"maximum": 4}}
    lake = make_lake(feed(KEY, small, DAY, mode="merge", partition=BY_DAY))
    retract(lake, "feed", "c.jsonl")
    assert table_of(lake) == [("k", 1, 1), ("x", -1, 1)]
    assert_accounted(lake)


def test_a_replay_that_refuses_one_file_still_brings_its_hidden_rows_back(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY, tolerated_rejects=0.5))
    deliver(lake, a_jsonl=lines(("k", 1, 1), ("x", -1, 1)))
    deliver(lake, b_jsonl=lines(("k", 4, 1)))
    deliver(lake, b_jsonl=lines(("m", -1, 1)))
    lenient = {**N, "logicalTypeOptions": {"minimum": -1, "multipleOf": 1}}
    lake = make_lake(feed(KEY, lenient, DAY, mode="merge", partition=BY_DAY, tolerated_rejects=0.0))
    list(replay(lake, "feed"))
    assert ("k", 1, 1) in table_of(lake)
    assert_accounted(lake)


def test_a_table_rebuilt_as_append_lets_its_files_be_retracted(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, DAY, mode="merge", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("k", 1, 1), ("l", 1, 1)))
    deliver(lake, b_jsonl=lines(("k", 5, 1)))
    lake = make_lake(feed(ID, N, DAY, mode="append", partition=BY_DAY))
    rebuild_partitions(lake, "feed")
    retract(lake, "feed", "b.jsonl")
    assert table_of(lake) == [("k", 1, 1), ("l", 1, 1)]
    assert_accounted(lake)


def test_a_correction_that_cannot_be_decided_keeps_no_other_file_waiting(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, DAY, mode="merge", partition=BY_DAY, tolerated_rejects=0.0))
    deliver(lake, a_jsonl=lines(("k", -1, 1)))
    deliver(lake, b_jsonl=lines(("k", 5, 1)))
    lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", partition=BY_DAY, tolerated_rejects=0.0))
    with pytest.raises(RebuildRefused, match=r"'landing/feed/a\.jsonl' come back"):
        deliver(lake, b_jsonl=lines(("m", 1, 1)), other_jsonl=lines(("o", 1, 1)))
    assert table_of(lake) == [("k", 5, 1), ("o", 1, 1)]
    retract(lake, "feed", "a.jsonl")
    ingest(lake, "feed")
    assert table_of(lake) == [("m", 1, 1), ("o", 1, 1)]
    assert_accounted(lake)


def test_a_version_that_never_counts_keeps_no_file_out_of_an_appended_table(make_lake: MakeLake) -> None:
    lake = make_lake(feed(KEY, N, DAY, mode="append", partition=BY_DAY))
    for name, key in (("a", "k"), ("y", "k"), ("a", "z")):
        drop(lake, f"feed/{name}.jsonl", lines((key, 1, 1)))
        receive_pending(lake, "feed")
    list(publish_pending(lake, "feed"))
    assert table_of(lake) == [("k", 1, 1), ("z", 1, 1)]
    assert_accounted(lake)
