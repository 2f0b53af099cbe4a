"""Compaction: fewer files, the same rows, readers undisturbed, whatever happens beside it or in its middle."""

import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from slice_platform.errors import AccountingError, ContractError
from slice_platform.lake import batch, layout, table
from slice_platform.lake.attempts import recover
from slice_platform.lake.ingest import ingest, rebuild_partitions
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import load_table
from slice_platform.lake.upkeep import compaction
from slice_platform.lake.upkeep.compaction import Compacted, compact
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import crash_at, kill_after
from slice_platform_tests.lake.feeds import (
    BY_DAY,
    DAY,
    KEY,
    N,
    assert_accounted,
    deliver,
    feed,
    lines,
    merged,
    paths,
    rows_of,
    table_of,
)
from slice_platform_tests.lake.test_publish import of_snapshots, stored
from slice_platform_tests.lake.upkeep.tables import fill
from slice_platform_tests.samples import drop

DAYS = ("2026-01-01", "2026-01-02")
EVERYTHING = "select * from curated.feed order by all"


def compacted(lake: Lake) -> Compacted:
    return compact(lake, lake.dataset("feed"))


@pytest.mark.parametrize("mode", ["merge", "append"])
def test_small_files_become_one_per_partition_and_no_row_changes(make_lake: MakeLake, mode: str) -> None:
    lake = make_lake(feed(KEY, N, DAY, mode=mode, partition=BY_DAY))
    fill(lake, 6)
    rows = rows_of(lake, EVERYTHING)
    done = compacted(lake)
    assert (done.files_before, done.files_after, done.partitions) == (12, 2, frozenset(DAYS))
    assert sorted(paths(lake).values()) == [6, 6]
    assert rows_of(lake, EVERYTHING) == rows
    assert_accounted(lake)
    assert compacted(lake) == Compacted()


def test_rows_are_sorted_by_what_the_table_is_clustered_by(make_lake: MakeLake) -> None:
    lake = make_lake(merged(cluster_by=["n"]))
    fill(lake, 6, days=1)
    compacted(lake)
    (path,) = paths(lake)
    found = rows_of(lake, "select n from curated.feed")
    assert found == sorted(found) and len(found) == 6
    assert path in stored(lake)


def test_a_table_without_partitions_is_compacted(make_lake: MakeLake) -> None:
    lake = make_lake(merged(partition=None))
    fill(lake, 5, days=1)
    assert compacted(lake).files_after == 1


