"""Promises 2 and 4: one commit a batch, lost races planned again, nothing published that does not add up."""

import gzip
from collections.abc import Callable

import pytest

from slice_platform.errors import AccountingError, CommitLost, RebuildRefused, StoreUnavailable
from slice_platform.lake import batch
from slice_platform.lake import publish as module
from slice_platform.lake.ingest import batches, ingest, publish_pending, rebuild_partitions, receive_pending
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import write_partitions
from slice_platform.lake.table import LostRaceError, commit, load_table, local_path
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import (
    BY_DAY,
    DAY,
    KEY,
    N,
    assert_accounted,
    deliver,
    feed,
    jsonl,
    lines,
    merged,
    only_batch,
    paths,
    rows_of,
    snapshots,
    table_of,
)
from slice_platform_tests.samples import DatasetText, drop

FIRST, SECOND = lines(("a", 1, 1), ("b", 1, 2)), lines(("a", 2, 1), ("c", 1, 1))
BOTH = [("a", 2, 1), ("b", 1, 2), ("c", 1, 1)]


def stored(lake: Lake) -> set[str]:
    """Every Parquet file below the table, whether a snapshot knows it or not."""
    return {lake.store.path(entry.key) for entry in lake.store.list("curated/feed/data")}


def of_snapshots(lake: Lake) -> set[str]:
    """Every data file that some snapshot of the table has."""
    table = load_table(lake, lake.dataset("feed"))
    ids = [snapshot.snapshot_id for snapshot in table.metadata.snapshots] if table else []
    return {local_path(task.file.file_path) for at in ids if table for task in table.scan(snapshot_id=at).plan_files()}


def test_a_batch_is_one_commit_whatever_partitions_it_touches(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    deliver(
        lake, b_jsonl=lines(*((f"k{day}", 1, day) for day in range(1, 29)), ("a", 2, 1)), c_jsonl=lines(("b", 9, 2))
    )
    assert snapshots(lake) == 2
    assert_accounted(lake)


def test_files_that_are_duplicates_throughout_commit_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=SECOND)
    before = stored(lake)
    done = only_batch(deliver(lake, b_jsonl=FIRST.splitlines(keepends=True)[0], c_csv=b"id,n,day\n"))
    assert (snapshots(lake), stored(lake), done.snapshot_id) == (1, before, None)
    assert [(a.read, a.published, a.duplicate) for a in done.accounts.values()] == [(1, 0, 1), (0, 0, 0)]
    assert [row.status for row in lake.ledger.list_files("feed")] == [FileStatus.PUBLISHED] * 3


def test_a_backlog_is_worked_off_in_batches_bounded_by_files_and_bytes(make_lake: MakeLake) -> None:
    lake = make_lake(merged(), batch_files=3, batch_bytes=250)
    sizes = (100, 100, 100, 10, 10, 10, 10, 400, 10)
    for number, size in enumerate(sizes):
        drop(lake, f"feed/{number}.csv", b"id,n,day\n".ljust(size, b"\n"))
    receive_pending(lake, "feed")
    waiting = lake.ledger.list_files("feed")
    found = [[file.size_bytes for file in batch] for batch in batches(lake, waiting)]
    assert found == [[100, 100], [100, 10, 10], [10, 10], [400], [10]]
    assert len(list(publish_pending(lake, "feed"))) == 5


