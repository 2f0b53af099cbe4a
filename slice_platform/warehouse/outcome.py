"""What became of a dropped file. Each is told to people by whoever asked for the work."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from slice_platform.warehouse.claim import Applied
from slice_platform.warehouse.pending import Dropped
from slice_platform.warehouse.refusal import FileRefused, Finding


@dataclass(frozen=True)
class Done:
    """The file has changed its table, once, and lies in succeeded/."""

    dropped: Dropped
    label: str  # of the destination
    applied: Applied
    kept_as: str  # its key now
    seconds: float
    set_aside: tuple[Finding, ...] = ()  # of rows that were left out, the first of them

    @property
    def rows_per_second(self) -> float:
        counts = self.applied.counts
        return (counts.inserted + counts.updated) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Failed:
    """Nothing was changed; the file lies in failed/ with the reason beside it."""

    dropped: Dropped
    label: str
    refused: FileRefused
    kept_as: str

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
