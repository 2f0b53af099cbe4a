"""Promise 8: a file changes its table once, however often it is delivered and whenever a process dies."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.outcome import Done, Failed, Outcome
from slice_platform_tests.warehouse.storm import ROWS, file_of
from slice_platform_tests.warehouse.worlds import World

KILLS = int(os.environ.get("SLICE_PROPAGATOR_KILLS", "60"))
SEED = int(os.environ.get("SLICE_PROPAGATOR_SEED", "7"))


def expected_people(dropped: int) -> dict[int, int]:
    """Key -> the last file that had it, of the upserts in the order in which they came first."""
    found: dict[int, int] = {}
    for number in range(1, dropped, 2):
        for line in file_of(number)[2].splitlines()[1:]:
            key, file = line.split(",")
            found[int(key)] = int(file)
    return found


def test_processes_die_and_files_come_again_and_each_counts_once(world: World) -> None:
    world.create({"id": "INTEGER", "file": "INTEGER"}, table="logs")
    world.create({"id": "INTEGER", "file": "INTEGER"}, ["id"])
    assert [type(one) for table in ("logs", "people") for one in world.work_off(table)] == [Done, Done]
    program = [sys.executable, "-m", "slice_platform_tests.warehouse.storm"]
    asked = [world.name, world.url, world.home, str(KILLS), str(SEED)]
    done = subprocess.run([*program, *asked], capture_output=True, text=True, check=False, timeout=540)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kills"] >= KILLS and told["again"]
    loads = (told["dropped"] + 1) // 2
    assert world.rows('select count(*), count(distinct file) from {}"logs"') == [(loads * ROWS, loads)]
    assert dict(world.rows('select id, file from {}"people"')) == expected_people(told["dropped"])
    assert world.rows('select count(*), count(distinct id) from {}"_slice_load_ledger"') == [(told["dropped"] + 2,) * 2]


@pytest.mark.parametrize("task", [Task.LOAD, Task.UPSERT])
def test_of_eight_deliveries_at_once_one_counts(world: World, task: Task) -> None:
    world.create({"id": "INTEGER", "name": "VARCHAR"}, ["id"] if task is Task.UPSERT else None)
    world.work_off()
    world.drop(task, "rows.csv", "id,name\n1,Ada\n2,Bo\n")
    with ThreadPoolExecutor(8) as pool:
        outcomes: list[Outcome] = [one for found in pool.map(lambda _: world.work_off(), range(8)) for one in found]
    applied = [one.applied for one in outcomes if isinstance(one, Done)]
    assert [one.was_known for one in applied].count(False) == 1
    assert not [one for one in outcomes if isinstance(one, Failed)]
    assert world.rows('select count(*) from {}"people"') == [(2,)]


def test_the_same_file_again_is_told_with_the_date_and_changes_nothing(world: World) -> None:
    world.create({"id": "INTEGER"})
    world.drop(Task.LOAD, "rows.csv", "id\n1\n")
    first = world.work_off()[-1]
    world.drop(Task.LOAD, "rows.csv", "id\n1\n")
    (again,) = world.work_off()
    assert isinstance(first, Done) and isinstance(again, Done)
    assert again.applied.was_known and again.applied.id == first.applied.id
    assert abs((again.applied.loaded_at - first.applied.loaded_at).total_seconds()) < 5
    assert world.rows('select count(*) from {}"people"') == [(1,)]


def test_other_content_under_the_same_name_and_the_same_under_another_name_load(world: World) -> None:
    world.create({"id": "INTEGER"})
    for name, content in (("a.csv", "id\n1\n"), ("a.csv", "id\n2\n"), ("b.csv", "id\n1\n")):
        world.drop(Task.LOAD, name, content)
        assert isinstance(world.work_off()[-1], Done)
    assert sorted(world.rows('select id from {}"people"')) == [(1,), (1,), (2,)]
