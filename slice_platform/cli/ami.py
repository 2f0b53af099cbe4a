"""`slice ami`: what there is of a service, releases, rollbacks and pruning, with the core alone."""

import subprocess
from collections.abc import Callable

import click

from slice_platform.cli.operations import actor, fence_options, print_outcome, told
from slice_platform.ops.ami.account import Account
from slice_platform.ops.ami.spec import Service
from slice_platform.ops.fence import Mandate, Outcome
from slice_platform.ops.journal import Journal


@click.group()
def ami() -> None:
    """Releases of services as images: build, test, promote, refresh, prune - or put the version before back."""


@ami.command("list")
@click.argument("service", required=False)
def list_service(service: str | None) -> None:
    """Print images, template versions and releases of SERVICE, and who uses what; without it the services."""
    from slice_platform.cli.ami_tables import print_service
    from slice_platform.cli.tables import terminal
    from slice_platform.ops.ami.services import read_services
    from slice_platform.settings import load_settings

    if service is None:
        for one in read_services(load_settings().defs_dir).values():
            click.echo(f"{one.name}: branch {one.spec.branch}, group {one.spec.auto_scaling_group}")
        return
    _with_service(service, lambda found, journal, account: print_service(found, journal, account, terminal()))


@ami.command()
@click.argument("service")
@click.option("--commit", help="Whose image; default: the one that is checked out here.")
@fence_options
def release(service: str, commit: str | None, apply: bool, max_resources: int | None, max_share: float | None) -> None:
    """Release a commit of SERVICE: its image reaches every instance, or the version before is put back.

    Without --apply it is planned, step by step. A release that was cut short goes on where it stopped.
    """
    from slice_platform.components.ami import opened_releaser
    from slice_platform.ops.ami.releases import STEPS

    found = _service(service)
    mandate = Mandate(actor(), apply, found.spec.limits.but(max_resources, max_share), click.echo)
    named = commit or _checked_out()
    what = f"release of {service}@{named[:12]}"
    with told(what, mandate), opened_releaser(found, named, mandate) as releaser:
        for step in STEPS:
            click.secho(f"{step}", bold=True)
            _tell(releaser.do(step), mandate)
    click.echo("Released." if apply else "Planned only. Carry it out with --apply.")


@ami.command("rollback")
@click.argument("service")
@click.option("--to", "to_version", type=int, help="Version of the launch template; default: before the last release.")
@fence_options
def roll_back(
    service: str, to_version: int | None, apply: bool, max_resources: int | None, max_share: float | None
) -> None:
    """Make an earlier version of SERVICE's launch template the default again, and have the group run it."""
    from slice_platform.ops.ami.releases import Releases, rollback_target
    from slice_platform.ops.ami.rollout import rollback

    def work(found: Service, journal: Journal, account: Account) -> None:
        mandate = Mandate(actor(), apply, found.spec.limits.but(max_resources, max_share), click.echo)
        versions = account.versions(found.spec.launch_template)
        to = to_version or rollback_target(Releases(journal.db), found.name, versions)
        with told(f"rollback of {service} to version {to}", mandate):
            _finish(rollback(account, found, journal, mandate, to_version=to), mandate)

    _with_service(service, work)


@ami.command("prune")
@click.argument("service")
@fence_options
def prune_service(service: str, apply: bool, max_resources: int | None, max_share: float | None) -> None:
    """Remove old versions and images of SERVICE with their snapshots, but for those in use."""
    from slice_platform.ops.ami.prune import prune

    def work(found: Service, journal: Journal, account: Account) -> None:
        mandate = Mandate(actor(), apply, found.spec.limits.but(max_resources, max_share), click.echo)
        with told(f"pruning of {service}", mandate):
            _finish(prune(account, found, journal, mandate), mandate)

    _with_service(service, work)


def _finish(outcome: Outcome, mandate: Mandate) -> None:
    from slice_platform.cli.tables import terminal

    _tell(outcome, mandate)
    print_outcome(outcome, terminal())


def _tell(outcome: Outcome | None, mandate: Mandate) -> None:
    from slice_platform.components.operations import tell_outcome

    if outcome is not None:
        tell_outcome(outcome, actor=mandate.actor)


def _service(name: str) -> Service:
    from slice_platform.ops.ami.services import service_of
    from slice_platform.settings import load_settings

    return service_of(load_settings().defs_dir, name)


def _with_service(name: str, work: Callable[[Service, Journal, Account], None]) -> None:
    from slice_platform.aws import AwsAccess
    from slice_platform.ops.journal import open_journal
    from slice_platform.settings import load_settings

    settings, found = load_settings(), _service(name)
    with open_journal(settings) as journal:
        work(found, journal, Account(AwsAccess.of(settings)))


def _checked_out() -> str:
    """The commit of the folder that the command is called in."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607
    if done.returncode != 0:
        raise click.UsageError("Which commit? Here is no checkout of git: name it with --commit.")
    return done.stdout.strip()
