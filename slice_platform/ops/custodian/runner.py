"""The real `custodian run`, one process for one account and region: what fails or hangs there harms nothing else."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from slice_platform.aws import AwsAccess
from slice_platform.ops.custodian.accounts import Target
from slice_platform.ops.custodian.library import require_c7n

_MOST_ERROR = 800  # characters of a log that an error quotes
_KINDLY_SECONDS = 5.0  # between asking a process to end and killing it
_FAILED_ONES = "The following policies had errors while executing"
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}(: | - )")
C7N = (sys.executable, "-m", "c7n.cli")  # the one of this environment, whatever the PATH says


@dataclass(frozen=True)
class Answer:
    """What a policy found, each resource as JSON; None and an error where it did not get to say."""

    resources: tuple[str, ...] | None
    error: str | None = None


class Custodian(Protocol):
    """Whoever runs policies; `documents` are their JSON by name."""

    def run(self, target: Target, documents: Mapping[str, str], *, is_dry_run: bool) -> Mapping[str, Answer]:
        """What each policy answers. Never raises for what goes wrong there: that is the answer's error."""

    def end(self) -> None:
        """What still runs in other threads is ended, and answers with an error."""


@dataclass(frozen=True)
class CustodianProcess:
    """Runs c7n with no memory of earlier runs: no cache, a home of its own, a fresh folder for what it writes."""

    access: AwsAccess = field(default_factory=AwsAccess)
    timeout_seconds: float = 900.0
    program: Sequence[str] = C7N
    _running: "set[subprocess.Popen[bytes]]" = field(default_factory=set, compare=False)

    def end(self) -> None:
        for process in tuple(self._running):
            _end(process)

    def run(self, target: Target, documents: Mapping[str, str], *, is_dry_run: bool) -> Mapping[str, Answer]:
        require_c7n()
        if not documents:
            return {}
        with tempfile.TemporaryDirectory(prefix="slice-custodian-") as folder:
            room = Path(folder)
            policies = room / "policies.json"
            policies.write_text(f'{{"policies": [{", ".join(documents.values())}]}}')
            ended = self._process([*self._command(target, room, is_dry_run=is_dry_run), str(policies)], room)
            return {name: _answer(room / "out", name, ended, target) for name in documents}

    def _command(self, target: Target, room: Path, *, is_dry_run: bool) -> list[str]:
        account = target.account
        return [
            *self.program, "run", "--cache-period", "0", "-s", str(room / "out"), "-r", target.region,
            *(["--dryrun"] if is_dry_run else []),
            *(["--assume", account.role] if account.role else []),
            *(["--external-id", account.external_id] if account.role and account.external_id else []),
        ]  # fmt: skip

    def _process(self, command: list[str], room: Path) -> "_Ended":
        """Wait for the process; after the time-out, or when we are interrupted, it and its children are ended."""
        with (room / "log").open("w+b") as log:
            process = subprocess.Popen(  # noqa: S603 -- our own program, and values that were checked
                command, cwd=room, env=self._environment(room), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
            self._running.add(process)
            try:
                code: int | None = process.wait(self.timeout_seconds)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
                self._running.discard(process)
            log.seek(0)
            return _Ended(code, log.read().decode(errors="replace"), self.timeout_seconds)

    def _environment(self, room: Path) -> dict[str, str]:
        """Ours, with a home in which nothing lies but the credentials of the real one."""
        real, home = Path.home() / ".aws", room / "home"
        home.mkdir()
        if real.is_dir():
            (home / ".aws").symlink_to(real)
        own = {"HOME": str(home), "XDG_CACHE_HOME": f"{home}/.cache", "XDG_CONFIG_HOME": f"{home}/.config"}
        found = {**os.environ, **own, "AWS_MAX_ATTEMPTS": str(self.access.attempts), "AWS_RETRY_MODE": "standard"}
        if self.access.endpoint_url is not None:
            found["AWS_ENDPOINT_URL"] = self.access.endpoint_url
        return found


@dataclass(frozen=True)
class _Ended:
    """How the process ended: None where it was killed."""

    code: int | None
    log: str
    timeout_seconds: float

    @property
    def failed(self) -> frozenset[str]:
        """The policies that c7n names at the end as those that broke off."""
        _, _, named = self.log.rpartition(_FAILED_ONES)
        return frozenset(re.findall(r"^ - (\S+)", named, re.MULTILINE)) if _FAILED_ONES in self.log else frozenset()

    def why(self) -> str:
        if self.code is None:
            return f"custodian did not end within {self.timeout_seconds:g} s and was killed"
        return f"custodian ended with exit code {self.code} and did not finish it"


def _answer(out: Path, name: str, ended: _Ended, target: Target) -> Answer:
    """What c7n wrote of one policy. Without resources.json it failed, whatever the exit code says.

    With it, too, if c7n names it among those that failed: the file is written before the actions.
    """
    folder = out / name
    written = folder / "resources.json"
    if ended.code in (0, 2) and written.exists() and name not in ended.failed:
        was = json.loads((folder / "metadata.json").read_text())["config"]["account_id"]
        if was != target.account.account_id:
            why = f"the credentials in use are of account {was}, not of {target.account}: correct accounts.yaml"
            return Answer(None, f"{why}, or the credentials")
        return Answer(tuple(json.dumps(one, sort_keys=True) for one in json.loads(written.read_text())))
    own = folder / "custodian-run.log"
    log = own.read_text(errors="replace") if own.exists() else ""
    return Answer(None, f"{ended.why()}: {_tail(log) or _tail(ended.log) or 'it wrote no log'}")


def _tail(log: str) -> str:
    """The end of a log on one line, without the frames of a traceback."""
    kept = [line for line in log.splitlines() if line.strip() and not line.startswith(("  ", "Traceback"))]
    lines = [_STAMP.sub("", line.strip()) for line in kept]
    return " | ".join(lines)[-_MOST_ERROR:]


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        for how, seconds in ((signal.SIGTERM, _KINDLY_SECONDS), (signal.SIGKILL, None)):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                return
