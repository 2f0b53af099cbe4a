"""A table of the lake, copied into a database one partition at a time: what a destination is told, and answers."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.table_spec import TableSpec

Mode: TypeAlias = Literal["replace_partition", "upsert", "append"]
Window: TypeAlias = tuple[datetime, datetime]  # from, and up to but without; of moments without a zone in UTC


@dataclass(frozen=True)
class ProjectedTable:
    """A table of a database, and how partitions come into it.

    replace_partition: its rows are deleted, the new ones are inserted.
    upsert: the same in the end, but of rows that are there already only those that differ are touched, by primary key.
    append: rows whose key is new are inserted; nothing is ever changed or deleted.
    """

    ref: TableRef
    spec: TableSpec
    mode: Mode
    partition_column: str | None
    indexes: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class PartitionClaim:
    """A partition of the lake's table as it was at a version. Versions of one lineage grow; others do not compare."""

    table: TableRef
    source: str  # of the lake: namespace and table
    lineage: str  # of the lake's table: another one where it was made anew
    partition_key: str
    window: Window | None  # that the partition's rows lie in; None: the whole table
    version: int
    snapshot_id: int | None
    run_id: str

    @property
    def row_id(self) -> str:
        """Of its row in the ledger: that of the partition, whatever its version."""
        return _digest(self.table.table, self.partition_key)

    @property
    def id(self) -> str:
        """Of this version of the partition: what two of them send at once lies in two places."""
        return _digest(self.table.table, self.partition_key, self.lineage, str(self.version))

    @property
    def key(self) -> str:
        """How it is called where people read of it."""
        return f"{self.source} [{self.partition_key}]"


@dataclass(frozen=True)
class Changes:
    """Rows of the database's table. `moved` are those that lay in another partition before."""

    deleted: int = 0
    inserted: int = 0
    updated: int = 0
    moved: int = 0


@dataclass(frozen=True)
class ProjectionRow:
    """A partition as the ledger has it. With `is_stale` another partition took rows from it: project it again."""

    partition_key: str
    source: str
    lineage: str
    version: int
    snapshot_id: int | None
    measure: Measure  # of the database's rows, when they were written
    changes: Changes
    run_id: str
    projected_at: datetime  # UTC
    is_stale: bool = False


@dataclass(frozen=True)
class Projected:
    """The partition is in the database, at `version` or a newer one. Without `applied` it was there before."""

    applied: bool
    changes: Changes
    measure: Measure  # of the partition in the database
    version: int  # that the database has
    statements: tuple[str, ...] = ()


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
