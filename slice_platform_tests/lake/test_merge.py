"""Which row of a key stays, and which data files are written anew for it."""

from datetime import date, timedelta
from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from slice_platform.lake import merge
from slice_platform.lake.ingest import ingest
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import (
    BY_DAY,
    DAY,
    ID,
    KEY,
    N,
    assert_accounted,
    deliver,
    feed,
    jsonl,
    lines,
    merged,
    only_batch,
    opened,
    paths,
    rows_of,
    snapshots,
    table_of,
)
from slice_platform_tests.samples import drop


def test_new_keys_are_appended_and_no_file_is_rewritten(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 2)))
    before = paths(lake)
    deliver(lake, b_jsonl=lines(("c", 1, 1), ("aa", 1, 3)))
    assert before.items() <= paths(lake).items()
    assert table_of(lake) == [("a", 1, 1), ("aa", 1, 3), ("b", 1, 2), ("c", 1, 1)]


def test_only_files_with_a_superseded_row_are_rewritten(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1), ("c", 1, 2)))
    deliver(lake, b_jsonl=lines(("d", 1, 1)))
    before = paths(lake)
    deliver(lake, c_jsonl=lines(("a", 2, 1)))
    gone, new = before.keys() - paths(lake).keys(), paths(lake).keys() - before.keys()
    assert [before[path] for path in gone] == [2]  # of day 1 the file of a and b, not that of d
    assert [paths(lake)[path] for path in new] == [2]
    assert table_of(lake) == [("a", 2, 1), ("b", 1, 1), ("c", 1, 2), ("d", 1, 1)]
    assert_accounted(lake)


def test_of_a_table_in_many_files_only_those_with_a_key_of_the_batch_are_rewritten(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    days = [str(date(2026, 1, 1) + timedelta(days=number)) for number in range(40)]
    deliver(lake, a_jsonl=jsonl(*({"id": f"k{number:02d}", "n": 5, "day": day} for number, day in enumerate(days))))
    before = paths(lake)
    assert len(before) == 40 > merge._MANY_FILES
    newer, older = {"id": "k07", "n": 6, "day": days[20]}, {"id": "k30", "n": 4, "day": days[30]}
    deliver(lake, b_jsonl=jsonl(newer, older, {"id": "new", "n": 1, "day": days[3]}))
    (gone,) = before.keys() - paths(lake).keys()
    assert pq.read_table(opened(lake, gone)).column("id").to_pylist() == ["k07"]
    assert rows_of(lake, "select id, n from curated.feed where n <> 5 order by id") == [("k07", 6), ("new", 1)]
    assert_accounted(lake)


def test_a_row_that_loses_to_the_table_changes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 5, 1)))
    before, commits = paths(lake), snapshots(lake)
    done = only_batch(deliver(lake, b_jsonl=lines(("a", 4, 1), ("a", 3, 2))))
    assert (paths(lake), snapshots(lake), done.snapshot_id) == (before, commits, None)
    (account,) = done.accounts.values()
    assert (account.read, account.published, account.duplicate) == (2, 0, 2)
    assert_accounted(lake)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("first", "second", "stays"),
    [(1, 2, "b"), (2, 1, "a"), (None, 1, "b"), (1, None, "a"), (None, None, "b"), (1, 1, "b")],
)
def test_the_greatest_wins_null_is_the_smallest_and_ties_fall_to_the_later_file(
    make_lake: MakeLake, first: int | None, second: int | None, stays: str, *, together: bool
) -> None:
    lake = make_lake(merged())
    drop(lake, "feed/a.jsonl", lines(("k", first, 1)))
    if not together:
        ingest(lake, "feed")
    drop(lake, "feed/b.jsonl", lines(("k", second, 1)))
    ingest(lake, "feed")
    names = {row.id: row.name[0] for row in lake.ledger.list_files("feed")}
    assert [names[file_id] for (file_id,) in rows_of(lake, "select _file_id from curated.feed")] == [stays]
    assert_accounted(lake)


def test_within_a_file_the_later_row_wins_a_tie(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("k", 1, 1), ("k", 1, 2), ("k", 0, 3)))
    assert rows_of(lake, "select day(day), _row from curated.feed") == [(2, 2)]


def test_several_columns_order_one_after_the_other(make_lake: MakeLake) -> None:
    m = {"name": "m", "logicalType": "integer"}
    lake = make_lake(feed(KEY, N, m, mode="merge", order_by=["n", "m"]))
    deliver(lake, a_jsonl=jsonl({"id": "k", "n": 1, "m": 9}, {"id": "j", "n": None, "m": 1}))
    deliver(lake, b_jsonl=jsonl({"id": "k", "n": 2, "m": None}, {"id": "j", "n": None, "m": 0}))
    assert rows_of(lake, "select id, n, m from curated.feed order by id") == [("j", None, 1), ("k", 2, None)]


def test_a_key_that_moves_to_another_partition_is_there_once(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("k", 1, 1), ("l", 1, 1)))
    deliver(lake, b_jsonl=lines(("k", 2, 9)))
    assert table_of(lake) == [("k", 2, 9), ("l", 1, 1)]
    deliver(lake, c_jsonl=lines(("l", 2, 9)))
    assert table_of(lake) == [("k", 2, 9), ("l", 2, 9)]
    assert [(row.partition_key, row.rows) for row in lake.ledger.list_partitions("feed")] == [
        ("2026-01-01", 0),
        ("2026-01-09", 2),
    ]
    assert_accounted(lake)


