"""The part of `slice demo` about business tables: kept in step, copied into databases, repaired there, and back."""

from rich.console import Console
from rich.text import Text

from slice_platform.cli.refreshing import project_table, refresh_tables
from slice_platform.cli.runs import ingest_all, materialize_one
from slice_platform.components.propagator_runtime import open_destination, postgres_url
from slice_platform.components.refresh_sensor import to_do
from slice_platform.components.runtime import run_lake
from slice_platform.demo.scenario import LATE
from slice_platform.errors import AccountingError
from slice_platform.lake.query import query
from slice_platform.projections.in_step import Comparison, compare
from slice_platform.projections.projection import Projection, pick_projections
from slice_platform.settings import load_settings

TABLE, COPY, DAY = "carrier_punctuality", "rds.carrier_punctuality", f"{LATE}"
_BY_HAND = "UPDATE {table} SET on_time = on_time + 100 WHERE day = '{day}' AND carrier = 'UA'"
_BOTH_WAYS = """
with went as (select * exclude (_file_id, _row, _ingested_at) from curated.planes),
     came as (select * exclude (_file_id, _row, _ingested_at) from curated.fleet)
select (select count(*) from went) as planes, (select count(*) from came) as back,
       (select count(*) from (from went intersect from came)) as equal"""


def show_late_file(console: Console, *, is_first_time: bool) -> None:
    """A late file has opened two days again, and no others.

    Raises:
        AccountingError: it opened more, or fewer.
    """
    with run_lake() as lake:
        late = to_do(lake)
        opened = [what.split(" ")[0] for what in late.get(f"refresh_{TABLE}", [])]
    if is_first_time and len(opened) != 2:
        raise AccountingError(f"The late file of {LATE} opened {opened} of business.{TABLE} again, expected two days.")
    console.print(f"The late file holds two days of UTC: it opens {' and '.join(opened) or 'nothing'} again.")
    refresh_tables((), console)


def show_repair(console: Console) -> None:
    """Somebody changes a table in Postgres by hand: the check finds it, and one command repairs it.

    Raises:
        AccountingError: it was not found, or not repaired.
    """
    with run_lake() as lake:
        (copy,) = pick_projections(lake, COPY)
    console.print(Text(f"In Postgres, by hand: {_change_by_hand(copy)}"))
    (found,) = _compared(copy)
    if found.problem is None:
        raise AccountingError(f"{copy.ref} was changed by hand, and in_step does not see it.")
    console.print(Text(f"in_step {found.key}: {found.problem}"))
    project_table(COPY, DAY, console)
    (found,) = _compared(copy)
    if found.problem is not None:
        raise AccountingError(f"{copy.ref} was projected again, and is still not in step: {found.problem}")


def show_way_back(console: Console) -> None:
    """The planes, which were copied into Postgres, come back from there as a dataset of their own.

    Raises:
        AccountingError: they are others than went.
    """
    materialize_one(("database", "fleet"))
    ingest_all(["fleet"], console)
    with run_lake() as lake:
        ((planes, back, equal),) = [tuple(row.values()) for row in query(lake, _BOTH_WAYS).table.to_pylist()]
    if not planes == back == equal:
        raise AccountingError(f"{planes} planes went to Postgres, {back} came back, {equal} of them as they were.")
    console.print(f"{planes} planes went to Postgres and came back as curated.fleet, every value as it was.")


def _change_by_hand(copy: Projection) -> str:
    import psycopg

    sql = _BY_HAND.format(table=copy.name, day=DAY)
    with postgres_url(load_settings()) as url, psycopg.connect(url, dbname=copy.ref.database) as connection:
        connection.execute(sql.encode())
    return sql


def _compared(copy: Projection) -> list[Comparison]:
    with run_lake() as lake, open_destination(copy.ref) as destination:
        return compare(lake, destination, copy, [DAY])
