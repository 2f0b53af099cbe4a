"""What a destination is told of a file before it changes anything, and what it answers afterwards."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from slice_platform.warehouse.drop_path import TableRef, Task
from slice_platform.warehouse.table_spec import TableSpec


class Load(Protocol):
    """What rows come from: a file, or a partition of the lake."""

    @property
    def table(self) -> TableRef: ...

    @property
    def key(self) -> str:
        """How it is called where people read of it."""

    @property
    def id(self) -> str:
        """The same for the same rows, and of no others."""

    @property
    def run_id(self) -> str: ...


@dataclass(frozen=True)
class Claim:
    """A file as a destination knows it: by where it was dropped and what is in it.

    The same content under the same name is the same file, whoever delivers it and how often.
    """

    table: TableRef
    task: Task
    key: str  # below the propagator's root
    sha256: str  # of the object as it is stored
    version: str  # of the object, as the store tells it
    size_bytes: int
    run_id: str

    @property
    def id(self) -> str:
        """The name of its row in the ledger."""
        return hashlib.sha256(f"{self.key}\0{self.sha256}".encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Counts:
    """Rows of one file: read = set aside + inserted + updated."""

    read: int = 0
    set_aside: int = 0
    inserted: int = 0
    updated: int = 0


@dataclass(frozen=True)
class Applied:
    """A file has changed its table, once: now, or (`was_known`) when it was delivered before."""

    id: str  # of its row in the ledger
    counts: Counts
    loaded_at: datetime  # UTC
    was_known: bool = False
    version: str | None = None  # of the object that was loaded, as the ledger has it; None where it is not known
    run_id: str | None = None  # that loaded it
    statements: tuple[str, ...] = ()  # that were run, in order
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownTable:
    """A table as the ledger describes it; `version` grows with each change of it."""

    spec: TableSpec
    version: int
