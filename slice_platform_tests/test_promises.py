"""The promises of the lake, put to the proof on real files: pristine, accounted, order-free, atomic, nothing lost."""

import gzip
import hashlib
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from slice_platform.lake import attempts, batch, layout, publish
from slice_platform.lake.attempts import recover
from slice_platform.lake.batch import Batch
from slice_platform.lake.ingest import altered_files, ingest, rebuild_partitions, receive_pending
from slice_platform.lake.lake import LANDING, Lake
from slice_platform.lake.rejects import folder_of
from slice_platform.lake.table import load_table
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import SimulatedCrash, crash_at, die, dying_after, kill_after
from slice_platform_tests.lake.feeds import (
    BY_DAY,
    DAY,
    ID,
    N,
    assert_accounted,
    deliver,
    feed,
    jsonl,
    lines,
    merged,
    rejects_of_file,
    rows_of,
    table_of,
)
from slice_platform_tests.lake.test_publish import BOTH, FIRST, SECOND, of_snapshots, stored
from slice_platform_tests.samples import drop

OLD = [("a", 1, 1), ("b", 1, 2)]
GOOD = lines(("good", 1, 1))
_packed = gzip.compress(b"".join(b'{"id":"%d","n":%d}\n' % (n, n * 7919) for n in range(5000)))
FLIPPED = _packed[:200] + bytes([_packed[200] ^ 255]) + _packed[201:]
HOSTILE = {
    "empty.csv": b"",
    "flipped.jsonl.gz": FLIPPED,
    "temporary.parquet": b"PAR1 no space left",
    f"{'long' * 60}.jsonl": GOOD,
    "[glob]*.jsonl": GOOD,
    "binary.csv": bytes(range(256)) * 100,
    "mark.jsonl": b"\xef\xbb\xbf" + GOOD,
    "crlf.csv": b"id,n,day\r\nx,1,2026-01-01\r\n",
    "short.jsonl.gz": gzip.compress(GOOD * 1000)[:-9],
    "tail.csv.gz": gzip.compress(b"id,n,day\n") + b"\0" * 9,
    "no_text.jsonl": b'\xff\xfe\x00{"id":\n\r\n\x01',
    "header.csv": b"what,is,this\n1,2,3\n",
    "twice.csv": b"id,id,day\na,b,c\n",
    "cut.parquet": b"PAR1\x15\x04\x15",
    "not_a.jsonl.zst": b"(\xb5/\xfd and nothing more",
    "misfits.jsonl": jsonl({"id": 1}, {"id": "x", "n": "y"}),
    "sp ace & ünï.jsonl": GOOD,
}
Row = tuple[str, int | None, int]
_row = st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 2), st.integers(1, 3))
_bad_row = st.tuples(st.sampled_from("abcd"), st.just(-1), st.integers(1, 3))  # n is below the minimum
_file = st.lists(st.one_of(_row, _row, _row, _bad_row), max_size=6)
_homes = count(1)


# --- 1 pristine, 5 nothing lost, 7 one bad file harms only itself


