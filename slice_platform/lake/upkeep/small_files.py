"""Which data files of a table are worth making larger ones of, and how many would vanish: the small-file debt."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.table import DataFile, data_files, load_table
from slice_platform.settings import Settings

_SMALL = 0.75  # of the target size; what is larger stays as it is
# A file this many times as large as all smaller ones together is left, so that a few late rows do not cause a
# large file to be written again: over its life a row is written about as often as its partition grows fivefold.
_SETTLED = 4
# Of one commit. Four targets of files that are small are more than four files, so every commit makes some vanish.
_TARGETS_PER_COMMIT = 4
_FILES_PER_COMMIT = 1000


@dataclass(frozen=True)
class SmallFiles:
    """Files of one partition that are to be written as fewer, the smallest first."""

    partition_key: str
    files: tuple[DataFile, ...]
    target_bytes: int

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def vanishing(self) -> int:
        """How many files fewer there will be."""
        return len(self.files) - ceil(self.size_bytes / self.target_bytes)


def small_files(settings: Settings, files: Iterable[DataFile]) -> list[SmallFiles]:
    """What is to be merged, where most files would vanish first; partitions that are fine are not in it."""
    by_partition: defaultdict[str, list[DataFile]] = defaultdict(list)
    for file in files:
        if file.size_bytes < _SMALL * settings.target_file_bytes:
            by_partition[file.partition_key].append(file)
    found = [
        SmallFiles(key, _unsettled(members), settings.target_file_bytes)
        for key, members in sorted(by_partition.items())
    ]
    due = [one for one in found if one.vanishing >= settings.compact_min_files - 1]
    return sorted(due, key=lambda one: -one.vanishing)


def one_commit(due: list[SmallFiles]) -> list[SmallFiles]:
    """As much of what is due as one commit may rewrite, so that an ingest never waits long for it."""
    taken: list[SmallFiles] = []
    for one in due:
        most = _TARGETS_PER_COMMIT * one.target_bytes - sum(other.size_bytes for other in taken)
        part = _fitting(one, most, _FILES_PER_COMMIT - sum(len(other.files) for other in taken))
        if part == one or not taken:
            taken.append(part)
    return taken


def debt(lake: Lake, dataset: Dataset) -> int:
    """How many data files upkeep would make vanish. The table is looked at only where the ledger shows many files."""
    if not is_suspect(lake, dataset):
        return 0
    table = load_table(lake, dataset)
    files = data_files(table, dataset.partition) if table else []
    return sum(one.vanishing for one in small_files(lake.settings, files))


def is_suspect(lake: Lake, dataset: Dataset, *, most: int = 0) -> bool:
    """Whether more than `most` files may vanish, by the ledger alone."""
    settings = lake.settings
    surplus = 0
    for row in lake.ledger.list_partitions(dataset.name):
        vanishing = row.data_files - ceil(row.size_bytes / settings.target_file_bytes)
        surplus += vanishing if row.data_files >= settings.compact_min_files else 0
    return surplus > most


def _unsettled(files: list[DataFile]) -> tuple[DataFile, ...]:
    ascending = sorted(files, key=lambda file: (file.size_bytes, file.path))
    rest = sum(file.size_bytes for file in ascending)
    while ascending:
        rest -= ascending[-1].size_bytes
        if ascending[-1].size_bytes <= _SETTLED * rest:
            break
        ascending.pop()
    return tuple(ascending)


def _fitting(one: SmallFiles, most_bytes: int, most_files: int) -> SmallFiles:
    taken, size = 0, 0
    for file in one.files[:most_files]:
        size += file.size_bytes
        if size > most_bytes:
            break
        taken += 1
    return SmallFiles(one.partition_key, one.files[:taken], one.target_bytes)
