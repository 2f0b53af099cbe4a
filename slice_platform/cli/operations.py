"""What the commands of operations share: the options of the fence, who asks, and the journal as a person reads it."""

import getpass
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import click
from rich.console import Console
from rich.text import Text

from slice_platform.errors import SliceError
from slice_platform.ops.fence import Mandate, Outcome
from slice_platform.ops.journal import Journal

_Command = TypeVar("_Command", bound=Callable[..., object])


def fence_options(command: _Command) -> _Command:
    """`--apply`, `--max-resources` and `--max-share`, for a command that changes something."""
    for option in (
        click.option("--max-share", type=click.FloatRange(0, 1), help="Most of what exists of a kind that may go."),
        click.option("--max-resources", type=click.IntRange(0), help="Most things that may go."),
        click.option("--apply", "apply", is_flag=True, help="Do it. Without, only the plan is made and printed."),
    ):
        command = option(command)
    return command


def actor() -> str:
    """The person at the terminal, as the journal and Slack name them."""
    return f"user {getpass.getuser()} on {socket.gethostname()}"


@contextmanager
def told(what: str, mandate: Mandate) -> Iterator[None]:
    """What was told within the block is sent before the command ends, and so is its error; of plans alone none is."""
    try:
        yield
    except SliceError as error:
        if mandate.apply:
            from slice_platform.components.operations import tell_failure

            tell_failure(what, error, actor=mandate.actor)
        raise
    finally:
        if mandate.apply:
            from slice_platform.cli.notify import send_kept

            send_kept()


def print_outcome(outcome: Outcome, console: Console) -> None:
    """What became of a plan that was told line by line already."""
    console.print(Text(outcome.summary()))
    if not outcome.was_applied and outcome.plan.changes:
        console.print("Carry it out with --apply.")


def print_log(journal: Journal, console: Console, *, most: int, job: str | None) -> None:
    """The latest plans, the newest first."""
    from slice_platform.cli.tables import grid

    heads = ("opened (UTC)", "job", "of", "by", "state")
    table = grid("Operations", "plan", *heads, right=("plan",))
    if not (rows := journal.latest(most=most, job=job)):
        console.print("No plan yet.")
        return
    for row in rows:
        table.add_row(
            str(row.id),
            f"{row.opened_at:%Y-%m-%d %H:%M:%S}",
            row.job,
            Text(row.target),
            Text(row.actor),
            row.state.value,
        )
    console.print(table)


def print_plan(journal: Journal, plan_id: int, console: Console) -> None:
    """One plan with its acts, and what is kept to undo each.

    Raises:
        SettingsError: there is no such plan.
    """
    row = journal.plan(plan_id)
    console.print(
        Text(f"{row.job} of {row.target}, by {row.actor}, {row.opened_at:%Y-%m-%d %H:%M:%S} UTC: {row.state}")
    )
    if row.error:
        console.print(Text(f"  {row.error}"))
    for act in journal.acts(plan_id):
        console.print(Text(f"  {act.number + 1}. {act.change} [{act.state}]{f' {act.error}' if act.error else ''}"))
        if act.change.undo != "{}":
            console.print(Text(f"     to undo: {act.change.undo}"))


@click.group()
def ops() -> None:
    """What operations did: every plan, by whom, and what is kept to undo it."""


@ops.command("log")
@click.option("--job", help="Only plans of this job, such as ami_prune.")
@click.option("--most", default=20, show_default=True, help="How many.")
def log(job: str | None, most: int) -> None:
    """List the latest plans."""
    from slice_platform.cli.tables import terminal
    from slice_platform.ops.journal import open_journal
    from slice_platform.settings import load_settings

    with open_journal(load_settings()) as journal:
        print_log(journal, terminal(), most=most, job=job)


@ops.command("show")
@click.argument("plan", type=int)
def show(plan: int) -> None:
    """Print PLAN with its acts, and what is kept to undo each."""
    from slice_platform.cli.tables import terminal
    from slice_platform.ops.journal import open_journal
    from slice_platform.settings import load_settings

    with open_journal(load_settings()) as journal:
        print_plan(journal, plan, terminal())
