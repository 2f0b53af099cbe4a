"""Partitions are projected by processes that are killed: `python -m ...warehouse.projection_storm NAME URL HOME ...`.

It imports all it needs once and forks for each attempt. It prints how many died.
"""

import os
import random
import sys
from contextlib import suppress
from functools import partial

from slice_platform.errors import SliceError
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.projection import Mode
from slice_platform_tests.forked import killed
from slice_platform_tests.warehouse.projections import Projector, Row, at, of_people, projector
from slice_platform_tests.warehouse.worlds import World

DAYS, VERSIONS, ROWS = 3, 12, 60
LONGEST_SECONDS = 0.4  # that a process may live


def rows_of(day: int, version: int) -> list[Row]:
    """The keys of a version are half of those of the one before it, and as many new ones."""
    first = day * 100_000 + version * ROWS // 2
    return [(key, at(day), f"v{version}") for key in range(first, first + ROWS)]


def storm(world: World, mode: Mode, kills: int, seed: int) -> int:
    """Kill until `kills` processes died while they worked; afterwards let everything be projected."""
    chance, died = random.Random(seed), 0
    while died < kills:
        work = partial(_work, world, mode, random.Random(chance.random()))
        died += killed(work, chance.uniform(0.05, LONGEST_SECONDS))
    people = projector(world, of_people(world, mode))
    for day in range(1, DAYS + 1):
        _project(people, day, VERSIONS)
    return died


def _work(world: World, mode: Mode, chance: random.Random) -> None:
    with suppress(SliceError):  # a lock that a process which was killed still holds for a moment
        people = projector(world, of_people(world, mode))
        while True:
            _project(people, chance.randint(1, DAYS), chance.randint(1, VERSIONS))


def _project(people: Projector, day: int, version: int) -> None:
    people.project(day, version, rows_of(day, version), run_id=str(os.getpid()))


if __name__ == "__main__":
    _, name, url, home, mode, kills, seed = sys.argv
    destination: DestinationName = name  # type: ignore[assignment]  # the test gave it
    chosen: Mode = mode  # type: ignore[assignment]  # as above
    print(storm(World(destination, url, home), chosen, int(kills), int(seed)))  # noqa: T201 -- it answers so
