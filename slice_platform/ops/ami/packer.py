"""Packer, as a program: it validates a template, and builds the image of a release exactly once.

Its output goes to a file and from there into the log, so that it survives whoever started it: a run that is killed
leaves a packer that finishes, and the next run waits for that one and reads from the file what it made.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from slice_platform.errors import ReleaseFailed, SettingsError
from slice_platform.ops.ami.packer_template import Marks, marked, read_template, variable_in_environment
from slice_platform.ops.ami.spec import PackerBuild

_ARTIFACT = re.compile(r"^\d+,[^,]*,artifact,0,id,[a-z0-9-]+:(ami-[0-9a-f]+)$")
_CREATED = re.compile(r"^\d+,[^,]*,ui,message,.*\bAMI: (ami-[0-9a-f]+)$")
_SAID = re.compile(r"^\d+,[^,]*,ui,(?P<kind>[a-z]+),(?P<text>.*)$")
_TAIL_SECONDS = 0.2
_CLEANUP_SECONDS = 120.0  # that an interrupted packer may take to remove what it made
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Packer:
    """One template of one service. `work_dir` keeps the output of each release, and the lock of who builds."""

    build: PackerBuild
    folder: Path
    work_dir: Path
    endpoint_url: str | None

    def validate(self, marks: Marks) -> str:
        """Packer accepts the template; that, in a sentence.

        Raises:
            SettingsError: it does not, or packer is not installed.
        """
        path = self._write(marks)
        done = subprocess.run(  # noqa: S603 -- fixed arguments
            [_program(), "validate", str(path)],
            cwd=self.folder, env=self._environment(marks), capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = (done.stdout + done.stderr).strip()
            raise SettingsError(f"Packer does not accept {str(self.build.template)!r}: {said}")
        return f"packer accepts {self.build.template}"

    def image_of(self, marks: Marks) -> str | None:
        """The image that an earlier packer made or began for the release on this machine, whatever became of that."""
        lines = (
            self._output(marks).read_text(encoding="utf-8", errors="replace").splitlines()
            if self._output(marks).exists()
            else []
        )
        found = [match[1] for line in lines if (match := _ARTIFACT.match(line) or _CREATED.match(line))]
        return found[-1] if found else None

    def run(self, marks: Marks, tell: Callable[[str], None], *, lock: int) -> str:
        """Build; the id of the image. `lock` is what `alone` gave, and stays locked until packer has ended.

        Raises:
            ReleaseFailed: packer failed, or took too long; it has removed what it made.
        """
        path, output = self._write(marks), self._output(marks)
        command = [_program(), "build", "-machine-readable", str(path)]
        with output.open("w", encoding="utf-8") as target:
            process = subprocess.Popen(  # noqa: S603 -- fixed arguments
                command, cwd=self.folder, env=self._environment(marks), stdin=subprocess.DEVNULL, stdout=target,
                stderr=subprocess.STDOUT, start_new_session=True, pass_fds=[lock],
            )  # fmt: skip
        with _ended_with_us(process):
            code = _follow(process, output, tell, time.monotonic() + self.build.timeout_seconds)
        image = self.image_of(marks)
        if code != 0 or image is None:
            raise ReleaseFailed(f"Packer ended with {code} and made no image: {_last_words(output)}")
        return image

    @contextmanager
    def alone(self, *, wait_seconds: float) -> Iterator[int]:
        """No other packer builds for the service on this machine; one whose starter was killed is waited for.

        Raises:
            ReleaseFailed: it still builds after so many seconds.
        """
        with self._lock_file().open("r+") as lock:
            deadline = time.monotonic() + wait_seconds
            while not _taken(lock):
                if time.monotonic() > deadline:
                    raise ReleaseFailed(
                        f"Another packer has built for {wait_seconds:g} s already: see {str(self.work_dir)!r}, end it, "
                        "or try again later."
                    )
                time.sleep(_TAIL_SECONDS)
            yield lock.fileno()

    def _lock_file(self) -> Path:
        self._make_work_dir()
        path = self.work_dir / "packer.lock"
        path.touch()
        return path

    def _output(self, marks: Marks) -> Path:
        return self.work_dir / f"{marks.release}.log"

    def _write(self, marks: Marks) -> Path:
        """The template of this release, beside its output."""
        self._make_work_dir()
        path, template = self.work_dir / f"{marks.release}.json", read_template(self.folder / self.build.template)
        chosen = self._variables(marks, template)
        path.write_text(marked(template, marks, endpoint_url=self.endpoint_url, variables=chosen), encoding="utf-8")
        return path

    def _variables(self, marks: Marks, template: Mapping[str, Any]) -> dict[str, str]:
        """Those of the YAML, and of the release's own what the template has a variable for.

        Raises:
            SettingsError: the template lacks one of the YAML.
        """
        declared = template.get("variables", {})
        if unknown := sorted(self.build.variables.keys() - declared):
            raise SettingsError(
                f"Reading packer.variables: {str(self.build.template)!r} has no variables {unknown!r}, expected are "
                f"some of {sorted(declared)!r}. Declare them in the template, or take them out of defs.yaml."
            )
        own = {"commit": marks.commit, "branch": marks.branch, "release": marks.release}
        return {**{name: value for name, value in own.items() if name in declared}, **self.build.variables}

    def _make_work_dir(self) -> None:
        """For us alone: what a build says is nobody else's business."""
        self.work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _environment(self, marks: Marks) -> dict[str, str]:
        """Its own, the template's variables, and the endpoint if one is set; no call home, no colours."""
        chosen = self._variables(marks, read_template(self.folder / self.build.template))
        more: Mapping[str, str] = {"AWS_ENDPOINT_URL_EC2": self.endpoint_url} if self.endpoint_url else {}
        return {
            **os.environ,
            **{variable_in_environment(name): value for name, value in chosen.items()},
            "CHECKPOINT_DISABLE": "1",
            "PACKER_NO_COLOR": "1",
            "PACKER_CONFIG_DIR": str(self.work_dir),
            **more,
        }