def test_hostile_files_are_kept_byte_for_byte_and_harm_only_themselves(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for name, content in HOSTILE.items():
        drop(lake, f"feed/{name}", content)
    deliver(lake, good_jsonl=lines(("k", 1, 3)))
    assert ("k", 1, 3) in table_of(lake)
    assert list(lake.store.list(LANDING)) == []
    rebuild_partitions(lake, "feed", ["2026-01-01", "2026-01-03"])
    for row in lake.ledger.list_files("feed"):
        content = HOSTILE.get(row.name, lines(("k", 1, 3)))
        assert row.raw_key
        with lake.store.open(row.raw_key) as source:
            assert source.read() == content
        assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert altered_files(lake, "feed") == []


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_not_published_says_why(make_lake: MakeLake, name: str) -> None:
    lake = make_lake(merged())
    drop(lake, f"feed/{name}", HOSTILE[name])
    deliver(lake, good_jsonl=lines(("k", 1, 3)))
    rows = {row.name: row for row in lake.ledger.list_files("feed")}
    assert (rows["good.jsonl"].status, rows["good.jsonl"].rows_published) == (FileStatus.PUBLISHED, 1)
    row = rows[name]
    if row.status is FileStatus.QUARANTINED:
        with lake.store.open(f"{folder_of(row)}/reason.json") as source:
            assert json.load(source)["reason"].replace("\x00", "\\x00") == row.error
    assert len({line for line, _, _, _ in rejects_of_file(lake, row)}) == row.rows_rejected
    assert_accounted(lake)


def test_every_row_is_in_the_table_or_in_quarantine_with_its_text(make_lake: MakeLake) -> None:
    lake = make_lake(merged(tolerated_rejects=0.5))
    kept = [
        *({"id": f"k{n}", "n": n, "day": "2026-01-01"} for n in range(50)),
        {"id": "l", "n": "x", "day": "2026-01-01"},
    ]
    lost = [{"id": "m", "day": "never"}, {"id": "o", "day": "2026-01-01"}, {"day": "2026-01-01"}]
    deliver(lake, a_jsonl=jsonl(*kept), b_jsonl=jsonl(*lost))
    accepted, refused = lake.ledger.list_files("feed")
    assert (accepted.rows_published, accepted.rows_rejected) == (50, 1)
    assert [json.loads(raw) for _, _, _, raw in rejects_of_file(lake, accepted)] == [kept[50]]
    assert (refused.status, refused.rows_read, refused.rows_rejected) == (FileStatus.QUARANTINED, 3, 3)
    assert [json.loads(raw) for _, _, _, raw in rejects_of_file(lake, refused)] == [lost[0], lost[2]]
    assert altered_files(lake, "feed") == []


# --- 2 accounted, 3 order-free


def model(files: list[list[Row]], *, mode: str) -> set[tuple[str, int | None, int, int]]:
    """What the table must hold, as (id, n, day, position of the file), by the words of the promise alone."""
    good = [(*row, at, line) for at, rows in enumerate(files) for line, row in enumerate(rows) if row[1] != -1]
    if mode == "replace":
        latest = {day: max(at for _, _, other, at, _ in good if other == day) for _, _, day, _, _ in good}
        return {(key, n, day, at) for key, n, day, at, _ in good if at == latest[day]}
    best: dict[str, tuple[Any, ...]] = {}
    for key, n, day, at, line in good:
        rank = (n is not None, n or 0, at, line)
        if key not in best or rank > best[key][0]:
            best[key] = (rank, (key, n, day, at))
    return {row for _, row in best.values()}


def arrive(lake: Lake, files: list[list[Row]]) -> list[int]:
    """Drop and receive the files one after the other, every other one as CSV; their ids."""
    for at, rows in enumerate(files):
        records = [(key, "" if n is None else n, f"2026-01-{day:02d}") for key, n, day in rows]
        csv_text = "".join(f"{key},{n},{day}\n" for key, n, day in records)
        if at % 2:
            drop(lake, f"feed/{at}.csv", f"id,n,day\n{csv_text}".encode())
        else:
            drop(lake, f"feed/{at}.jsonl", b"\n" + lines(*rows))
        receive_pending(lake, "feed")
    return [row.id for row in lake.ledger.list_files("feed")]


def found(lake: Lake, ids: list[int]) -> set[tuple[Any, ...]]:
    rows = rows_of(lake, "select id, n, day(day), _file_id from curated.feed")
    assert len(rows) == len(set(rows)) or lake.dataset("feed").spec.mode == "replace"
    return {(key, n, day, ids.index(file_id)) for key, n, day, file_id in rows}


@pytest.mark.parametrize("mode", ["merge", "replace"])
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # an example is a lake of its own; to make it small takes minutes
)
@given(data=st.data(), files=st.lists(_file, min_size=1, max_size=5))
def test_the_table_is_a_function_of_its_files_alone(
    make_lake: MakeLake, tmp_path: Path, mode: str, data: st.DataObject, files: list[list[Row]]
) -> None:
    positive = {**N, "logicalTypeOptions": {"minimum": 0}}
    columns: list[dict[str, Any]] = [{**ID, "primaryKey": mode == "merge"}, positive, DAY]
    chosen = {"mode": mode, "order_by": ["n"] if mode == "merge" else [], "partition": BY_DAY}
    lake = make_lake(feed(*columns, **chosen), home=tmp_path / str(next(_homes)))
    ids, dataset = arrive(lake, files), lake.dataset("feed")
    waiting = data.draw(st.permutations(lake.ledger.list_files("feed")), label="order")
    while waiting:
        size = data.draw(st.integers(1, len(waiting)), label="batch")
        publish.publish(lake, dataset, waiting[:size])
        waiting = waiting[size:]
        if data.draw(st.booleans(), label="rebuild"):
            keys = data.draw(st.sets(st.sampled_from(["2026-01-01", "2026-01-02", "2026-01-03"]), min_size=1))
            rebuild_partitions(lake, "feed", sorted(keys))
    assert found(lake, ids) == model(files, mode=mode)
    assert_accounted(lake)
    rebuild_partitions(lake, "feed", ["2026-01-01", "2026-01-02", "2026-01-03"])
    assert found(lake, ids) == model(files, mode=mode)
    assert_accounted(lake)


