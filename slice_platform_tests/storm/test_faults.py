"""What a machine does to a lake: a full disk, a locked catalog, a clock that jumps back. Nothing is half-done."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from slice_platform import ledger
from slice_platform.components.runtime import told_to_dagster
from slice_platform.errors import TransientError
from slice_platform.lake.ingest import ingest, receive_pending
from slice_platform.lake.lake import Lake, open_lake
from slice_platform.settings import load_settings
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import assert_accounted, deliver, lines, table_of
from slice_platform_tests.samples import drop
from slice_platform_tests.storm.checker import Delivered, Judge
from slice_platform_tests.storm.test_storm import SEED, contract, produce

_processes = multiprocessing.get_context("forkserver")
MANY = [(f"key-{n:06d}-{n * 7919 % 1000003}", n, 1 + n % 28) for n in range(30_000)]


# --- a full disk


def ingest_with_files_of_at_most(home: str, size: int) -> None:
    """Ingest in a process whose writes fail beyond `size` bytes a file, as they fail on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # the write fails instead of the process
    settings = load_settings(home=Path(home), defs_dir=Path(home) / "defs", landing_tick_seconds=0)
    with open_lake(settings) as lake:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            ingest(lake, "feed")
        except TransientError:
            os._exit(75)
    os._exit(0)


@pytest.mark.parametrize("size", [100_000, 200_000, 400_000])
def test_a_write_that_finds_no_room_is_told_as_such_and_made_good_later(
    make_lake: MakeLake, tmp_path: Path, size: int
) -> None:
    lake, delivered = make_lake({"feed": contract(0)}), Delivered()
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    for name, rows in (("b.jsonl", lines(*MANY)), ("c.jsonl", lines(("c", 1, 3)))):
        drop(lake, f"feed/{name}", rows)
        delivered.note(name, rows)
    process = _processes.Process(target=ingest_with_files_of_at_most, args=(str(tmp_path), size))
    process.start()
    process.join(120)
    assert process.exitcode == 75
    assert table_of(lake) == [("a", 1, 1)]
    ingest(lake, "feed")
    assert len(table_of(lake)) == len(MANY) + 2
    Judge(tmp_path).prove(delivered)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount")
    if not mounted or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], check=False).returncode:
        pytest.skip("mounting a small file system takes root; the limit on file sizes is tested anyway")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_disk_that_is_full_loses_nothing_and_blames_no_file(make_lake: MakeLake, small_disk: Path) -> None:
    lake = make_lake({"feed": contract(0)}, home=small_disk)
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    drop(lake, "feed/b.jsonl", lines(*MANY[:8_000]))
    filler = small_disk / "filler"
    left = shutil.disk_usage(small_disk).free
    filler.write_bytes(b"\0" * (left - 100_000))
    with pytest.raises((TransientError, dg.RetryRequested)), told_to_dagster():
        ingest(lake, "feed")
    filler.unlink()
    assert table_of(lake) == [("a", 1, 1)]
    subprocess.run(["mount", "-o", "remount,size=30m", small_disk], check=True)
    ingest(lake, "feed")
    assert len(table_of(lake)) == 8_001
    assert_accounted(lake)
    assert lake.ledger.quarantined_files("feed") == []


# --- a locked catalog


def hold(database: Path, seconds: float, held: threading.Event) -> None:
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("begin exclusive")
    held.set()
    time.sleep(seconds)
    connection.execute("rollback")
    connection.close()


@pytest.mark.parametrize("database", ["catalog.db", "ledger.db"])
def test_a_database_that_is_locked_for_a_while_is_waited_for(
    make_lake: MakeLake, tmp_path: Path, database: str
) -> None:
    lake, held = make_lake({"feed": contract(0)}), threading.Event()
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    drop(lake, "feed/b.jsonl", lines(("b", 1, 2)))
    other = threading.Thread(target=hold, args=(tmp_path / database, 2.0, held))
    other.start()
    held.wait(10)
    ingest(lake, "feed")
    other.join()
    assert table_of(lake) == [("a", 1, 1), ("b", 1, 2)]
    assert_accounted(lake)


def test_a_catalog_that_stays_locked_is_a_transient_error_and_nothing_is_half_done(
    make_lake: MakeLake, tmp_path: Path
) -> None:
    lake, held = make_lake({"feed": contract(0)}), threading.Event()
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    drop(lake, "feed/b.jsonl", lines(("b", 1, 2)))
    other = threading.Thread(target=hold, args=(tmp_path / "catalog.db", 12.0, held))
    other.start()
    held.wait(10)
    with pytest.raises((TransientError, dg.RetryRequested)), told_to_dagster():
        ingest(lake, "feed")
    other.join()
    ingest(lake, "feed")
    assert table_of(lake) == [("a", 1, 1), ("b", 1, 2)]
    assert_accounted(lake)


# --- a clock that jumps back


def jump(monkeypatch: pytest.MonkeyPatch, hours: float) -> None:
    class Jumped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Jumped":
            moved = datetime.now(UTC) + timedelta(hours=hours)
            return cls.fromtimestamp(moved.timestamp(), tz)

    monkeypatch.setattr(ledger, "datetime", Jumped)
    monkeypatch.setattr(time, "time", lambda: datetime.now(UTC).timestamp() + hours * 3600)


def test_a_clock_that_jumps_back_changes_neither_rows_nor_who_wins(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake: Lake = make_lake({"feed": contract(0)})
    chosen, delivered = random.Random(SEED), Delivered()
    for hours in (0, -2, 30, -700, 1, -9000):
        with monkeypatch.context() as clock:
            jump(clock, hours)
            for _ in range(3):
                produce(tmp_path, chosen, delivered)
            receive_pending(lake, "feed")
            if chosen.random() < 0.6:
                ingest(lake, "feed")
    ingest(lake, "feed")
    received = [row.received_at for row in lake.ledger.list_files("feed")]
    assert received != sorted(received)
    Judge(tmp_path).prove(delivered)