def _program() -> str:
    found = shutil.which("packer")
    if found is None:
        raise SettingsError(
            "Building an image: the program 'packer' is not on the PATH. Install it (Debian: apt install packer), or "
            "build with `codebuild`."
        )
    return found


def _follow(process: "subprocess.Popen[bytes]", output: Path, tell: Callable[[str], None], deadline: float) -> int:
    """Tell what it writes until it ends; one that is late is interrupted, so that it cleans up."""
    with output.open(encoding="utf-8", errors="replace") as lines:
        while (code := process.poll()) is None:
            _tell_new(lines, tell)
            if time.monotonic() > deadline:
                tell("packer takes too long: it is interrupted")
                _interrupt(process)
            time.sleep(_TAIL_SECONDS)
        _tell_new(lines, tell)
    return code


def _tell_new(lines: IO[str], tell: Callable[[str], None]) -> None:
    while line := lines.readline():
        if said := _shown(line.rstrip("\n")):
            tell(said)


def _shown(line: str) -> str:
    """A line of the machine-readable output as packer prints it for people; empty where it is none of these."""
    said = _SAID.match(line)
    if said is None:
        return ""
    return said["text"].replace("%!(PACKER_COMMA)", ",").replace("\\n", "\n").replace("\\r", "").strip("\n")


@contextmanager
def _ended_with_us(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """An error or Ctrl-C on our side interrupts packer, which then removes what it made. kill -9 does not."""
    try:
        yield
    except BaseException:
        _interrupt(process)
        raise


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: the process that was started only wraps the one that works
    try:
        process.wait(_CLEANUP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _last_words(output: Path) -> str:
    said = [_shown(line) for line in output.read_text(encoding="utf-8", errors="replace").splitlines()]
    return "\n".join([line for line in said if line][-_SHOWN_LINES:])
