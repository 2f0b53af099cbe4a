"""A directory of monitors as people keep it, in git."""

from dataclasses import dataclass
from pathlib import Path

from slice_platform.errors import SettingsError
from slice_platform.ops.pulse.agreement import agree
from slice_platform.ops.pulse.monitor import Monitor
from slice_platform.ops.pulse.monitor_file import FILE_NAME, MonitorFile, Problem, read_monitors


@dataclass(frozen=True)
class MonitorsDir:
    """Its files by name, and files that nobody would read although somebody may think so."""

    path: Path
    files: dict[str, MonitorFile]
    strays: tuple[Problem, ...]

    def monitors(self) -> list[Monitor]:
        """Those of all files that are right, each id once."""
        return [monitor for file in agree(self.files, {}).files.values() for monitor in file.monitors]

    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong, also between files."""
        return tuple(sorted((*self.strays, *agree(self.files, {}).problems), key=lambda one: (one.file, one.line)))


def read_dir(path: Path) -> MonitorsDir:
    """Every `*.yml` directly in the directory.

    Raises:
        SettingsError: there is no such directory.
    """
    if not path.is_dir():
        raise SettingsError(
            f"Reading monitors from {str(path)!r}: there is no such directory. Name another, or mend "
            "SLICE_PULSE_MONITORS_DIR."
        )
    files, strays = dict[str, MonitorFile](), list[Problem]()
    for found in sorted(path.iterdir()):
        if found.is_dir():
            strays += [_stray(path, each) for each in sorted(found.rglob("*.y*ml")) if "/." not in each.as_posix()]
        elif FILE_NAME.fullmatch(found.name):
            files[found.name] = read_monitors(found.name, found.read_bytes())
        elif found.suffix in (".yml", ".yaml") and not found.name.startswith("."):
            strays.append(_stray(path, found))
    return MonitorsDir(path, files, tuple(strays))


def _stray(root: Path, found: Path) -> Problem:
    said = "nobody reads it: expected NAME.yml of letters, digits, . _ and -, directly in the directory"
    return Problem(found.relative_to(root).as_posix(), 1, "the file", said)
