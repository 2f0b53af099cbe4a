"""A sync that dies at any of its steps leaves what a later one brings in step; Heartbeat never sees half a file."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from slice_platform.errors import SettingsError
from slice_platform.metadata_db import MetadataDb
from slice_platform.store import Store
from slice_platform_tests.crashes import Countdown, SimulatedCrash
from slice_platform_tests.ops.pulse.conftest import Way, way_over
from slice_platform_tests.ops.pulse.monitors import http

BEFORE = {"cart.yml": http("cart"), "gone.yml": http("gone"), "same.yml": http("same")}
AFTER = {"cart.yml": http("cart", "http://127.0.0.1:2/"), "new.yml": http("new"), "same.yml": http("same")}
FOREIGN = "# of somebody else\n"
_CALLS = ((os, "fsync"), (os, "link"), (os, "utime"), (Path, "replace"), (Path, "unlink"), (Path, "mkdir"))


@contextmanager
def dying(last: int) -> Iterator[Countdown]:
    """Every call that changes a disk counts twice: before and after it does so. The `last` moment is the end."""
    countdown = Countdown(last)

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*arguments: Any, **options: Any) -> Any:
            countdown.step()
            done = call(*arguments, **options)
            countdown.step()
            return done

        return inner

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in _CALLS:
            patch.setattr(owner, name, counted(getattr(owner, name)))
        yield countdown


def prepared(home: Path, db: MetadataDb) -> None:
    """Something to write, to replace and to delete."""
    way = way_over(home, Store(str(home / "bucket")), db)
    way.deliver(BEFORE)
    (way.heartbeat.path / "own.yml").write_text(FOREIGN)
    way.publish(AFTER)


def test_whenever_it_dies_each_file_is_old_or_new_and_the_next_sync_ends_in_step(tmp_path: Path) -> None:
    moments = 0
    with closing(MetadataDb(f"sqlite:///{tmp_path / 'ops.db'}", lock_dir=tmp_path / "locks")) as db:
        prepared(tmp_path / "0", db)
        while True:
            moments += 1
            shutil.copytree(tmp_path / "0", tmp_path / str(moments))
            way = way_over(tmp_path / str(moments), Store(str(tmp_path / str(moments) / "bucket")), db)
            with dying(moments) as countdown, suppress(SimulatedCrash):
                way.sync()
            seen = way.there()
            assert seen.pop("own.yml") == FOREIGN
            assert all(text in (BEFORE.get(name), AFTER.get(name)) for name, text in seen.items())
            way.sync()
            assert way.there() == {**AFTER, "own.yml": FOREIGN} and way.leftovers() == [] and way.behind() == ()
            if countdown.moment < moments:
                break
    assert moments > 40  # else it died nowhere


def test_a_crash_before_a_new_file_leaves_nobody_elses_file_in_our_hands(tmp_path: Path, way: Way) -> None:
    way.publish({"cart.yml": http("cart")})
    with dying(1_000) as countdown:
        way.sync(apply=False)
    assert countdown.moment <= 2  # a dry run writes nothing but the journal's lock
    record = way.heartbeat.record()
    record.claims["cart.yml"] = "0" * 64  # as a sync leaves it that died right after its claim
    way.heartbeat.save(record)
    (way.heartbeat.path / "cart.yml").write_text(FOREIGN)
    way.sync()
    assert way.there() == {"cart.yml": FOREIGN}


def test_a_file_of_others_that_comes_between_plan_and_act_is_not_replaced(way: Way) -> None:
    way.publish({"cart.yml": http("cart")})
    way.heartbeat.path.mkdir()

    def intrude(line: str) -> None:
        if "write 1 monitor file" in line:
            (way.heartbeat.path / "cart.yml").write_text(FOREIGN)

    way.told = _Telling(intrude)
    with pytest.raises(SettingsError, match="came to be there, and it is not Pulse's"):
        way.sync()
    assert way.there() == {"cart.yml": FOREIGN} and way.leftovers() == []
    way.sync()
    assert way.there() == {"cart.yml": FOREIGN}


def test_what_a_killed_sync_was_writing_goes_with_the_next(way: Way) -> None:
    way.deliver(BEFORE)
    (way.heartbeat.path / f"cart.yml.{'0a' * 16}.tmp").write_text("- ty")
    way.sync()
    assert way.leftovers() == []


class _Telling(list[str]):
    """A list that tells of each line that is added."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        super().__init__()
        self._on_line = on_line

    def append(self, line: str) -> None:
        super().append(line)
        self._on_line(line)
