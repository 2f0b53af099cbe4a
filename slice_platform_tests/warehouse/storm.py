"""Files are dropped, processes that load them are killed, files come again: `python -m ...warehouse.storm JSON`.

It imports all it needs once and forks for each attempt, so that sixty deaths cost seconds. It prints what it did.
"""

import json
import os
import random
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from slice_platform.errors import SliceError
from slice_platform.warehouse.drop_path import DestinationName, Task
from slice_platform.warehouse.outcome import Failed
from slice_platform_tests.forked import killed
from slice_platform_tests.warehouse.worlds import World

ROWS = 400  # of a file
LONGEST_SECONDS = 0.5  # that a process may live


@dataclass(frozen=True)
class Storm:
    """`dropped` files were put there the first time, `again` of them once more, while `kills` processes died."""

    kills: int
    dropped: int
    again: int


def storm(world: World, kills: int, seed: int) -> Storm:
    """Kill until `kills` processes died while they worked; afterwards let everything be worked off."""
    chance = random.Random(seed)
    died = dropped = again = 0
    while died < kills:
        if not _waiting(world):
            _drop(world, dropped)
            dropped += 1
        if chance.random() < 0.3:
            _drop(world, chance.randrange(dropped))
            again += 1
        died += killed(lambda: _work(world), chance.uniform(0.0, LONGEST_SECONDS))
    while _waiting(world):
        _work(world)
    return Storm(died, dropped, again)


def file_of(number: int) -> tuple[Task, str, str]:
    """Loads and upserts in turn. The keys of an upsert are those of the one before it and as many again."""
    first = number * ROWS // 2
    lines = [f"{key},{number}" for key in range(first, first + ROWS)]
    return (Task.LOAD, Task.UPSERT)[number % 2], f"{number:04}.csv", "\n".join(["id,file", *lines, ""])


def _drop(world: World, number: int) -> None:
    task, name, content = file_of(number)
    world.drop(task, name, content, table=("logs", "people")[number % 2])


def _waiting(world: World) -> bool:
    root = Path(world.home) / "propagator"
    return any(path.is_file() for path in root.glob("destination=*/database=*/table_name=*/input/*/*.csv"))


def _work(world: World) -> None:
    propagator = world.propagator()
    for table in ("logs", "people"):
        with suppress(SliceError):  # a lock that a process which was killed still holds for a moment
            for outcome in propagator.work_off(world.table(table), run_id=str(os.getpid())):
                assert not isinstance(outcome, Failed), outcome.refused


if __name__ == "__main__":
    _, name, url, home, kills, seed = sys.argv
    destination: DestinationName = name  # type: ignore[assignment]  # the test gave it
    print(json.dumps(vars(storm(World(destination, url, home), int(kills), int(seed)))))  # noqa: T201 -- it answers so
