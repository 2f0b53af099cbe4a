"""Whatever happens on the way: in the end tables are what their SQL gives, and databases have what the tables have."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from slice_platform.engine import run
from slice_platform.lake.business.behind import behind
from slice_platform.lake.business.build import refresh
from slice_platform.lake.corrections import retract
from slice_platform.lake.query import query
from slice_platform.projections.projecting import Projecting
from slice_platform.projections.projecting import behind as copies_behind
from slice_platform.projections.projection import all_projections
from slice_platform.store import Store
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.crashes import Countdown, SimulatedCrash, _Mortal, mortal
from slice_platform_tests.lake.business.models import DAILY, MONTHLY, ModelText, land, trip
from slice_platform_tests.projections.copies import Copies, copies, projected, projected_trips
from slice_platform_tests.samples import changed
from slice_platform_tests.warehouse.worlds import World

ROLLING = ModelText(
    sql="""\
select date_trunc('day', $partition_start)::date as day, count(*) as trips, sum(distance)::bigint as distance
from curated.trips
where started_at >= $partition_start - interval 2 day and started_at < $partition_end
having count(*) > 0
""",
    defs=changed(DAILY.defs, "start: 2013-01-01}", "start: 2013-01-01, end: 2013-01-09}"),
)
# The same again, as plain DuckDB has it of all rows at once.
PLAIN = {
    "daily": "select started_at::date, count(*), sum(distance)::bigint from trips group by 1",
    "monthly": "select date_trunc('month', started_at)::date, count(*), count(distinct started_at::date) "
    "from trips group by 1",
    "rolling": "select day::date, count(*), sum(distance)::bigint from trips, "
    "unnest(generate_series(date '2013-01-01', date '2013-01-08', interval 1 day)) as days(day) "
    "where started_at::date between day - interval 2 day and day group by 1",
}
TABLES = ["daily", "monthly", "rolling"]

_homes = count(1)
_names = st.sampled_from(["w", "x", "y"])
_row = st.tuples(st.integers(1, 4), st.sampled_from("abcd"), st.integers(0, 2))
_moment = st.integers(0, 60)  # at which it dies; beyond what it does it lives
_file = st.tuples(st.just("land"), _names, st.lists(_row, min_size=1, max_size=4, unique_by=lambda row: row[1]))
_deeds = st.one_of(
    _file,
    _file,
    st.tuples(st.just("retract"), _names, st.none()),
    st.tuples(st.just("refresh"), st.sampled_from(TABLES), _moment),
    st.tuples(st.just("project"), st.sampled_from(["trips", *TABLES]), _moment),
    st.tuples(st.just("project"), st.sampled_from(["trips", *TABLES]), _moment),
)
Deed = tuple[str, str, Any]


def proven(examples: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        phases=[Phase.explicit, Phase.generate],  # an example is a lake of its own; to make it small takes minutes
    )


def life(make_lake: MakeLake, world: World, home: Path, mode: str, deeds: list[Deed]) -> None:
    """Do what there is to do, dying at times; then bring all up to date, and prove it."""
    models = {"daily": DAILY, "monthly": MONTHLY, "rolling": ROLLING}
    these = copies(
        make_lake,
        world,
        home,
        {name: projected(model, world.name, mode=mode) for name, model in models.items()},
        projected_trips(world.name, mode=mode),
    )
    land(these.lake, "first.jsonl", trip("2013-01-03", "first"))  # without any row there is no table to look at
    landed = set()
    for deed, name, what in deeds:
        if deed == "land":
            land(these.lake, f"{name}.jsonl", *(trip(f"2013-01-0{day}", key, n) for day, key, n in what))
            landed.add(name)
        elif deed == "retract" and name in landed:
            retract(these.lake, "trips", f"{name}.jsonl")
        elif deed == "refresh":
            with dying(these, what) as mortals:
                refresh(mortals.lake, these.lake.business[name])
        elif deed == "project":
            with dying(these, what) as mortals:
                list(Projecting(mortals.lake, mortals.destination, these.of(name), "run").refresh())
    settle(these)
    prove(these)


def settle(these: Copies) -> None:
    for _ in range(3):
        these.refresh()
    assert not any(behind(these.lake, table) for table in these.lake.business.values())
    assert not any(copies_behind(these.lake, one) for one in all_projections(these.lake))


def prove(these: Copies) -> None:
    """Each table is what its SQL gives, each copy has its rows, and a comparison agrees."""
    trips = query(these.lake, "select id, started_at, distance, fare from curated.trips").table
    with duckdb.connect() as plain:
        run(plain, "set TimeZone = 'UTC'")
        plain.register("trips", trips)
        for name, sql in PLAIN.items():
            made = table_rows(these, f"business.{name}")
            assert made == sorted(run(plain, sql)), name
            assert sorted(these.rows(f'select * from {{}}"{name}"')) == made, name
    wanted = "id, epoch_us(started_at), distance, fare"
    there = [(key, at.timestamp() * 1_000_000, n, fare) for key, at, n, fare in these.rows('select * from {}"trips"')]
    assert sorted(there) == table_rows(these, "curated.trips", wanted)
    assert {name: these.problems(name) for name in ("trips", *TABLES)} == {name: {} for name in ("trips", *TABLES)}


def table_rows(these: Copies, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in query(these.lake, f"select {columns} from {table}").table.to_pylist())


@contextmanager
def dying(these: Copies, moment: int) -> Iterator[Copies]:
    """The same, of which lake or database die at a moment."""
    countdown = Countdown(moment)
    destination = _mortal_destination(these, countdown)
    with suppress(SimulatedCrash):
        yield replace(these, lake=mortal(these.lake, countdown), destination=destination)


def _mortal_destination(these: Copies, countdown: Countdown) -> Destination:
    """Every transaction counts with its commit, and every statement in it."""
    made = these.world.destination(Store(f"{these.world.home}/propagator"))
    begin = made._transaction

    @contextmanager
    def counted(*args: Any, **options: Any) -> Iterator[Any]:
        countdown.step()
        with begin(*args, **options) as session:
            for verb in ("_run", "_rows"):
                setattr(session, verb, _Mortal(session, countdown)._counted(getattr(session, verb)))
            yield session
            countdown.step()
        countdown.step()

    made._transaction = counted  # type: ignore[method-assign]  # it counts besides
    return made


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
@proven(30)
@given(deeds=st.lists(_deeds, min_size=5, max_size=16))
def test_postgres_has_what_the_sql_gives_whatever_died_on_the_way(
    make_lake: MakeLake,
    make_world: Callable[[DestinationName], World],
    tmp_path: Path,
    mode: str,
    deeds: list[Deed],
) -> None:
    life(make_lake, make_world("postgres"), tmp_path / str(next(_homes)), mode, deeds)


@pytest.mark.parametrize("mode", ["replace_partition", "upsert"])
@pytest.mark.parametrize("name", ["redshift", "mysql"])
@proven(6)
@given(deeds=st.lists(_deeds, min_size=5, max_size=16))
def test_so_have_redshift_and_mysql(
    make_lake: MakeLake,
    make_world: Callable[[DestinationName], World],
    tmp_path: Path,
    name: DestinationName,
    mode: str,
    deeds: list[Deed],
) -> None:
    life(make_lake, make_world(name), tmp_path / str(next(_homes)), mode, deeds)