def lose_once(rival: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next commit finds that `rival` was faster."""
    pending = [rival]

    def late(*args: object, **options: object) -> object:
        if pending:
            pending.pop()()
        return commit(*args, **options)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(batch, "commit", late)


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_a_lost_race_is_planned_again_and_its_files_are_removed(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    lake = make_lake(merged(mode=mode, order_by=["n"] if mode == "merge" else []))
    deliver(lake, z_jsonl=lines(("z", 1, 1)))
    drop(lake, "feed/b.jsonl", SECOND)
    receive_pending(lake, "feed")
    (late_file,) = lake.ledger.list_files("feed", statuses=[FileStatus.RECEIVED])
    drop(lake, "feed/a.jsonl", FIRST)
    receive_pending(lake, "feed")
    rival = lake.ledger.list_files("feed", statuses=[FileStatus.RECEIVED])[-1]
    dataset, other_lake = (
        lake.dataset("feed"),
        make_lake(merged(mode=mode, order_by=lake.dataset("feed").spec.order_by)),
    )
    lose_once(lambda: module.publish(other_lake, dataset, [rival]), monkeypatch)
    done = module.publish(lake, dataset, [late_file])
    if mode == "merge":
        assert table_of(lake) == [*BOTH, ("z", 1, 1)]
        assert_accounted(lake)
    else:  # the key that the rival brought keeps the file out
        assert "1 rows have a key that came before" in str(done.files[0].refusal)
    assert stored(lake) == of_snapshots(lake)
    assert lake.ledger.open_batches("feed") == []


def test_a_writer_that_always_loses_gives_up_and_leaves_nothing(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(merged(), commit_attempts=2)
    deliver(lake, a_jsonl=FIRST)
    before = stored(lake)

    def lose(*_args: object, **_options: object) -> object:
        raise LostRaceError

    monkeypatch.setattr(batch, "commit", lose)
    with pytest.raises(CommitLost, match="2 times"):
        deliver(lake, b_jsonl=SECOND)
    assert (stored(lake), lake.ledger.open_batches("feed")) == (before, [])
    monkeypatch.undo()
    ingest(lake, "feed")
    assert table_of(lake) == BOTH


@pytest.mark.parametrize("count", ["_good_rows", "count_by_file"])
def test_rows_that_do_not_add_up_are_not_published(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    if count == "count_by_file":
        honest = batch.count_by_file
        monkeypatch.setattr(module, count, lambda *a: {f: n - 1 for f, n in honest(*a).items()})
    else:  # as if a row had been lost between reading and writing
        write = write_partitions

        def lossy(connection: object, *args: object, **options: object) -> list[str]:
            connection.execute("delete from stage where id = 'c'").fetchall()  # type: ignore[attr-defined]  # DuckDB
            return write(connection, *args, **options)  # type: ignore[arg-type]  # handed on as they came

        monkeypatch.setattr(batch, "write_partitions", lossy)
    with pytest.raises(AccountingError, match="nothing was committed"):
        deliver(lake, b_jsonl=SECOND)
    assert (table_of(lake), snapshots(lake)) == ([("a", 1, 1), ("b", 1, 2)], 1)
    assert stored(lake) == set(paths(lake))
    monkeypatch.undo()
    ingest(lake, "feed")
    assert table_of(lake) == BOTH


def test_two_rows_of_one_key_are_not_published(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake(merged())
    monkeypatch.setattr("slice_platform.lake.merge._lose_within_batch", lambda *_: None)
    with pytest.raises(AccountingError, match="unique_key failed; nothing was committed"):
        deliver(lake, a_jsonl=lines(("a", 1, 1), ("a", 2, 1)))
    assert (snapshots(lake), stored(lake)) == (0, set())


def test_a_rebuild_touches_only_the_partitions_it_is_asked_for(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    deliver(lake, b_jsonl=SECOND)
    rows, before = table_of(lake), paths(lake)
    rebuild_partitions(lake, "feed", ["2026-01-01"])
    after = paths(lake)
    assert table_of(lake) == rows
    assert [before[path] for path in before.keys() & after.keys()] == [1]
    assert [after[path] for path in after.keys() - before.keys()] == [2]
    assert_accounted(lake)


def test_a_rebuild_of_every_partition_gives_the_same_rows(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for name, content in (("a", FIRST), ("b", SECOND), ("c", lines(("a", 3, 5), ("b", None, 2)))):
        drop(lake, f"feed/{name}.jsonl", content)
        ingest(lake, "feed")
    rows = table_of(lake)
    keys = [row.partition_key for row in lake.ledger.list_partitions("feed")]
    for _ in range(2):
        rebuild_partitions(lake, "feed", keys)
        assert table_of(lake) == rows
        assert_accounted(lake)


def test_a_rebuild_of_a_partition_without_rows_books_it_as_empty(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    rebuild_partitions(lake, "feed", ["2026-01-01", "2026-01-03"])
    assert table_of(lake) == [("a", 1, 1), ("b", 1, 2)]
    assert {row.partition_key: row.rows for row in lake.ledger.list_partitions("feed")}["2026-01-03"] == 0


def test_a_rebuild_from_raw_that_cannot_be_read_is_refused(make_lake: MakeLake) -> None:
    lake, packed = make_lake(merged()), gzip.compress(FIRST)
    deliver(lake, a_jsonl_gz=packed)
    (file,) = lake.ledger.list_files("feed")
    rows, before = table_of(lake), paths(lake)
    assert file.raw_key
    for content, says in (
        (packed[:-9], "and now: damaged or incomplete gzip file"),
        (
            gzip.compress(b"{}\n" + FIRST),
            "published with 0 rejects of 2 rows, and now: 1 rejects of 3 rows",
        ),
    ):
        lake.store.write(file.raw_key, content)
        with pytest.raises(RebuildRefused, match=f"{file.raw_key}.*{says}"):
            rebuild_partitions(lake, "feed", ["2026-01-01"])
        assert (table_of(lake), paths(lake), lake.ledger.list_files("feed")) == (rows, before, [file])
    assert stored(lake) == set(before)


def test_a_partition_is_not_rebuilt_under_a_contract_that_puts_its_rows_elsewhere(make_lake: MakeLake) -> None:
    def dated(form: str) -> dict[str, DatasetText]:
        dated_day = {**DAY, "logicalTypeOptions": {"format": form}}
        return feed(KEY, N, dated_day, mode="merge", order_by=["n"], partition=BY_DAY)

    lake = make_lake(dated("dd/MM/yyyy"))
    deliver(lake, a_jsonl=jsonl({"id": "a", "n": 1, "day": "02/01/2026"}, {"id": "b", "n": 1, "day": "03/01/2026"}))
    rows = table_of(lake)
    lake = make_lake(dated("MM/dd/yyyy"))
    with pytest.raises(RebuildRefused, match=r"in other partitions than .*2026-01-02.*slice rebuild feed"):
        rebuild_partitions(lake, "feed", ["2026-01-02"])
    assert table_of(lake) == rows
    rebuild_partitions(lake, "feed", None)
    assert [row.partition_key for row in lake.ledger.list_partitions("feed") if row.rows] == [
        "2026-02-01",
        "2026-03-01",
    ]


def test_a_raw_object_that_is_gone_is_told_and_changes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    (file,) = lake.ledger.list_files("feed")
    rows, before = table_of(lake), paths(lake)
    lake.store.remove(str(file.raw_key))
    with pytest.raises(StoreUnavailable, match=f"{file.raw_key}.*raw does not hold it"):
        rebuild_partitions(lake, "feed", ["2026-01-01"])
    assert (table_of(lake), paths(lake), stored(lake)) == (rows, before, set(before))


def test_a_table_of_a_dataset_without_partitions_is_merged_and_rebuilt(make_lake: MakeLake) -> None:
    lake = make_lake(merged(partition=None))
    deliver(lake, a_jsonl=FIRST)
    deliver(lake, b_jsonl=SECOND)
    assert table_of(lake) == BOTH
    rebuild_partitions(lake, "feed", ["all"])
    assert table_of(lake) == BOTH
    assert [(row.partition_key, row.rows) for row in lake.ledger.list_partitions("feed")] == [("all", 3)]


def test_a_table_without_a_key_is_rebuilt_row_for_row(make_lake: MakeLake) -> None:
    lake = make_lake(feed())
    deliver(lake, a_jsonl=jsonl({"id": "k"}, {"id": "k"}), b_jsonl=jsonl({"id": "k", "n": 1}))
    rebuild_partitions(lake, "feed", ["all"])
    assert rows_of(lake, "select id, n from curated.feed order by n") == [("k", 1), ("k", None), ("k", None)]
    assert_accounted(lake)
