"""How each dataset stands, from the ledger and a look into landing: no data is read."""

from dataclasses import dataclass
from datetime import datetime

from slice_platform.lake.lake import STRAYS, Lake
from slice_platform.lake.landing import Landing, dataset_of_key, look
from slice_platform.lake.set_view import WaitingSet
from slice_platform.lake.upkeep.small_files import debt
from slice_platform.records import FileRow, FileStatus


@dataclass(frozen=True)
class DatasetStatus:
    """One line of `slice status`. Of objects of no dataset (`_strays`) only files are counted."""

    dataset: str
    rows: int
    partitions: int  # that hold rows
    data_files: int
    table_bytes: int
    received_bytes: int  # stored size of the published files as they came
    last_arrival: datetime | None  # UTC
    pending: int  # in landing, complete
    still_written: int  # in landing, not at rest yet
    unpublished: int  # in raw, waiting to be published
    rejected_rows: int
    quarantined: int  # files set aside as a whole
    waiting: tuple[WaitingSet, ...] = ()  # sets of files that are not complete

    small_files: int = 0  # data files that upkeep would make vanish

    @property
    def compression(self) -> float | None:
        """How many times smaller the table is than what was received; None where there is no table."""
        return self.received_bytes / self.table_bytes if self.table_bytes else None


def status(lake: Lake) -> list[DatasetStatus]:
    """One line per dataset, by name; a last one for strays, if there are any."""
    landing = look(lake)
    lines = [_line(lake, landing, name, len(landing.pending.get(name, []))) for name in sorted(lake.datasets)]
    strays = _line(lake, landing, STRAYS, len(landing.strays))
    return [*lines, strays] if strays.pending or strays.quarantined or strays.still_written else lines


def _line(lake: Lake, landing: Landing, name: str, pending: int) -> DatasetStatus:
    partitions = lake.ledger.list_partitions(name)
    files = lake.ledger.list_files(name)
    published = [file for file in files if file.status is FileStatus.PUBLISHED]
    return DatasetStatus(
        dataset=name,
        rows=sum(row.rows for row in partitions),
        partitions=sum(row.rows > 0 for row in partitions),
        data_files=sum(row.data_files for row in partitions),
        table_bytes=sum(row.size_bytes for row in partitions),
        received_bytes=sum(file.size_bytes for file in published),
        last_arrival=max((file.received_at for file in files), default=None),
        pending=pending,
        still_written=sum(_owner(lake, entry.key) == name for entry in landing.still_written),
        unpublished=_count(files, FileStatus.RECEIVED),
        rejected_rows=sum(file.rows_rejected for file in published),
        quarantined=len(lake.ledger.quarantined_files(name)),
        small_files=debt(lake, lake.datasets[name]) if name in lake.datasets else 0,
        waiting=tuple(landing.waiting.get(name, [])),
    )


def _owner(lake: Lake, key: str) -> str:
    found = dataset_of_key(key)
    return found if found in lake.datasets else STRAYS


def _count(files: list[FileRow], status: FileStatus) -> int:
    return sum(file.status is status for file in files)
