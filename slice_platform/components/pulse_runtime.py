"""Where Pulse of this deployment works, and who is told of it. Without Dagster: a host of Heartbeat has none."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from slice_platform.aws import AwsAccess
from slice_platform.errors import FenceRefused, SettingsError, SliceError
from slice_platform.lake.lake import LANDING
from slice_platform.metadata_db import MetadataDb
from slice_platform.notify.jarvis import notify
from slice_platform.notify.slack_text import code, quoted
from slice_platform.ops.pulse.heartbeat_dir import HeartbeatDir
from slice_platform.ops.pulse.monitor_file import Problem
from slice_platform.ops.pulse.monitors_dir import MonitorsDir, read_dir
from slice_platform.ops.pulse.probe import checks_of, due, probe
from slice_platform.ops.pulse.recording import record
from slice_platform.ops.pulse.spec import PulseSpec
from slice_platform.ops.pulse.uptime import Alert, Result
from slice_platform.ops.pulse.uptime_states import UptimeStates
from slice_platform.settings import Settings
from slice_platform.store import Store, open_store

PROBE = "pulse_probe"
_MOST_PROBLEMS = 20  # in a message; all of them are in the run, and in `slice pulse validate`


@dataclass(frozen=True)
class Probed:
    """What a round of checks found; `key` is where it was recorded, `unread` files that are no monitors."""

    results: tuple[Result, ...]
    alerts: tuple[Alert, ...] = ()
    key: str | None = None
    unread: tuple[Problem, ...] = ()


def published_store(settings: Settings) -> Store:
    """Where monitors are published."""
    return open_store(settings.pulse_root, AwsAccess.of(settings))


def heartbeat_dir(settings: Settings, path: Path | None = None) -> HeartbeatDir:
    """Where Heartbeat reads monitors, or `path`."""
    return HeartbeatDir((path or settings.pulse_directory).expanduser().absolute())


def monitors_to_run(settings: Settings) -> Path:
    """Heartbeat's directory once monitors were brought there; before that those in git, as on a laptop."""
    brought = settings.pulse_directory
    return brought if brought.is_dir() else settings.pulse_monitors_dir


def look(spec: PulseSpec, directory: Path) -> Probed:
    """Check every endpoint of the directory's monitors now; nothing is kept, and nobody is told."""
    found = _brought(directory)
    return Probed(tuple(probe(checks_of(found.monitors()), threads=spec.probe.threads)), unread=found.problems())


def probe_round(settings: Settings, spec: PulseSpec, directory: Path, *, only_due: bool) -> Probed:
    """Check what is due, or all: who has to know is told, then the results are in landing. One round at a time.

    Failures of services are results: nothing is raised for them.

    Raises:
        SettingsError: no monitors were brought there yet.
        DatasetBusy: another round is under way.
        StoreUnavailable: the results could not be recorded.
    """
    found = _brought(directory)
    checks = checks_of(found.monitors())
    with _alone(settings) as states:
        tell_untold(states, spec, settings)  # of a round that died
        wanted = due(checks, states.checked_at(), datetime.now(UTC)) if only_due else checks
        results = probe(wanted, threads=spec.probe.threads)
        alerts = states.take(results, spec.probe)
        tell_untold(states, spec, settings)  # first: a lake that is away must not keep a downtime from people
        key = record(open_store(settings.lake_root, AwsAccess.of(settings)), f"{LANDING}/{spec.probe.dataset}", results)
    return Probed(tuple(results), alerts, key, found.problems())


def tell_untold(states: UptimeStates, spec: PulseSpec, settings: Settings) -> None:
    """Every alert that waits is told once; one that could not be kept for Slack waits for the next round."""
    channel = spec.channel or settings.ops_channel
    for number, alert in states.untold():
        if notify(channel, quoted(alert.message), heading=alert.heading, key=alert.key):
            states.forget(number)


def tell_problems(job: str, target: str, problems: Sequence[Problem], settings: Settings) -> None:
    """The channel of operations is told of files that are wrong: once, however often the same is found."""
    lines = [str(one) for one in problems]
    count = len({one.file for one in problems})
    digest = sha256("\n".join(lines).encode()).hexdigest()[:16]
    more = [f"and {len(lines) - _MOST_PROBLEMS} more"] if len(lines) > _MOST_PROBLEMS else []
    said = "Each stays in its last good version, or is left out if it has none. All others were dealt with."
    notify(
        settings.ops_channel,
        f"{said}\n{code(chr(10).join([*lines[:_MOST_PROBLEMS], *more]))}",
        heading=f"{job} of {target}: {'a file' if count == 1 else f'{count} files'} of monitors wrong",
        key=f"{job} {target} {digest}",
    )


def tell_failure(job: str, target: str, error: SliceError, settings: Settings) -> None:
    """The channel of operations is told that a command failed; a cron that fails every minute is one message."""
    notify(
        settings.ops_channel,
        quoted(str(error)),
        heading=f"{job} of {target} failed on {socket.gethostname()}",
        fingerprint=f"{job} {target} failed",
    )


def tell_refusal(job: str, refused: FenceRefused, actor: str, settings: Settings) -> None:
    """The channel of operations is told what the fence did not let through."""
    notify(
        settings.ops_channel,
        f"By {quoted(actor)}.\n{quoted(str(refused))}",
        heading=f"{job}: refused by the rule {refused.rule}",
        fingerprint=f"{job} refused {refused.rule}",
    )


def _brought(directory: Path) -> MonitorsDir:
    if not directory.is_dir():
        raise SettingsError(
            f"Running the monitors of {str(directory)!r}: there is no such directory, so none were brought there yet. "
            "Publish and sync them (slice pulse publish --apply; slice pulse sync --apply), or name another directory."
        )
    return read_dir(directory)


@contextmanager
def _alone(settings: Settings) -> Iterator[UptimeStates]:
    with (
        closing(MetadataDb(settings.ledger_url, lock_dir=settings.home_dir / "locks")) as db,
        db.exclusive(PROBE, of=PROBE, timeout_seconds=settings.lock_timeout_seconds),
    ):
        yield UptimeStates(db)
