"""The propagator's part of `slice demo`: two tables on Postgres and on Redshift's stand-in, every count checked."""

from collections.abc import Iterable

from rich.console import Console

from slice_platform.cli.propagate import run_tables
from slice_platform.components.propagator_runtime import propagator_store
from slice_platform.demo.drops import Drop, drops
from slice_platform.errors import AccountingError
from slice_platform.settings import Settings
from slice_platform.warehouse.drop_path import DestinationName
from slice_platform.warehouse.outcome import Done, Failed, Outcome

DESTINATIONS: tuple[DestinationName, ...] = ("postgres", "redshift")


def propagate_demo(settings: Settings, console: Console) -> None:
    """Drop files in three waves and work them off, each time on both databases.

    Raises:
        AccountingError: a file did not do what it had to.
    """
    store = propagator_store(settings)
    for wave in zip(*(drops(name) for name in DESTINATIONS), strict=True):
        files = [drop for of_destination in wave for drop in of_destination]
        for drop in files:
            store.write(drop.key, drop.content)
        outcomes, broken = run_tables(settings, console)
        if broken:
            raise AccountingError(f"Working off the demo's files: {'; '.join(broken)}")
        _compare(files, outcomes)
    console.print("[green]Every file did what it had to.[/] The one typed by hand failed, as it should.\n")


def _compare(files: Iterable[Drop], outcomes: Iterable[Outcome]) -> None:
    found = {one.dropped.path.key: one for one in outcomes if isinstance(one, Done | Failed)}
    for drop in files:
        outcome = found.get(drop.key)
        counts = outcome.applied.counts if isinstance(outcome, Done) else None
        if outcome is None or counts != drop.expected:
            raise AccountingError(f"Loading {drop.key!r} of the demo: {outcome!r}, not {drop.expected!r}.")