def test_a_key_of_several_columns_and_types_is_matched(make_lake: MakeLake) -> None:
    amount = {"name": "amount", "logicalType": "number", "logicalTypeOptions": {"precision": 9, "scale": 2}}
    keys = [{**column, "required": True, "primaryKey": True} for column in (ID, DAY, amount)]
    lake = make_lake(feed(*keys, N, mode="merge", order_by=["n"]))
    row = {"id": "k'1", "day": "2026-01-01", "amount": "1.5", "n": 1}
    deliver(lake, a_jsonl=jsonl(row, {**row, "amount": "1.6"}, {**row, "day": "2026-01-02"}))
    deliver(lake, b_jsonl=jsonl({**row, "amount": "1.50", "n": 2}))
    assert rows_of(lake, "select n, count(*) from curated.feed group by 1 order by 1") == [(1, 2), (2, 1)]


def test_append_without_a_key_keeps_every_row(make_lake: MakeLake) -> None:
    lake = make_lake(feed())
    for name in ("a.jsonl", "b.jsonl"):
        drop(lake, f"feed/{name}", jsonl({"id": "k"}, {"id": "k"}))
        ingest(lake, "feed")
    assert rows_of(lake, "select count(*) from curated.feed") == [(4,)]


def test_append_with_a_key_refuses_a_file_that_brings_one_again(make_lake: MakeLake) -> None:
    lake = make_lake(merged(mode="append", order_by=[]))
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    done = only_batch(
        deliver(lake, b_jsonl=lines(("a", 2, 2)), c_jsonl=lines(("c", 1, 1), ("c", 2, 2)), d_jsonl=lines(("d", 1, 1)))
    )
    refusals = [file.refusal for file in done.files]
    assert refusals == [
        "unique_key: 0 keys occur twice in the file, 1 rows have a key that came before",
        "unique_key: 1 keys occur twice in the file, 0 rows have a key that came before",
        None,
    ]
    assert table_of(lake) == [("a", 1, 1), ("d", 1, 1)]


def test_in_mode_replace_the_latest_file_holds_the_partition(make_lake: MakeLake) -> None:
    lake = make_lake(feed(ID, N, DAY, mode="replace", partition=BY_DAY))
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 1), ("c", 1, 2)))
    before = paths(lake)
    deliver(lake, b_jsonl=lines(("z", 0, 1)))
    assert table_of(lake) == [("c", 1, 2), ("z", 0, 1)]
    assert len(before.keys() & paths(lake).keys()) == 1  # day 2 was not touched
    deliver(lake, c_jsonl=lines(("x", 1, 3)), d_jsonl=lines(("y", 1, 3)))
    assert table_of(lake) == [("c", 1, 2), ("y", 1, 3), ("z", 0, 1)]
    assert_accounted(lake)


@pytest.mark.parametrize("batch_files", [1, 2])
def test_in_mode_replace_a_key_is_one_within_its_partition(make_lake: MakeLake, batch_files: int) -> None:
    lake = make_lake(merged(mode="replace"), batch_files=batch_files)
    deliver(lake, a_jsonl=lines(("a", 2, 1), ("a", 1, 1), ("b", 1, 1)), b_jsonl=lines(("b", 0, 2), ("b", 1, 2)))
    assert table_of(lake) == [("a", 2, 1), ("b", 1, 1), ("b", 1, 2)]
    assert_accounted(lake)


def test_rows_are_sorted_and_stored_in_small_compressed_groups(make_lake: MakeLake) -> None:
    lake = make_lake(merged(cluster_by=["n"]))
    deliver(lake, a_jsonl=lines(*((f"k{i}", (i * 7919) % 50_000, 1) for i in range(50_000))))
    (path,) = paths(lake)
    stored = pq.ParquetFile(opened(lake, path))
    groups = [stored.metadata.row_group(i) for i in range(stored.metadata.num_row_groups)]
    assert max(group.num_rows for group in groups) <= 20_480
    assert {group.column(i).compression for group in groups for i in range(6)} == {"ZSTD"}
    values = stored.read(["n"]).column("n").to_pylist()
    assert values == sorted(values)


def test_a_large_partition_is_split_into_files_of_distinct_ranges(make_lake: MakeLake) -> None:
    lake = make_lake(merged(), target_file_bytes=50_000)
    deliver(lake, a_jsonl=lines(*((f"{(i * 7919) % 20_000:05d}", i, 1) for i in range(20_000))))
    columns = [pq.read_table(opened(lake, path))["id"].to_pylist() for path in paths(lake)]
    ranges = sorted((min(ids), max(ids)) for ids in columns)
    assert len(ranges) >= 3
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))
    assert sum(paths(lake).values()) == 20_000
    deliver(lake, b_jsonl=lines(("00000", 99_999, 1)))
    assert table_of(lake)[0] == ("00000", 99_999, 1)
    assert_accounted(lake)