def test_a_repeated_delivery_changes_nothing(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    for _ in range(3):
        deliver(lake, a_jsonl=FIRST, b_jsonl=SECOND)
    assert table_of(lake) == BOTH
    assert [row.status for row in lake.ledger.list_files("feed")].count(FileStatus.REPEATED) == 4
    assert_accounted(lake)


# --- 4 atomic


def test_a_reader_keeps_the_snapshot_it_has(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    held = load_table(lake, lake.dataset("feed"))
    deliver(lake, b_jsonl=SECOND)
    assert held is not None
    assert sorted(held.scan(selected_fields=("id", "n")).to_arrow().to_pydict()["id"]) == ["a", "b"]
    assert table_of(lake) == BOTH


def owner_of(step: str) -> object:
    """Where the step's name is looked up when it is called."""
    return Batch if step == "prove" else publish if step == "stage" else batch


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "failed"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["stage", "write_partitions", "prove", "commit", "partitions_now"])
def test_a_publish_that_dies_at_any_step_shows_old_or_new_and_is_finished_by_the_next_run(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch, step: str, when: str, *, is_killed: bool
) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    drop(lake, "feed/b.jsonl", SECOND)
    with monkeypatch.context() as patched:
        owner = owner_of(step)
        patched.setattr(owner, step, die if when == "before" else dying_after(getattr(owner, step)))
        if is_killed:  # what runs while an exception passes does not run in a process that is gone
            patched.setattr(attempts, "recover", lambda *_: None)
        with pytest.raises(SimulatedCrash):
            ingest(lake, "feed")
    is_committed = (step, when) == ("commit", "after") or step == "partitions_now"
    assert table_of(lake) == (BOTH if is_committed else OLD)
    ingest(lake, "feed")
    assert table_of(lake) == BOTH
    assert stored(lake) == of_snapshots(lake)
    assert_accounted(lake)


def test_a_publish_that_dies_with_half_of_its_files_written_leaves_none(
    make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(merged(), duckdb_threads=1)
    deliver(lake, a_jsonl=FIRST)
    before, rows_of_partition, calls = stored(lake), layout._partition_rows, count(1)
    monkeypatch.setattr(attempts, "recover", lambda *_: None)
    monkeypatch.setattr(layout, "_partition_rows", lambda *a: rows_of_partition(*a) if next(calls) == 1 else die())
    with pytest.raises(SimulatedCrash):
        deliver(lake, b_jsonl=lines(("a", 2, 1), ("c", 1, 2)))
    assert len(stored(lake) - before) == 1
    assert table_of(lake) == OLD
    monkeypatch.undo()
    recover(lake, lake.dataset("feed"))
    assert stored(lake) == before


def test_a_crash_around_any_call_of_store_or_ledger_is_made_good(make_lake: MakeLake, tmp_path: Path) -> None:
    for moment in count(1):
        lake = make_lake(merged(), home=tmp_path / str(moment))
        deliver(lake, a_jsonl=FIRST)
        drop(lake, "feed/b.jsonl", SECOND)
        receive_pending(lake, "feed")
        with crash_at(lake, moment) as (dying, died):
            publish.publish(dying, lake.dataset("feed"), lake.ledger.list_files("feed", statuses=[FileStatus.RECEIVED]))
        assert table_of(lake) in (OLD, BOTH)
        ingest(lake, "feed")
        assert table_of(lake) == BOTH
        assert stored(lake) == of_snapshots(lake)
        assert_accounted(lake)
        if not died:
            break
    assert moment > 10  # fewer would mean that the crashes no longer reach the steps


@pytest.mark.directory("the process that is killed opens the lake of a folder")
@pytest.mark.parametrize(("step", "seen"), [("write_partitions", OLD), ("commit", BOTH)])
def test_kill_9_in_the_middle_of_a_publish_is_made_good(
    make_lake: MakeLake, tmp_path: Path, step: str, seen: list[Row]
) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=FIRST)
    drop(lake, "feed/b.jsonl", SECOND)
    kill_after(step, "ingest", tmp_path)
    assert table_of(lake) == seen
    assert len(lake.ledger.open_batches("feed")) == 1
    ingest(lake, "feed")
    assert table_of(lake) == BOTH
    assert stored(lake) == of_snapshots(lake)
    assert_accounted(lake)
