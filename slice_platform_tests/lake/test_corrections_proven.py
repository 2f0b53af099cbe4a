"""Corrections, retractions and replays under crashes, and in any order: the table follows the live versions."""

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from slice_platform.lake.corrections import replay, retract
from slice_platform.lake.ingest import ingest, publish_pending, rebuild_partitions, receive_pending
from slice_platform.lake.lake import LANDING, Lake
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import crash_at
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
    lines,
    snapshots,
    table_of,
)
from slice_platform_tests.samples import drop

_homes = count(1)


# --- crashes


@pytest.mark.parametrize("what", ["correction", "retraction", "replay", "rebuild"])
def test_a_crash_around_any_call_of_store_or_ledger_leaves_before_or_after(
    make_lake: MakeLake, tmp_path: Path, what: str
) -> None:
    first = lines(("k", 1, 1), ("x", -1, 1))
    before, after = [("k", 5, 2)], {
        "correction": [("k", 1, 1), ("m", 1, 3)],
        "retraction": [("k", 1, 1)],
        "replay": [("k", 5, 2), ("x", -1, 1)],
        "rebuild": [("k", 5, 2), ("x", -1, 1)],
    }[what]  # fmt: skip
    for moment in count(1, 3):  # every third: both before and after calls
        home = tmp_path / what / str(moment)
        lake = make_lake(feed(KEY, POSITIVE, DAY, mode="merge", order_by=["n"], partition=BY_DAY), home=home)
        deliver(lake, a_jsonl=first)
        deliver(lake, b_jsonl=lines(("k", 5, 2)))
        if what in ("replay", "rebuild"):
            lake = make_lake(feed(KEY, N, DAY, mode="merge", order_by=["n"], partition=BY_DAY), home=home)
        if what == "correction":
            drop(lake, "feed/b.jsonl", lines(("m", 1, 3)))
        with crash_at(lake, moment) as (dying, died):
            _do(dying, what)
        assert table_of(lake) in (before, after)
        _do(lake, what)
        assert table_of(lake) == after
        assert_accounted(lake)
        assert not any(entry.key.count("_waiting") for entry in lake.store.list("quarantine"))
        if not died:
            break
    assert moment > 10  # fewer would mean that the crashes no longer reach the steps


def _do(lake: Lake, what: str) -> None:
    match what:
        case "correction":
            ingest(lake, "feed")
        case "retraction":
            retract(lake, "feed", "b.jsonl")
        case "replay":
            list(replay(lake, "feed"))
        case _:
            rebuild_partitions(lake, "feed")


# --- order-free, with corrections and retractions

Row = tuple[str, int | None, int]
_row = st.tuples(st.sampled_from("abcd"), st.none() | st.integers(-1, 2), st.integers(1, 3))
_names = st.sampled_from(["w", "x", "y", "z"])
_deed = st.one_of(
    st.tuples(st.just("drop"), _names, st.lists(_row, max_size=5)),
    st.tuples(st.just("drop"), _names, st.lists(_row, max_size=5)),
    st.tuples(st.just("publish"), st.just(""), st.just([])),
    st.tuples(st.just("retract"), _names, st.just([])),
    st.tuples(st.just("rebuild"), st.sampled_from(DAYS), st.just([])),
    st.tuples(st.just("rebuild all"), st.just(""), st.just([])),
    st.tuples(st.just("replay"), st.just(""), st.just([])),
)
Deed = tuple[str, str, list[Row]]


class Model:
    """The live versions, by the words of the promises alone: (id, rows) by name."""

    def __init__(self, mode: str) -> None:
        self.mode, self.live, self.arrivals = mode, dict[str, tuple[int, list[Row]]](), 0

    def drop(self, name: str, rows: list[Row]) -> bool:
        if not rows or (name in self.live and self.live[name][1] == rows):
            return False
        self.arrivals += 1
        self.live[name] = (self.arrivals, rows)
        return True

    def table(self) -> list[tuple[Any, ...]]:
        good = [(*row, at, line) for at, rows in self.live.values() for line, row in enumerate(rows, 1) if row[1] != -1]
        if self.mode == "append":
            return [(key, n, day, line) for key, n, day, _, line in good]
        if self.mode == "replace":
            latest = {day: max(r[3] for r in good if r[2] == day) for _, _, day, _, _ in good}
            return [(key, n, day, line) for key, n, day, at, line in good if at == latest[day]]
        best: dict[str, tuple[Any, ...]] = {}
        for key, n, day, at, line in good:
            rank = (n is not None, n or 0, at, line)
            if key not in best or rank > best[key][0]:
                best[key] = (rank, (key, n, day, line))
        return [row for _, row in best.values()]


def _table(lake: Lake) -> list[tuple[Any, ...]]:
    from slice_platform_tests.lake.feeds import rows_of

    found = rows_of(lake, "select id, n, day(day), _row from curated.feed") if snapshots(lake) else []
    return sorted(found, key=repr)


@pytest.mark.parametrize("mode", ["merge", "replace", "append"])
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],  # an example is a lake of its own; to make it small takes minutes
)
@given(deeds=st.lists(_deed, min_size=4, max_size=14))
def test_the_table_is_a_function_of_the_live_versions_alone(
    make_lake: MakeLake, tmp_path: Path, mode: str, deeds: list[Deed]
) -> None:
    columns: list[dict[str, Any]] = [{**ID, "primaryKey": mode == "merge"}, POSITIVE, DAY]
    chosen = {"mode": mode, "order_by": ["n"] if mode == "merge" else [], "partition": BY_DAY}
    lake, model = make_lake(feed(*columns, **chosen), home=tmp_path / str(next(_homes))), Model(mode)
    for deed, name, rows in deeds:
        if deed == "drop" and model.drop(name, rows):
            drop(lake, f"feed/{name}.jsonl", lines(*rows))
            receive_pending(lake, "feed")
        elif deed == "retract" and name in model.live:
            del model.live[name]
            retract(lake, "feed", f"{name}.jsonl")
        elif deed == "rebuild":
            rebuild_partitions(lake, "feed", [name])
        elif deed == "rebuild all":
            rebuild_partitions(lake, "feed")
        elif deed == "replay":
            list(replay(lake, "feed"))
        elif deed == "publish":
            list(publish_pending(lake, "feed"))
    list(publish_pending(lake, "feed"))
    assert _table(lake) == sorted(model.table(), key=repr), json.dumps(deeds)
    assert_accounted(lake)
    rebuild_partitions(lake, "feed", DAYS)
    assert _table(lake) == sorted(model.table(), key=repr)
    assert_accounted(lake)
    assert list(lake.store.list(LANDING)) == []
