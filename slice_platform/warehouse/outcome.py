"""What became of a dropped file. Each is told to people by whoever asked for the work."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from slice_platform.warehouse.archive import Fault
from slice_platform.warehouse.claim import Applied
from slice_platform.warehouse.pending import Dropped
from slice_platform.warehouse.refusal import FileRefused


@dataclass(frozen=True)
class Done:
    """The file has changed its table, once, and lies in succeeded/."""

    dropped: Dropped
    label: str  # of the destination
    applied: Applied
    kept_as: str  # its key now
    seconds: float

    @property
    def is_repeat(self) -> bool:
        """Whether the file had come before.

        The very object that was loaded is no repeat: who loaded it died before it could be moved, and told nobody.
        """
        return self.applied.was_known and self.applied.version != self.dropped.entry.version

    @property
    def rows_per_second(self) -> float:
        """0 where the rows were loaded before, in a time that nobody measured."""
        if self.applied.was_known or not self.seconds:
            return 0.0
        return (self.applied.counts.inserted + self.applied.counts.updated) / self.seconds


@dataclass(frozen=True)
class Failed:
    """Nothing was changed; the file lies in failed/ with the reason beside it."""

    dropped: Dropped
    label: str
    refused: FileRefused
    kept_as: str
    at_fault: Fault = "file"

    @property
    def key(self) -> str:
        return self.dropped.path.key


@dataclass(frozen=True)
class Stranded:
    """What lay where no file of a table may lie; it was moved to failed/ at the root."""

    key: str
    refused: FileRefused
    kept_as: str


@dataclass(frozen=True)
class Waiting:
    """There is no such table yet. The file stays where it is until a create file has come, or the time is over."""

    dropped: Dropped
    until: datetime  # UTC


Outcome: TypeAlias = Done | Failed | Stranded | Waiting
