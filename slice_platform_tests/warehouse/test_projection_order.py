"""Whatever dies, comes again or comes late: a partition is there as a whole, and never an older over a newer."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slice_platform.errors import DestinationBusy, DestinationUnavailable
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.projection import Mode, PartitionClaim, ProjectionRow
from slice_platform.warehouse.session import Session
from slice_platform_tests.crashes import Countdown, SimulatedCrash
from slice_platform_tests.warehouse.projection_storm import DAYS, VERSIONS, rows_of
from slice_platform_tests.warehouse.projections import Projector, Row, at, of_people, projector
from slice_platform_tests.warehouse.worlds import World

KILLS = int(os.environ.get("SLICE_PROPAGATOR_KILLS", "30"))
SEED = int(os.environ.get("SLICE_PROPAGATOR_SEED", "7"))
MODES: list[Mode] = ["replace_partition", "upsert"]
ADA, BO, CY = (1, at(1, 8), "Ada"), (2, at(1, 9), "Bo"), (3, at(2, 10), "Cy")
few = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


def in_mode(world: World, mode: Mode) -> Projector:
    return projector(world, of_people(world, mode))


@pytest.fixture
def people(world: World) -> Projector:
    return in_mode(world, "upsert")


def emptied(people: Projector) -> None:
    people.world.run("delete from {}people")
    people.world.run('delete from {}"_slice_projections"')


def mortal(monkeypatch: pytest.MonkeyPatch, countdown: Countdown) -> None:
    """Sessions die before or after a statement, when the countdown ends."""
    for name in ("run", "rows"):
        call = getattr(Session, name)

        def counted(*given: Any, call: Callable[..., Any] = call) -> Any:
            countdown.step()
            result = call(*given)
            countdown.step()
            return result

        monkeypatch.setattr(Session, name, counted)


@pytest.mark.parametrize("mode", [*MODES, "append"])
def test_a_death_between_any_two_statements_leaves_what_was_before(
    world: World, mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = in_mode(world, mode)
    people.project(1, 1, [ADA, BO])
    known = people.destination.recorded(people.table.ref)
    for moment in count(1):
        with people.checked([(1, at(1, 8), "Ava"), (4, at(1), "Di")]) as rows, monkeypatch.context() as patched:
            mortal(patched, Countdown(moment))
            try:
                people.destination.project(people.table, people.claim(1, 2), rows)
            except SimulatedCrash:
                assert people.rows() == [ADA, BO]
            else:
                break
        assert people.destination.recorded(people.table.ref) == known
    assert moment > 15 and (4, at(1), "Di") in people.rows()
    assert people.destination.recorded(people.table.ref)["2026-01-01"].version == 2


def test_a_table_that_died_while_it_was_made_is_made_by_the_next(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """MySQL commits each statement of a schema by itself."""
    indexes = () if world.name == "redshift" else (("name",),)
    table = of_people(world, indexes=indexes)
    for moment in count(1):
        with monkeypatch.context() as patched, suppress(SimulatedCrash):
            mortal(patched, Countdown(moment))
            projector(world, table)
            break
        if moment % 2:
            world.run("drop table if exists {}people")
    people = projector(world, table)
    assert moment > 5 and people.destination.ensure(table) == ()
    assert people.project(1, 1, [ADA, BO]).applied and people.rows() == [ADA, BO]


def test_rows_of_a_table_that_was_dropped_do_not_count_for_the_new_one(
    people: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the making of the new one ends."""
    for moment in count(1):
        people.project(1, 1, [ADA, BO])
        people.world.run("drop table {}people")
        with monkeypatch.context() as patched:
            mortal(patched, Countdown(moment))
            try:
                people.destination.ensure(people.table)
                break
            except SimulatedCrash:
                pass
        people.destination.ensure(people.table)
        assert people.destination.recorded(people.table.ref) == {}


@pytest.mark.parametrize("mode", MODES)
def test_of_an_older_and_a_newer_version_at_once_the_newer_stays(world: World, mode: Mode) -> None:
    people = in_mode(world, mode)
    for round_ in range(1, 6):
        together = threading.Barrier(2)

        def project(version: int, together: threading.Barrier = together) -> bool:
            with people.checked([(1, at(1), f"v{version}")]) as rows:
                together.wait(30)
                return people.destination.project(people.table, people.claim(1, version), rows).applied

        with ThreadPoolExecutor(2) as pool:
            older, newer = pool.map(project, [2 * round_, 2 * round_ + 1])
        assert newer and older in (True, False)
        assert people.rows() == [(1, at(1), f"v{2 * round_ + 1}")]


