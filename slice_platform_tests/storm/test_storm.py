"""Processes are killed at random points, over and over, and run side by side: the promises hold afterwards."""

import gzip
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import BY_DAY, DAY, KEY, N, feed
from slice_platform_tests.samples import DatasetText
from slice_platform_tests.storm import worker
from slice_platform_tests.storm.checker import TOLERATED, Delivered, Judge

KILLS = int(os.environ.get("SLICE_STORM_KILLS", "120"))
SEED = int(os.environ.get("SLICE_STORM_SEED", "20261121"))
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(worker.PRELOAD)


def contract(least: int) -> DatasetText:
    columns = ({**KEY}, {**N, "logicalTypeOptions": {"minimum": least}}, DAY)
    chosen = {"mode": "merge", "order_by": ["n"], "partition": BY_DAY, "tolerated_rejects": TOLERATED}
    return feed(*columns, **chosen)["feed"]


def produce(home: Path, chosen: random.Random, delivered: Delivered) -> None:
    """One file, as producers send them: new or corrected, sometimes with bad rows, sometimes poison."""
    ending = chosen.choice([".jsonl", ".jsonl", ".csv", ".jsonl.gz"])
    name = f"f{chosen.randint(0, 11)}{ending}"
    rows = [
        (f"k{chosen.randint(0, 40)}", chosen.choice([None, -3, *range(9)]), f"2026-01-{chosen.randint(1, 6):02d}")
        for _ in range(chosen.randint(1, 30))
    ]
    records = [{"id": key, "n": n, "day": day} for key, n, day in rows]
    text = "".join(json.dumps(one) + "\n" for one in records)
    if ending == ".csv":
        text = "id,n,day\n" + "".join(f"{key},{'' if n is None else n},{day}\n" for key, n, day in rows)
    content = gzip.compress(text.encode(), mtime=0) if ending.endswith(".gz") else text.encode()
    if chosen.random() < 0.08:
        content = content[: len(content) // 2] if ending.endswith(".gz") else b"\xff\xfe" + content
    target = home / "lake" / "landing" / "feed" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f"_{name}")
    aside.write_bytes(content)
    aside.rename(target)
    delivered.note(name, content)


def run(home: Path, deed: str, seed: int) -> None:
    """One deed to its end."""
    process = _processes.Process(target=worker.act_patiently, args=(str(home), deed, seed))
    process.start()
    process.join(120)
    assert process.exitcode == 0, f"{deed} ended with {process.exitcode}"


def kill_during(home: Path, deed: str, chosen: random.Random) -> bool:
    """Start a deed and kill it at a random moment; False where it had ended before."""
    process = _processes.Process(target=worker.act, args=(str(home), deed, chosen.getrandbits(32)))
    process.start()
    process.join(chosen.random() ** 2 * 0.9)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def test_a_hundred_kills_at_random_points_cost_nothing(make_lake: MakeLake, tmp_path: Path) -> None:
    make_lake({"feed": contract(0)})
    chosen, delivered, judge = random.Random(SEED), Delivered(), Judge(tmp_path)
    kills = 0
    while kills < KILLS:
        for _ in range(chosen.randint(0, 2)):
            produce(tmp_path, chosen, delivered)
        killed = kill_during(tmp_path, chosen.choice(worker.DEEDS), chosen)
        kills += killed
        if killed and kills % 15 == 0:
            run(tmp_path, "ingest", 0)
            judge.prove(delivered)
    contract(-5).write(tmp_path / "defs" / "feed")  # mended: what was rejected is replayed, under kills again
    for _ in range(10):
        kill_during(tmp_path, "replay", chosen)
    run(tmp_path, "ingest", 0)
    run(tmp_path, "replay", 0)
    Judge(tmp_path, least=-5, was_mended=True).prove(delivered)


def test_four_ingests_of_one_table_at_once_publish_everything_once(make_lake: MakeLake, tmp_path: Path) -> None:
    make_lake({"feed": contract(0)})
    chosen, delivered = random.Random(SEED), Delivered()
    for _ in range(6):
        for _ in range(8):
            produce(tmp_path, chosen, delivered)
        deeds = ["ingest", "ingest", "ingest", "ingest", chosen.choice(["rebuild", "upkeep", "replay"])]
        running = [_processes.Process(target=worker.act_patiently, args=(str(tmp_path), one, 1)) for one in deeds]
        for process in running:
            process.start()
        produce(tmp_path, chosen, delivered)
        for process in running:
            process.join(120)
        assert [process.exitcode for process in running] == [0] * len(running)
    run(tmp_path, "ingest", 0)
    Judge(tmp_path).prove(delivered)


@pytest.mark.parametrize("killed", ["ingest", "rebuild", "upkeep"])
def test_processes_killed_among_running_ones_do_not_hurt_these(
    make_lake: MakeLake, tmp_path: Path, killed: str
) -> None:
    make_lake({"feed": contract(0)})
    chosen, delivered = random.Random(SEED), Delivered()
    for _ in range(5):
        for _ in range(4):
            produce(tmp_path, chosen, delivered)
        steady = _processes.Process(target=worker.act_patiently, args=(str(tmp_path), "ingest", 1))
        steady.start()
        time.sleep(chosen.random() * 0.1)
        kill_during(tmp_path, killed, chosen)
        steady.join(120)
        assert steady.exitcode == 0
    run(tmp_path, "ingest", 0)
    Judge(tmp_path).prove(delivered)
