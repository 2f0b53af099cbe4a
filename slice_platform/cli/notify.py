"""`slice notify`: tell people in Slack what happened, from a shell or a cron."""

import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from slice_platform.errors import NotificationRefused, SlackUnavailable
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.notification import Notification, channel_name
from slice_platform.notify.outbox import State
from slice_platform.notify.redact import redact

_TAIL_LINES = 200
_MOST_SECONDS = 10.0  # that a command waits for Slack once its work is done
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126  # as a shell has it


@dataclass(frozen=True)
class Ended:
    """What became of a command. `tail` are the last lines of what it printed."""

    command: str
    code: int
    seconds: float
    tail: str


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
        sys.exit(run_and_tell(wanted.channel, wanted.command, wanted.heading, wait_seconds=wanted.wait_seconds))
    if wanted.command:
        raise click.UsageError(f"Unexpected: {shlex.join(wanted.command)}. A command needs --on-exit before the --.")
    send(_notification(wanted), wait_seconds=wanted.wait_seconds)


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
        jarvis.deliver(seconds=wait_seconds)
        kept = jarvis.kept(receipt)
        if kept.state is State.REFUSED:
            raise NotificationRefused(f"The notification was refused: {kept.error}", code="refused")
        if kept.state not in (State.SENT, State.MERGED):
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
    """What runs of this command told is sent; no daemon may be there to do it. What Slack does not take now is kept."""
    with open_jarvis() as jarvis:
        jarvis.deliver(seconds=_MOST_SECONDS)


def print_standing(console: Console) -> None:
    """One line; what waits too long is red, with the reason."""
    with open_jarvis() as jarvis:
        stuck, found = jarvis.stuck(), jarvis.standing()
    refused = f", {found.refused} refused (once mended: slice notify --retry)" if found.refused else ""
    line = Text(f"{stuck}{refused}" if stuck else f"Notifications: {found.waiting} wait{refused}")
    console.print(line, style="red" if stuck else "", soft_wrap=True)


def run_and_tell(channel: str, command: Sequence[str], heading: str | None, *, wait_seconds: float) -> int:
    """Run a command as it is, then tell how it ended, with the end of its log; its exit code."""
    ended = run(command)
    with tempfile.TemporaryDirectory(prefix="slice-notify-") as folder:
        log = Path(folder) / f"{Path(command[0]).name}.log"
        log.write_text(redact(ended.tail), encoding="utf-8")
        attachments = (str(log),) if ended.tail else ()
        one = Notification(channel_name(channel), _how_it_ended(ended), heading or _title(ended), attachments)
        try:
            send(one, wait_seconds=wait_seconds)
        except (NotificationRefused, SlackUnavailable) as error:
            click.secho(f"slice: {error}", fg="red", err=True)  # the code is the command's, which the cron is about
    return ended.code


def run(command: Sequence[str]) -> Ended:
    """Its output is shown as it comes. A command that cannot be started ends as in a shell."""
    started, shown = time.monotonic(), redact(shlex.join(command))
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        code = _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_EXECUTABLE
        return Ended(shown, code, 0.0, f"{command[0]}: {error.strerror}\n")
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            tail.append(line.decode("utf-8", "replace"))
    code = process.returncode
    return Ended(shown, code if code >= 0 else 128 - code, time.monotonic() - started, "".join(tail))


def _title(ended: Ended) -> str:
    return f"{ended.command.split()[0]} {'succeeded' if ended.code == 0 else 'failed'}"


def _how_it_ended(ended: Ended) -> str:
    how = "succeeded" if ended.code == 0 else f"failed with exit code {ended.code}"
    return f"`{ended.command}` {how} after {_duration(ended.seconds)} on {socket.gethostname()}."


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else "", f"{rest:.0f} s" if rest >= 1 else ""]
    return " ".join(part for part in parts if part) or f"{seconds:.2f} s"
