"""What `slice refresh`, `slice project` and `slice sql` do, on the instance that the UI shows, and print."""

from collections.abc import Iterable, Sequence

import click
import dagster as dg
from rich.console import Console

from slice_platform.cli.corrections import keys_between
from slice_platform.cli.notify import send_kept
from slice_platform.cli.runs import materialize, run_job
from slice_platform.cli.tables import counted
from slice_platform.components.projection_events import key_of
from slice_platform.components.refresh import REFRESH_PREFIX
from slice_platform.components.refresh_sensor import to_do
from slice_platform.components.runtime import run_lake
from slice_platform.errors import PermanentError, UnknownDataset
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.translation import Dialect, translate
from slice_platform.lake.lake import Lake
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.projections.projection import Projection, pick_projections


def refresh_tables(names: Sequence[str], console: Console) -> dict[str, int]:
    """Run the refresh of every table that is behind, until none is; job -> partitions that were behind.

    A named table brings those along that it is made from. What a run could not bring up to date is told, and is not
    tried again; the others go on.

    Raises:
        PermanentError: runs failed, or partitions stay behind; the message says where to look.
    """
    from slice_platform.definitions import defs  # loads every folder below defs/

    with run_lake() as lake:
        wanted = _with_sources(lake, names)
    done: dict[str, int] = {}
    tried: dict[str, set[str]] = {}
    failures: list[str] = []
    definitions = None
    try:
        with dg.DagsterInstance.get() as instance:
            while late := _late(wanted, tried):
                definitions = definitions or defs()
                for job, what in late.items():
                    tried.setdefault(job, set()).update(what)
                    done[job] = done.get(job, 0) + len(what)
                    console.print(f"{job}: {counted(len(what), 'partition')} behind", highlight=False)
                    try:
                        run_job(definitions, instance, job, console)
                    except PermanentError as error:  # told at the end: it keeps no other table
                        failures.append(str(error))
    finally:
        send_kept()
    _refuse_rest(_late(wanted, {}), failures)
    if not done:
        console.print("Nothing is behind.")
    return done


def _with_sources(lake: Lake, names: Sequence[str]) -> frozenset[str]:
    """The jobs of these tables, or of all, and of the business tables that they are made from."""
    if not names:
        return frozenset(f"{REFRESH_PREFIX}{name}" for name in (*lake.datasets, *lake.business))
    found: dict[str, None] = {}
    left = [lake.table(name) for name in names]
    while left:
        table = left.pop()
        found[f"{REFRESH_PREFIX}{table.name}"] = None
        if isinstance(table, BusinessTable):
            left += [lake.table(one) for one in table.reads]
    return frozenset(found)


def _late(wanted: frozenset[str], tried: dict[str, set[str]]) -> dict[str, list[str]]:
    """What is behind, of tables of which not all was tried in just this state."""
    with run_lake() as lake:
        return {job: what for job, what in to_do(lake).items() if job in wanted and set(what) - tried.get(job, set())}


def _refuse_rest(rest: dict[str, list[str]], failures: Sequence[str]) -> None:
    if failures:
        raise PermanentError("\n".join(failures))
    if rest:
        told = "; ".join(f"{job.removeprefix(REFRESH_PREFIX)}: {len(what)}" for job, what in rest.items())
        raise PermanentError(
            f"Refreshing: partitions stay behind ({told}). A check refuses them, or the database does: see the run's "
            "log and the checks of the table in the UI, mend the model or the data, and run it again."
        )


def project_table(name: str, partitions: str | None, console: Console) -> None:
    """Bring partitions of a table into its databases anew, and compare both sides.

    Raises:
        PermanentError: a run failed, or the sides differ.
    """
    from slice_platform.definitions import defs  # loads every folder below defs/

    with run_lake() as lake:
        wanted = [(one, _keys(lake, one, partitions)) for one in pick_projections(lake, name)]
    definitions = defs()
    with dg.DagsterInstance.get() as instance:
        for projection, keys in wanted:
            for some in _ranges(projection, keys):
                _refuse_drift(projection, materialize(definitions, instance, key_of(projection), some))
            console.print(
                f"{projection.ref}: {counted(len(keys), 'partition')} brought and compared, equal on both sides"
            )


def _refuse_drift(projection: Projection, evaluations: Sequence[dg.AssetCheckEvaluation]) -> None:
    """The check does not fail its run: the sensor of alerts tells it, and here the message does."""
    if wrong := [one for one in evaluations if not one.passed]:
        told = "\n".join(dict.fromkeys(str(one.description) for one in wrong))
        raise PermanentError(f"{projection.ref} was brought, and differs from the lake again already:\n{told}")


def print_sql(name: str, dialect: str, partition: str | None) -> None:
    """Print a model, on its own, so that it can be piped; what to know of it goes to the other stream."""
    with run_lake() as lake:
        table = lake.business.get(name.removeprefix("business."))
    if table is None:
        known = ", ".join(lake.business) or "none"
        raise UnknownDataset(f"No business table is called {name!r}; there are: {known}.")
    window = None
    if partition is not None:
        window = table.window(_one_key(table, partition))
    if dialect == "duckdb":
        click.echo(table.bound.text.sql.strip() if window is None else table.bound.sql_at(window.start, window.end))
        return
    made = translate(
        table.bound, _dialect(dialect), start=window.start if window else None, end=window.end if window else None
    )
    click.echo(made.sql)
    for warning in made.warnings:
        click.secho(f"-- {warning}", fg="yellow", err=True)
    if made.parameters:
        click.secho(f"-- parameters, in their order: {', '.join(made.parameters)}", err=True)


def _one_key(table: BusinessTable, partition: str) -> str:
    if table.partition is None:
        raise PermanentError(f"Partition {partition!r} of {table.name!r}: the table has none. Leave --partition out.")
    keys = keys_between(table, partition)
    if len(keys) > 1:
        raise PermanentError(f"Partition {partition!r} of {table.name!r}: expected one, such as {keys[0]}.")
    return keys[0]


def _dialect(name: str) -> Dialect:
    dialects: dict[str, Dialect] = {"athena": "athena", "redshift": "redshift", "spark": "spark"}
    return dialects[name]


def _keys(lake: Lake, projection: Projection, partitions: str | None) -> list[str]:
    """The partitions that the lake has, as far as they are asked for."""
    known = [row.partition_key for row in lake.ledger.list_partitions(projection.source.ledger_key)]
    if partitions is None:
        return known
    wanted = keys_between(projection.source, partitions)
    found = [key for key in wanted if key in known]
    if not found:
        raise PermanentError(
            f"Projecting {partitions!r} of {projection.source.name!r}: the lake has no such partition; it has "
            f"{known[0] if known else 'none'} to {known[-1] if known else 'none'}."
        )
    return found


def _ranges(projection: Projection, keys: Sequence[str]) -> Iterable[list[str]]:
    """The keys in runs without a gap, as one run of Dagster takes them."""
    if projection.source.partition is None:
        return [[WHOLE_TABLE]] if keys else []
    every = keys_between(projection.source, f"{keys[0]}..{keys[-1]}") if keys else []
    found: list[list[str]] = []
    for before, key in zip([None, *every], every, strict=False):
        if key in keys:
            if found and found[-1][-1] == before:
                found[-1].append(key)
            else:
                found.append([key])
    return found
