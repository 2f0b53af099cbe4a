"""The values that cross the ledger's border: what is known of a file, a batch and a partition."""

import hashlib
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import TypeAdapter


class FileStatus(StrEnum):
    """Where a version of a file stands."""

    ARRIVING = "arriving"  # being copied from landing to raw
    RECEIVED = "received"  # raw holds it; not yet published
    PUBLISHED = "published"  # its good rows are in the table, or hidden there by others
    QUARANTINED = "quarantined"  # set aside as a whole, with a reason
    REPEATED = "repeated"  # the same bytes under the same name came before
    KEPT = "kept"  # a marker or manifest of which the set is published; it has no rows
    SUPERSEDED = "superseded"  # other bytes came under the same name since; none of its rows is in the table
    RETRACTED = "retracted"  # withdrawn by a person; none of its rows is in the table


@dataclass(frozen=True)
class FileRow:
    """One version of one file. Row counts are zero until it is published."""

    id: int
    dataset: str
    source_key: str
    version: str
    size_bytes: int
    plain_bytes: int  # uncompressed; 0 until it is read
    sha256: str | None
    received_at: datetime
    raw_key: str | None
    status: FileStatus
    left_landing: bool
    rows_read: int
    rows_published: int
    rows_duplicate: int
    rows_rejected: int
    error: str | None
    repeat_of: int | None
    superseded_by: int | None = None
    read_as: str | None = None  # what its reading rested on; None where an earlier release published it

    @property
    def name(self) -> str:
        return self.source_key.rsplit("/", 1)[-1]

    @property
    def is_accounted(self) -> bool:
        """Whether rows read = rows published + duplicates + rejects, and none of them is less than none."""
        counts = (self.rows_published, self.rows_duplicate, self.rows_rejected)
        return self.rows_read == sum(counts) and min(counts) >= 0


@dataclass(frozen=True)
class FileAccount:
    """What became of the rows of one file in one batch."""

    file_id: int
    read: int
    published: int
    duplicate: int
    rejected: int
    plain_bytes: int = 0  # size of the file uncompressed
    partitions: tuple[str, ...] = ()
    superseded_by: int | None = None  # a version of the same name that came later; then nothing is published
    read_as: str | None = None  # fingerprint of what the reading rested on
    was_set_aside: bool = False  # whether quarantine may still hold something of it from before


@dataclass(frozen=True)
class Withdrawal:
    """A version of a file that stops counting: its rows leave the table and are booked as duplicates."""

    file_id: int
    superseded_by: int | None = None  # None: retracted by a person

    @property
    def status(self) -> FileStatus:
        return FileStatus.RETRACTED if self.superseded_by is None else FileStatus.SUPERSEDED


@dataclass(frozen=True)
class PartitionRows:
    """What the files of one batch had for one partition: good rows, how many of them lost, and rejects."""

    partition_key: str
    good: int
    duplicate: int
    rejected: int  # rejects of which the partition can be told


@dataclass(frozen=True)
class BuiltPartition:
    """What a partition of a table that is made from others was made from: a digest of the versions of each input."""

    partition_key: str
    inputs: dict[str, str]

    @property
    def digest(self) -> str:
        """Of all of its inputs together."""
        return hashlib.sha256(repr(sorted(self.inputs.items())).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class BatchReceipt:
    """What is booked once a batch is committed."""

    files: tuple[FileAccount, ...] = ()
    superseded: dict[int, int] = field(default_factory=dict)  # rows of other files it hid; less than 0: that came back
    partitions: tuple[str, ...] = ()
    rows: tuple[PartitionRows, ...] = ()  # what the batch's files had for each partition
    withdrawn: tuple[Withdrawal, ...] = ()
    hidden: tuple[tuple[int, int], ...] = ()  # (a, b): a row of file a lost against one of file b
    makes_snapshot: bool = True  # False: nothing of the table changes, the receipt counts without a commit
    built: tuple[BuiltPartition, ...] = ()  # of a business table
    keeps_versions: bool = False  # True: files are other ones, rows are not, and nothing downstream is behind

    def to_json(self) -> str:
        return _RECEIPT.dump_json(self).decode()

    @staticmethod
    def from_json(text: str) -> "BatchReceipt":
        return _RECEIPT.validate_json(text)


_RECEIPT = TypeAdapter(BatchReceipt)


@dataclass(frozen=True)
class PartitionRow:
    """A partition of a table as of its last commit.

    `version` is the Iceberg sequence number of the last commit that changed its rows; compaction keeps it.
    """

    partition_key: str
    version: int
    rows: int
    size_bytes: int
    data_files: int

    def counts(self) -> dict[str, str | int]:
        return asdict(self)
