"""Promise 5 under crashes: whatever moment a process dies at, nothing is lost and the next run makes it good."""

import hashlib
import multiprocessing
import os
import signal
from itertools import count
from pathlib import Path
from typing import IO, Any

import pytest

from slice_platform import store
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.landing import look
from slice_platform.lake.receive import receive
from slice_platform.records import FileStatus
from slice_platform.settings import load_settings
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import crash_at
from slice_platform_tests.lake.test_receive import bytes_of, kept, take
from slice_platform_tests.samples import drop

FILES = {"trips/a.csv": b"id\n1\n", "trips/x.xml": b"<x/>", "nobody/b.csv": b"id\n2\n"}
FEWEST_MOMENTS = 40  # fewer would mean that the crashes no longer reach the steps


def booked(lake: Lake) -> dict[str, bytes]:
    """The content of every file that the ledger says is kept, by source key."""
    done = (FileStatus.RECEIVED, FileStatus.QUARANTINED)
    return {row.source_key: bytes_of(lake, row) for row in lake.ledger.list_files(statuses=done)}


def in_landing(lake: Lake) -> dict[str, bytes]:
    return {entry.key: lake.store.open(entry.key).read() for entry in lake.store.list(LANDING)}


def assert_pristine(lake: Lake) -> None:
    """Each file is booked once, kept as it came, gone from landing; and nothing else is kept."""
    rows = [row for row in lake.ledger.list_files() if row.status is not FileStatus.REPEATED]
    assert {row.source_key for row in rows} == {f"{LANDING}/{path}" for path in FILES}
    assert len(rows) == len(FILES)
    for row in rows:
        content = FILES[row.source_key.removeprefix(f"{LANDING}/")]
        assert bytes_of(lake, row) == content
        assert row.sha256 == hashlib.sha256(content).hexdigest()
    assert all(row.left_landing for row in lake.ledger.list_files())
    assert kept(lake) == {row.raw_key for row in rows}
    assert in_landing(lake) == {}


def assert_no_reason_without_a_file(lake: Lake) -> None:
    folders = {f"{row.id:08d}" for row in lake.ledger.list_files(statuses=[FileStatus.QUARANTINED])}
    assert {entry.key.split("/")[2] for entry in lake.store.list("quarantine")} == folders


def test_a_crash_between_any_two_steps_loses_nothing_and_is_repaired(make_lake: MakeLake, tmp_path: Path) -> None:
    for moment in count(1):
        lake = make_lake(home=tmp_path / str(moment))
        for path, content in FILES.items():
            drop(lake, path, content)
        with crash_at(lake, moment) as (dying, died):
            take(dying)
        everything = {f"{LANDING}/{path}": content for path, content in FILES.items()}
        assert {**in_landing(lake), **booked(lake)} == everything, f"lost at moment {moment}"
        take(lake)
        take(lake)  # a departure that the crash left unbooked is booked by the next call
        assert_pristine(lake)
        assert_no_reason_without_a_file(lake)
        if not died:
            break
    assert moment > FEWEST_MOMENTS


def test_a_crash_at_any_step_of_a_repeated_delivery_is_repaired(make_lake: MakeLake, tmp_path: Path) -> None:
    for moment in count(1):
        lake = make_lake(home=tmp_path / str(moment))
        for path, content in FILES.items():
            drop(lake, path, content)
        take(lake)
        drop(lake, "trips/a.csv", FILES["trips/a.csv"])
        with crash_at(lake, moment) as (dying, died):
            take(dying)
        take(lake)
        take(lake)
        assert_pristine(lake)
        (repeat,) = lake.ledger.list_files(statuses=[FileStatus.REPEATED])
        assert repeat.source_key == "landing/trips/a.csv"
        if not died:
            break
    assert moment > FEWEST_MOMENTS / 2


def test_crash_after_crash_is_repaired(make_lake: MakeLake) -> None:
    lake = make_lake()
    for path, content in FILES.items():
        drop(lake, path, content)
    for moment in range(1, 60):
        with crash_at(lake, moment) as (dying, _):
            take(dying)
    take(lake)
    assert_pristine(lake)


def _die_while_copying(home: Path) -> None:
    def half(source: IO[bytes], target: IO[bytes] | None) -> Any:
        assert target is not None
        target.write(source.read(2))
        target.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    store._digest = half
    with open_lake(load_settings(home=home, defs_dir=home / "defs", landing_tick_seconds=0)) as lake:
        receive(lake, "trips", look(lake).pending["trips"])


@pytest.mark.directory("the process that is killed opens the lake of a folder")
@pytest.mark.parametrize("path", ["trips/a.csv", "trips/x.xml"])
def test_a_process_killed_in_the_middle_of_a_copy_leaves_no_half_of_it(
    make_lake: MakeLake, tmp_path: Path, path: str
) -> None:
    lake = make_lake()
    drop(lake, path, FILES[path])
    process = multiprocessing.get_context("spawn").Process(target=_die_while_copying, args=(tmp_path,))
    process.start()
    process.join(60)
    assert [row.status for row in lake.ledger.list_files()] == [FileStatus.ARRIVING]
    assert any(key.endswith(".tmp") for key in kept(lake))
    take(lake)
    (row,) = lake.ledger.list_files()
    assert kept(lake) == {row.raw_key}
    assert bytes_of(lake, row) == FILES[path]
