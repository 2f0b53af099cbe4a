"""`slice notify`: tell people in Slack what happened, from a shell or a cron."""

import shlex
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from slice_platform.cli.watched_command import Ended, run
from slice_platform.errors import NotificationRefused, SlackUnavailable
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.kept import State
from slice_platform.notify.notification import Notification, channel_name
from slice_platform.notify.redact import redact
from slice_platform.notify.slack_text import quoted

_MOST_SECONDS = 10.0  # that a command waits for Slack once its work is done


@dataclass(frozen=True)
class Wanted:
    """The command line."""

    channel: str | None
    message: str | None
    heading: str | None
    attachments: tuple[str, ...]
    key: str | None
    on_exit: bool
    retry: bool
    wait_seconds: float
    command: tuple[str, ...]


def carry_out(wanted: Wanted) -> None:
    """Do what the command line says, or tell how it has to be."""
    if wanted.retry:
        try_again(wait_seconds=wanted.wait_seconds)
        return
    if wanted.channel is None:
        raise click.UsageError("Say where: --channel NAME.")
    if wanted.on_exit:
        if not wanted.command:
            raise click.UsageError("Say what to run: --on-exit -- COMMAND ...")
        sys.exit(run_and_tell(_channel(wanted), wanted.command, wanted.heading, wait_seconds=wanted.wait_seconds))
    if wanted.command:
        raise click.UsageError(f"Unexpected: {shlex.join(wanted.command)}. A command needs --on-exit before the --.")
    send(_notification(wanted), wait_seconds=wanted.wait_seconds)


def _channel(wanted: Wanted) -> str:
    """Its name, before anything is run that could not be told of."""
    try:
        return channel_name(wanted.channel or "")
    except NotificationRefused as refused:
        raise click.UsageError(str(refused)) from refused


def _notification(wanted: Wanted) -> Notification:
    text = (sys.stdin.read() if wanted.message == "-" else wanted.message or "").strip()
    if not text:
        raise click.UsageError("Say what: --message TEXT, or --message - to read it.")
    one = Notification(channel_name(wanted.channel or ""), text, wanted.heading, wanted.attachments)
    return one if wanted.key is None else replace(one, key=wanted.key)


def send(one: Notification, *, wait_seconds: float) -> None:
    """Keep a notification and send it.

    Raises:
        NotificationRefused: it will not be sent; the error channel was told.
        SlackUnavailable: it is kept, and not sent yet.
    """
    with open_jarvis() as jarvis:
        receipt = jarvis.tell(one)
        jarvis.deliver(seconds=wait_seconds, first=one.channel)
        kept = jarvis.kept(receipt)
        if kept.state is State.REFUSED:
            raise NotificationRefused(f"The notification was refused: {kept.error}", code="refused")
        if kept.state is not State.SENT:
            why = jarvis.standing().error or "other messages go first, one a second"
            raise SlackUnavailable(f"The notification is kept as #{kept.id}, and not sent yet: {why}")


def try_again(*, wait_seconds: float) -> None:
    """What was refused is sent again, and all that waits."""
    with open_jarvis() as jarvis:
        again = jarvis.outbox.try_refused_again()
        jarvis.deliver(seconds=wait_seconds)
        found = jarvis.standing()
    click.echo(f"{again} were tried again; {found.waiting} wait, {found.refused} are refused.")


def send_kept() -> None:
    """What runs of this command told is sent; no daemon may be there to do it. What Slack does not take now is kept.

    Never raises: the command is about what it did.
    """
    with _said_only(), open_jarvis() as jarvis:
        jarvis.deliver(seconds=_MOST_SECONDS)


def print_standing(console: Console) -> None:
    """One line; what waits too long is red, with the reason.

    Raises:
        SlackUnavailable: notifications wait too long.
    """
    with open_jarvis() as jarvis:
        stuck, found = jarvis.stuck(), jarvis.standing()
    refused = f", {found.refused} refused (once mended: slice notify --retry)" if found.refused else ""
    line = Text(f"{stuck}{refused}" if stuck else f"Notifications: {found.waiting} wait{refused}")
    console.print(line, style="red" if stuck else "", soft_wrap=True)
    if stuck:
        raise SlackUnavailable(stuck)


def run_and_tell(channel: str, command: Sequence[str], heading: str | None, *, wait_seconds: float) -> int:
    """Run a command as it is, then tell how it ended, with the end of its log; its exit code, whoever can be told."""
    ended = run(command)
    with _said_only(), tempfile.TemporaryDirectory(prefix="slice-notify-") as folder:
        log = Path(folder) / f"{Path(command[0]).name}.log"
        log.write_text(redact(ended.tail), encoding="utf-8")
        attachments = (str(log),) if ended.tail else ()
        one = Notification(channel, _how_it_ended(ended), heading or _title(ended), attachments)
        send(one, wait_seconds=wait_seconds)
    return ended.code


@contextmanager
def _said_only() -> Iterator[None]:
    """What goes wrong in telling, or cuts it short, is said on stderr: the exit code is about something else."""
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- as above
        click.secho(f"slice: {str(error) or type(error).__name__}", fg="red", err=True)


def _title(ended: Ended) -> str:
    return f"{ended.command.split()[0]} {'succeeded' if ended.code == 0 else 'failed'}"


def _how_it_ended(ended: Ended) -> str:
    how = "succeeded" if ended.code == 0 else f"failed with exit code {ended.code}"
    return f"`{quoted(ended.command)}` {how} after {_duration(ended.seconds)} on {socket.gethostname()}."


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest:.0f} s" if rest >= 1 else ""]
    return " ".join(part for part in parts if part) or f"{seconds:.2f} s"
