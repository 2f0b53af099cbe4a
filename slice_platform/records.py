"""The values that cross the ledger's border: what is known of a file, a batch and a partition."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum


class FileStatus(StrEnum):
    """Where a version of a file stands."""

    ARRIVING = "arriving"  # being copied from landing to raw
    RECEIVED = "received"  # raw holds it; not yet published
    PUBLISHED = "published"  # its good rows are in the table, or hidden there by others
    QUARANTINED = "quarantined"  # set aside as a whole, with a reason
    REPEATED = "repeated"  # the same bytes under the same name came before


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

    @property
    def name(self) -> str:
        return self.source_key.rsplit("/", 1)[-1]

    @property
    def is_accounted(self) -> bool:
        """Whether rows read = rows published + duplicates + rejects."""
        return self.rows_read == self.rows_published + self.rows_duplicate + self.rows_rejected


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


@dataclass(frozen=True)
class PartitionRows:
    """What the files of one batch had for one partition: good rows, how many of them lost, and rejects."""

    partition_key: str
    good: int
    duplicate: int
    rejected: int  # rejects of which the partition can be told


@dataclass(frozen=True)
class BatchReceipt:
    """What is booked once a batch is committed; `superseded` counts rows of earlier files it hid."""

    files: tuple[FileAccount, ...] = ()
    superseded: dict[int, int] = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    rows: tuple["PartitionRows", ...] = ()  # what the batch's files had for each partition

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "BatchReceipt":
        read = json.loads(text)
        accounts = (FileAccount(**{**one, "partitions": tuple(one["partitions"])}) for one in read["files"])
        superseded = {int(file_id): moved for file_id, moved in read["superseded"].items()}
        rows = tuple(PartitionRows(**one) for one in read["rows"])
        return BatchReceipt(tuple(accounts), superseded, tuple(read["partitions"]), rows)


@dataclass(frozen=True)
class PartitionRow:
    """A partition of a table as of its last commit; `version` is that commit's Iceberg sequence number."""

    partition_key: str
    version: int
    rows: int
    size_bytes: int
    data_files: int

    def counts(self) -> dict[str, str | int]:
        return asdict(self)