def test_runs_that_do_not_see_each_other_project_once_even_without_the_lock(
    make_world: Callable[[DestinationName], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Redshift no key helps: the row that all have to change lets one of them through."""
    people = in_mode(make_world("redshift"), "replace_partition")
    together, find, came = threading.Barrier(4), type(people.destination)._before_claim, threading.local()

    def blind(self: Destination, session: Session, claim: PartitionClaim) -> ProjectionRow | None:
        found = find(self, session, claim)
        if not getattr(came, "before", False):
            came.before = True
            together.wait(30)
        return found

    monkeypatch.setattr(type(people.destination), "_before_claim", blind)
    monkeypatch.setattr(type(people.destination), "_lock", lambda *_: None)

    def project(number: int) -> bool | DestinationBusy:
        try:
            return people.project(1, 1, [ADA, BO], run_id=f"run {number}").applied
        except DestinationBusy as busy:
            return busy

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(project, range(4)))
    assert results.count(True) == 1 and people.rows() == [ADA, BO]
    assert len(people.destination.recorded(people.table.ref)) == 1


def test_an_answer_to_the_commit_that_was_lost_is_told_as_ours(
    people: Projector, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(people.destination)
    project, losses = kind._project, iter([True])

    def lost(*given: Any, **more: Any) -> Any:
        done = project(*given, **more)
        if next(losses, False):
            raise DestinationUnavailable("the answer was lost")
        return done

    monkeypatch.setattr(kind, "_project", lost)
    done = people.project(1, 1, [ADA, BO])
    assert done.applied and done.changes.inserted == 2 and done.measure.rows == 2


@pytest.mark.parametrize("mode", MODES)
@given(steps=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), max_size=7))
@few
def test_in_whatever_order_versions_come_the_newest_of_each_partition_is_there(
    world: World, mode: Mode, steps: list[tuple[int, int]]
) -> None:
    people = in_mode(world, mode)
    emptied(people)
    newest: dict[int, int] = {}
    for day, version in steps:
        applied = people.project(day, version, rows_of(day, version)[:5]).applied
        assert applied == (version > newest.get(day, 0))
        newest[day] = max(newest.get(day, 0), version)
    assert people.rows() == sorted(row for day, version in newest.items() for row in rows_of(day, version)[:5])


def behind(people: Projector, version: int) -> list[int]:
    """The days that have to be projected, by what the ledger says."""
    known = people.destination.recorded(people.table.ref)
    found = {day: known.get(f"2026-01-{day:02}") for day in (1, 2, 3)}
    return [day for day, row in found.items() if row is None or row.is_stale or row.version < version]


LAKE = st.lists(st.dictionaries(st.integers(1, 4), st.integers(1, 3), max_size=4), min_size=1, max_size=4)


@given(lake=LAKE, data=st.data())
@few
def test_rows_that_wander_between_partitions_end_where_the_lake_has_them(
    people: Projector, lake: list[dict[int, int]], data: st.DataObject
) -> None:
    """Each version of the lake says on which day a key lies. Late runs may take rows back; that is repaired."""
    emptied(people)

    def rows(day: int, version: int) -> list[Row]:
        return [(key, at(day), f"v{version}") for key, lies in lake[version - 1].items() if lies == day]

    late = st.lists(st.tuples(st.integers(1, 3), st.integers(1, len(lake))), max_size=5)
    for day, version in data.draw(late):
        people.project(day, version, rows(day, version))
    for _ in range(3):
        for day in behind(people, len(lake)):
            people.project(day, len(lake), rows(day, len(lake)))
    assert not behind(people, len(lake))
    assert people.rows() == sorted(row for day in (1, 2, 3) for row in rows(day, len(lake)))


@pytest.mark.parametrize("mode", MODES)
def test_processes_are_killed_and_each_partition_is_whole(world: World, mode: Mode) -> None:
    in_mode(world, mode)
    program = [sys.executable, "-m", "slice_platform_tests.warehouse.projection_storm"]
    asked = [world.name, world.url, world.home, mode, str(KILLS), str(SEED)]
    done = subprocess.run([*program, *asked], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= KILLS
    expected = sorted(row for day in range(1, DAYS + 1) for row in rows_of(day, VERSIONS))
    assert in_mode(world, mode).rows() == expected
