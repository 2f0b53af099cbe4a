"""`slice custodian`: check policies, sweep accounts, and read what was found."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from slice_platform.cli.operations import fence_options

if TYPE_CHECKING:
    from rich.console import Console

    from slice_platform.components.sweeping import Done
    from slice_platform.ops.custodian.spec import CustodianSpec
    from slice_platform.settings import Settings

FOLDER = "custodian"  # below the definitions


@click.group()
def custodian() -> None:
    """Cloud Custodian: which resources of which accounts break a policy. docs/custodian.md tells how."""


@custodian.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def validate(folder: Path | None) -> None:
    """Check every policy, and without FOLDER accounts and exceptions as well. No account is asked."""
    from slice_platform.aws import AwsAccess
    from slice_platform.cli.custodian_tables import print_policies
    from slice_platform.cli.tables import counted, terminal
    from slice_platform.ops.custodian.library import validate as c7n_takes
    from slice_platform.ops.custodian.policies import read_policies
    from slice_platform.ops.custodian.sweep import read_book

    settings, spec = _deployed()
    if folder is None:
        book = read_book(spec, AwsAccess.of(settings))
        print_policies(book.policies, terminal())
        rest = f"{counted(len(book.accounts), 'account')}, {counted(len(book.exceptions), 'exception')}"
        click.echo(f"All valid: {rest}, and the policies above.")
        return
    policies = read_policies(str(folder), AwsAccess.of(settings))
    c7n_takes(policies)
    print_policies(policies, terminal())
    click.echo(f"{folder}: all valid.")


@custodian.command()
@click.option("--account", "accounts", multiple=True, help="Name or number; may be given several times. Default: all.")
@click.option("--policy", "policies", multiple=True, help="May be given several times. Default: all.")
@fence_options
def sweep(
    accounts: tuple[str, ...],
    policies: tuple[str, ...],
    apply: bool,
    max_resources: int | None,
    max_share: float | None,
) -> None:
    """Ask the policies in the accounts, and print what is new, fixed and still open.

    With --apply critical policies are carried out, where accounts.yaml allows it, in the canary account first.
    Exit code 1: an account or a policy could not be looked at, or a fix did not hold.
    """
    from slice_platform.cli.notify import send_kept
    from slice_platform.cli.operations import actor
    from slice_platform.cli.tables import terminal
    from slice_platform.components.sweeping import sweep_and_tell
    from slice_platform.ops.custodian.sweep import Selection
    from slice_platform.ops.fence import Mandate

    settings, spec = _deployed()
    mandate = Mandate(actor(), apply, spec.limits.but(max_resources, max_share), click.echo)
    try:
        done = sweep_and_tell(spec, settings, mandate, Selection(accounts, policies))
        _print(done, terminal(), apply=apply)
    finally:
        send_kept()


@custodian.command()
@click.option("--open", "only_open", is_flag=True, help="Only those that are open.")
def findings(only_open: bool) -> None:
    """List how every finding stands after the last sweep, the worst first."""
    from slice_platform.cli.custodian_tables import print_failed_looks, print_findings
    from slice_platform.cli.tables import terminal
    from slice_platform.ops.custodian.state import open_state
    from slice_platform.settings import load_settings

    with open_state(load_settings()) as state:
        print_findings(state.standings(), terminal(), only_open=only_open)
        print_failed_looks(state.last_looks(), terminal())


@custodian.command()
def exceptions() -> None:
    """List the exceptions: who answers for what until when, and which have expired."""
    from datetime import UTC, datetime

    from slice_platform.aws import AwsAccess
    from slice_platform.cli.custodian_tables import print_exceptions
    from slice_platform.cli.tables import terminal
    from slice_platform.ops.custodian.exceptions import Exceptions, read_exceptions
    from slice_platform.ops.custodian.policies import read_policies
    from slice_platform.ops.custodian.state import open_state

    settings, spec = _deployed()
    access = AwsAccess.of(settings)
    names = [one.name for one in read_policies(spec.policies, access)]
    known = Exceptions(read_exceptions(spec.exceptions, access, names), datetime.now(UTC).date())
    with open_state(settings) as state:
        print_exceptions(known, state.standings(), terminal())


def _deployed() -> "tuple[Settings, CustodianSpec]":
    """The settings, and the sweep that the definitions describe."""
    from slice_platform.ops.custodian.spec import read_spec
    from slice_platform.settings import load_settings

    settings = load_settings()
    return settings, read_spec(settings.defs_dir / FOLDER)


def _print(done: "Done", console: "Console", *, apply: bool) -> None:
    """Raises SweepFailed where something was left out."""
    from rich.text import Text

    from slice_platform.errors import SweepFailed

    console.print(Text(done.digest.heading, "bold"))
    console.print(Text(done.digest.text or "Every policy was asked everywhere, and found nothing."))
    console.print(Text(f"Rows: {done.landed}. Next: slice ingest custodian_findings"))
    if not apply and any(one.outcome is not None for one in done.report.applied):
        console.print("Nothing was changed. Fix what is critical with --apply.")
    if done.problems:
        raise SweepFailed("\n".join(done.problems))
