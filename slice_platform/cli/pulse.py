"""What the commands of `slice pulse` do and print. Without Dagster: a host of Heartbeat has none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from slice_platform.cli.notify import send_kept
from slice_platform.cli.operations import actor, print_outcome
from slice_platform.cli.tables import counted, grid
from slice_platform.components.pulse_runtime import (
    heartbeat_dir,
    look,
    monitors_to_run,
    probe_round,
    published_store,
    tell_failure,
    tell_problems,
    tell_refusal,
)
from slice_platform.errors import FenceRefused, MonitorsRefused, SliceError
from slice_platform.ops.fence import Mandate, Outcome
from slice_platform.ops.journal import Journal, open_journal
from slice_platform.ops.pulse import publish, sync
from slice_platform.ops.pulse.monitor_file import Problem
from slice_platform.ops.pulse.monitors_dir import read_dir
from slice_platform.ops.pulse.spec import load_spec
from slice_platform.ops.pulse.uptime import Result, Status
from slice_platform.ops.pulse.watcher import watches
from slice_platform.settings import load_settings

_COLOURS = {Status.UP: "green", Status.DOWN: "red", Status.UNKNOWN: "yellow"}


@dataclass(frozen=True)
class Asked:
    """The options of the fence."""

    apply: bool
    max_resources: int | None
    max_share: float | None


def validate_dir(directory: Path | None, console: Console) -> None:
    """Print every problem of the directory, or that there is none.

    Raises:
        MonitorsRefused: there are problems.
        SettingsError: there is no such directory.
    """
    path = directory or load_settings().pulse_monitors_dir
    found = read_dir(path)
    _print_problems(found.problems(), console, below=path)
    _refuse(found.problems(), f"of {len(found.files)} in {path}")
    console.print(
        f"{path}: {counted(len(found.files), 'file')}, {counted(len(found.monitors()), 'monitor')}, all right."
    )


def publish_dir(directory: Path | None, asked: Asked, console: Console) -> None:
    """Raises MonitorsRefused where files were wrong, once the others are published; FenceRefused."""
    settings = load_settings()
    path = directory or settings.pulse_monitors_dir

    def work(mandate: Mandate, journal: Journal) -> publish.Delivered:
        return publish.publish(read_dir(path), published_store(settings), mandate, journal)

    _fenced(publish.JOB, settings.pulse_root, asked, work, console)


def sync_dir(directory: Path | None, asked: Asked, console: Console) -> None:
    """Raises MonitorsRefused where files were refused, once the others are there; FenceRefused."""
    settings = load_settings()
    heartbeat = heartbeat_dir(settings, directory)

    def work(mandate: Mandate, journal: Journal) -> publish.Delivered:
        return sync.sync(published_store(settings), heartbeat, mandate, journal)

    _fenced(sync.JOB, str(heartbeat.path), asked, work, console)


def probe_dir(directory: Path | None, console: Console, *, is_recorded: bool, only_due: bool) -> None:
    """Run the monitors and print what each endpoint said. A service that is down is no error of the command."""
    settings = load_settings()
    spec, path = load_spec(settings.defs_dir), directory or monitors_to_run(settings)
    done = probe_round(settings, spec, path, only_due=only_due) if is_recorded else look(spec, path)
    _print_problems(done.unread, console, below=path)
    _print_results(done.results, console)
    for alert in done.alerts:
        console.print(Text(f"Told: {alert.heading}", "yellow"))
    if done.key:
        console.print(f"Recorded as {done.key}. Next: slice ingest {spec.probe.dataset}")
    if done.alerts:
        send_kept()


def write_watches(directory: Path | None, out: Path | None) -> None:
    """Print the watches, or write each to a file; what is not to be watched any more is not removed anywhere.

    Raises:
        MonitorsRefused: files are wrong, once the watches of the others are there.
    """
    settings = load_settings()
    spec, found = load_spec(settings.defs_dir), read_dir(directory or settings.pulse_monitors_dir)
    made = watches(found.monitors(), spec.watcher, spec.channel or settings.ops_channel)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        if out is None:
            click.echo(f"PUT _watcher/watch/{name}\n{text}")
        else:
            (out / f"{name}.json").write_text(text, encoding="utf-8")
    if out is not None:
        click.echo(f"{counted(len(made), 'watch' if len(made) == 1 else 'watche')} in {out}.")
    for problem in found.problems():
        click.secho(f"{found.path}/{problem}", fg="red", err=True)
    _refuse(found.problems(), "have no watch; the others have theirs")


def _fenced(
    job: str, target: str, asked: Asked, work: Callable[[Mandate, Journal], publish.Delivered], console: Console
) -> None:
    settings = load_settings()
    limits = load_spec(settings.defs_dir).limits.but(asked.max_resources, asked.max_share)
    mandate = Mandate(actor(), asked.apply, limits, lambda line: console.print(Text(line)))
    with open_journal(settings) as journal:
        try:
            done = work(mandate, journal)
        except FenceRefused as refused:
            tell_refusal(job, refused, mandate.actor, settings)
            send_kept()
            raise
        except SliceError as error:
            if asked.apply:  # else a person reads it right now
                tell_failure(job, target, error, settings)
                send_kept()
            raise
    if done.outcome is not None:
        print_outcome(done.outcome, console)
    _print_problems(done.problems, console)
    if asked.apply and (done.outcome or done.problems):
        _tell(job, target, done)
    _refuse(done.problems, "kept their last good version, or were left out; all others were dealt with")


def _tell(job: str, target: str, done: publish.Delivered) -> None:
    """Who has to know is told, and Slack is tried now: no daemon may be there to do it."""
    if done.outcome is not None:
        _tell_outcome(done.outcome)
    if done.problems:
        tell_problems(job, target, done.problems, load_settings())
    send_kept()


def _tell_outcome(outcome: Outcome) -> None:
    from slice_platform.components.operations import tell_outcome  # Dagster costs a second; most syncs change nothing

    tell_outcome(outcome, actor=actor())


def _refuse(problems: Sequence[Problem], what: str) -> None:
    if problems:
        files = len({one.file for one in problems})
        raise MonitorsRefused(f"{counted(len(problems), 'problem')}: {counted(files, 'file')} {what}.")


def _print_problems(problems: Sequence[Problem], console: Console, *, below: Path | None = None) -> None:
    for problem in problems:
        console.print(Text(f"{below}/{problem}" if below else str(problem), "red"), soft_wrap=True)


def _print_results(results: Sequence[Result], console: Console) -> None:
    table = grid("Endpoints", "service", "endpoint", "status", "ms", "why", right=("ms",))
    for one in results:
        table.add_row(
            Text(one.endpoint.service),
            Text(one.endpoint.name),
            Text(one.status.value, _COLOURS[one.status]),
            f"{one.latency_ms:.1f}" if one.latency_ms is not None else "-",
            Text(one.error or ""),
        )
    console.print(table if results else "Nothing was due.")
