"""Sets under crashes: whatever moment a process dies at, a reader sees a set whole or not at all."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from slice_platform.lake.ingest import ingest, receive_pending
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import look
from slice_platform.lake.receive import receive
from slice_platform.records import FileStatus
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import crash_at
from slice_platform_tests.lake.set_fixtures import (
    BROKEN,
    by_manifest,
    by_marker,
    in_landing,
    keys,
    manifest,
    mark,
    part,
    put,
    run,
    statuses,
    waiting,
)
from slice_platform_tests.samples import DatasetText

A, B = part("a"), part("b")
FEWEST_MOMENTS = 60  # fewer would mean that the crashes no longer reach the steps
STEP = 9  # odd, so that it hits the moments before a call and those after one; the others are test_promises.py's


def complete_by_marker(lake: Lake) -> None:
    put(lake, a=A, b=B)
    mark(lake)


def complete_by_manifest(lake: Lake) -> None:
    put(lake, a=A, b=B)
    manifest(lake, a=A, b=B)


@pytest.mark.parametrize(
    ("dataset", "complete"), [(by_marker(), complete_by_marker), (by_manifest(), complete_by_manifest)]
)
def test_a_crash_at_any_step_leaves_a_set_whole_or_unseen_and_is_made_good(
    make_lake: MakeLake, tmp_path: Path, dataset: dict[str, DatasetText], complete: Callable[[Lake], None]
) -> None:
    for moment in count(1, STEP):
        lake = make_lake(dataset, home=tmp_path / str(moment))
        complete(lake)
        with crash_at(lake, moment) as (dying, died):
            ingest(dying, "feed")
        assert keys(lake) in ([], ["a", "b"]), f"half a set after a crash at moment {moment}"
        run(lake)
        assert (keys(lake), in_landing(lake), waiting(lake)) == (["a", "b"], [], [])
        run(lake)  # what a crash left unbooked is booked by the next run
        found = sorted(statuses(lake).values())
        assert found == [FileStatus.KEPT, FileStatus.PUBLISHED, FileStatus.PUBLISHED]
        if not died:
            break
    assert moment > FEWEST_MOMENTS


def test_a_crash_while_a_set_is_refused_never_publishes_the_rest_of_it(make_lake: MakeLake, tmp_path: Path) -> None:
    for moment in count(2, STEP):
        lake = make_lake(by_marker(), home=tmp_path / str(moment))
        put(lake, a=A, b=BROKEN)
        mark(lake)
        with crash_at(lake, moment) as (dying, died):
            ingest(dying, "feed")
        for _ in range(2):
            run(lake)
            assert keys(lake) == [] and waiting(lake)[0].is_refused, f"after a crash at moment {moment}"
        put(lake, b=B)
        mark(lake)
        run(lake)
        assert (keys(lake), waiting(lake), in_landing(lake)) == (["a", "b"], [], [])
        if not died:
            break
    assert moment > FEWEST_MOMENTS


def test_crash_after_crash_is_made_good(make_lake: MakeLake) -> None:
    lake = make_lake(by_manifest())
    complete_by_manifest(lake)
    for moment in range(1, 80, 4):
        with crash_at(lake, moment) as (dying, _):
            ingest(dying, "feed")
        assert keys(lake) in ([], ["a", "b"])
    run(lake)
    assert (keys(lake), in_landing(lake), waiting(lake)) == (["a", "b"], [], [])


def test_what_was_received_after_a_set_was_complete_is_not_published_with_it(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker())
    complete_by_marker(lake)
    receive_pending(lake, "feed")
    put(lake, c=part("c"))
    mark(lake)
    receive(lake, "feed", look(lake).pending["feed"][:1])  # a crash before the second marker was taken ...
    lake.store.remove("landing/feed/march/_SUCCESS")  # ... which then went away
    run(lake)
    assert keys(lake) == ["a", "b"] and [one.files for one in waiting(lake)] == [("march/c.jsonl",)]
    mark(lake)
    run(lake)
    assert (keys(lake), waiting(lake)) == (["a", "b", "c"], [])