def test_the_ledger_knows_the_files_and_keeps_the_versions(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    before = {row.partition_key: row for row in lake.ledger.list_partitions("feed")}
    compacted(lake)
    after = {row.partition_key: row for row in lake.ledger.list_partitions("feed")}
    assert {key: (row.version, row.rows) for key, row in after.items()} == {
        key: (row.version, row.rows) for key, row in before.items()
    }
    assert [row.data_files for row in after.values()] == [1, 1]
    assert sum(row.size_bytes for row in after.values()) < sum(row.size_bytes for row in before.values())
    deliver(lake, late_jsonl=lines(("late", 1, 1)))
    versions = {row.partition_key: row.version for row in lake.ledger.list_partitions("feed")}
    assert versions["2026-01-01"] > before["2026-01-01"].version
    assert versions["2026-01-02"] == before["2026-01-02"].version


def test_a_reader_that_planned_before_reads_after(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    held = load_table(lake, lake.dataset("feed"))
    assert held
    planned = held.scan(selected_fields=("id", "n"))
    tasks = list(planned.plan_files())
    compacted(lake)
    assert len(tasks) == 12
    assert all(Path(task.file.file_path.removeprefix("file://")).exists() for task in tasks)
    assert planned.to_arrow().num_rows == 12


def test_what_comes_later_meets_the_compacted_rows(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6, days=1)
    compacted(lake)
    deliver(lake, again_jsonl=lines(("0000-1", 99, 2), ("0919-1", -1, 1)))
    rows = {key: (n, day) for key, n, day in table_of(lake)}
    assert (len(rows), rows["0000-1"], rows["0919-1"][1]) == (6, (99, 2), 1)
    assert_accounted(lake)
    rows_before = table_of(lake)
    rebuild_partitions(lake, "feed", ["2026-01-01", "2026-01-02"])
    assert table_of(lake) == rows_before


def test_files_from_before_a_column_came_are_compacted_with_those_from_after(
    make_lake: MakeLake,
) -> None:
    fill(make_lake(merged()), 3, days=1)
    extra = {"name": "extra", "logicalType": "string"}
    lake = make_lake(feed(KEY, N, DAY, extra, mode="merge", order_by=["n"], partition=BY_DAY))
    fill(lake, 3, first=3, days=1)
    rows = rows_of(lake, EVERYTHING)
    assert compacted(lake).files_after == 1
    assert rows_of(lake, EVERYTHING) == rows and len(rows) == 6


def test_a_contract_that_lost_a_column_never_costs_the_column(make_lake: MakeLake) -> None:
    fill(make_lake(merged()), 6, days=1)
    lake = make_lake(feed(KEY, DAY, mode="merge", order_by=[], partition=BY_DAY))
    before = paths(lake)
    with pytest.raises(ContractError, match="'n'"):
        compacted(lake)
    assert paths(lake) == before and stored(lake) == set(before)


def test_a_large_partition_takes_several_commits_and_lets_others_in_between(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(merged())
    fill(lake, 10)
    monkeypatch.setattr("slice_platform.lake.upkeep.small_files._FILES_PER_COMMIT", 5)
    let_in = []

    def pause(_seconds: float) -> None:
        with lake.ledger.exclusive("feed"):
            let_in.append(len(paths(lake)))

    monkeypatch.setattr(time, "sleep", pause)
    done = compacted(lake)
    assert done.commits == len(let_in) > 2
    assert let_in == sorted(let_in, reverse=True)
    assert max(paths(lake).values()) >= 5 and len(table_of(lake)) == 20


def test_a_lost_race_is_planned_again(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    commit, rival = table.commit, [True]

    def late(*args: object, **options: object) -> object:
        if rival:
            rival.pop()
            other = load_table(lake, lake.dataset("feed"))
            assert other
            with other.transaction() as transaction:
                transaction.set_properties({"by": "rival"})
                with transaction.update_snapshot().fast_append():
                    pass
        return commit(*args, **options)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(batch, "commit", late)
    assert compacted(lake).files_after == 2
    assert stored(lake) == of_snapshots(lake) and lake.ledger.open_batches("feed") == []
    assert len(table_of(lake)) == 12


@pytest.mark.parametrize("harm", ["drop", "change"])
def test_rows_that_are_not_the_same_are_not_committed(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    before, rows = stored(lake), table_of(lake)
    honest = layout.write_partitions

    def harmful(connection: object, *args: object) -> list[str]:
        written = honest(connection, *args)  # type: ignore[arg-type]  # handed on as they came
        what = "* replace (n + 1 as n)" if harm == "change" else "*"
        limit = " limit 3" if harm == "drop" else ""
        run = connection.execute  # type: ignore[attr-defined]  # DuckDB
        run(f"create temp table harmed as select {what} from '{written[0]}'{limit}").fetchall()
        run(f"copy harmed to '{written[0]}' (format parquet)").fetchall()
        return written

    monkeypatch.setattr(batch, "write_partitions", harmful)
    with pytest.raises(AccountingError, match="nothing was committed"):
        compacted(lake)
    assert (stored(lake), table_of(lake)) == (before, rows)


def test_a_crash_around_any_call_of_store_or_ledger_is_made_good(make_lake: MakeLake) -> None:
    lake = make_lake(merged(), compact_min_files=2)
    fill(lake, 1, days=1)
    for moment in count(1):
        fill(lake, 1, first=moment, days=1)
        rows, versions = table_of(lake), [row.version for row in lake.ledger.list_partitions("feed")]
        with crash_at(lake, moment) as (dying, died):
            compact(dying, lake.dataset("feed"))
        assert table_of(lake) == rows
        compacted(lake)
        assert (table_of(lake), list(paths(lake).values())) == (rows, [moment + 1])
        assert [row.version for row in lake.ledger.list_partitions("feed")] == versions
        if not died:
            break
    assert moment > 10  # fewer would mean that the crashes no longer reach the steps
    assert stored(lake) == of_snapshots(lake)
    assert_accounted(lake)


@pytest.mark.parametrize("step", ["write_partitions", "commit"])
def test_kill_9_in_the_middle_is_made_good(make_lake: MakeLake, tmp_path: Path, step: str) -> None:
    lake = make_lake(merged())
    fill(lake, 6)
    rows, before = rows_of(lake, EVERYTHING), set(paths(lake))
    versions = [row.version for row in lake.ledger.list_partitions("feed")]
    kill_after(step, "compact", tmp_path)
    assert len(lake.ledger.open_batches("feed")) == 1
    assert rows_of(lake, EVERYTHING) == rows
    recover(lake, lake.dataset("feed"))
    assert (set(paths(lake)) == before) == (step == "write_partitions")
    assert stored(lake) == of_snapshots(lake)
    assert rows_of(lake, EVERYTHING) == rows
    assert [row.version for row in lake.ledger.list_partitions("feed")] == versions
    assert_accounted(lake)


BESIDE = """
import sys
from slice_platform.lake.lake import open_lake
from slice_platform.lake.upkeep.compaction import compact
from slice_platform.settings import load_settings

with open_lake(load_settings(home=sys.argv[1], defs_dir=sys.argv[1] + "/defs", compact_min_files=2)) as lake:
    print("ready", flush=True)
    commits = 0
    while not sys.stdin.closed and (lake.settings.home_dir / "go").exists():
        commits += compact(lake, lake.dataset("feed")).commits
    print(commits)
"""


def test_ingest_and_compaction_in_processes_of_their_own_lose_and_double_nothing(
    make_lake: MakeLake, tmp_path: Path
) -> None:
    lake = make_lake(merged())
    (tmp_path / "go").touch()
    with subprocess.Popen(
        [sys.executable, "-c", BESIDE, str(tmp_path)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as beside:
        assert beside.stdout and beside.stdout.readline() == "ready\n"
        fill(lake, 30)
        (tmp_path / "go").unlink()
        commits = int(beside.stdout.readline())
    assert commits >= 1
    assert [n for _, n, _ in sorted(table_of(lake), key=lambda row: (row[2], row[1] or 0))] == [*range(30), *range(30)]
    ingest(lake, "feed")
    assert_accounted(lake)
    assert stored(lake) == of_snapshots(lake)


def test_an_ingest_that_waits_gets_in_between_two_commits(make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = make_lake(merged())
    fill(lake, 10)
    monkeypatch.setattr("slice_platform.lake.upkeep.small_files._FILES_PER_COMMIT", 5)
    drop(lake, "feed/waits.jsonl", lines(("waits", 1, 3)))
    rewrite, order = compaction._rewrite, list[str]()

    def noted(*args: Any) -> Any:
        if not order:  # the first commit is under way: from here on the ingest waits
            waiting.start()
            time.sleep(0.3)
        order.append("commit")
        return rewrite(*args)

    def wait() -> None:
        ingest(lake, "feed")
        order.append("ingest")

    waiting = Thread(target=wait)
    monkeypatch.setattr(compaction, "_rewrite", noted)
    compacted(lake)
    waiting.join()
    assert order.index("ingest") < len(order) - 1
