"""Which files are worth merging: many that are small, never a large one for the sake of a few rows."""

from math import ceil
from unittest.mock import ANY

import pytest

from slice_platform.lake.table import DataFile
from slice_platform.lake.upkeep.small_files import SmallFiles, debt, one_commit, small_files
from slice_platform.settings import Settings, load_settings
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import merged
from slice_platform_tests.lake.upkeep.tables import fill

MB = 1024**2
TARGET = 100 * MB


def knobs() -> Settings:
    return load_settings(target_file_bytes=TARGET)


def files(*megabytes: float, day: str = "2026-01-01") -> list[DataFile]:
    return [DataFile(f"{day}/{at}", day, 1, int(size * MB), ANY) for at, size in enumerate(megabytes)]


def vanishing(*megabytes: float) -> int:
    return sum(one.vanishing for one in small_files(knobs(), files(*megabytes)))


@pytest.mark.parametrize(
    ("sizes", "fewer"),
    [
        ((1,) * 4, 0),  # too few to be worth it
        ((1,) * 5, 4),
        ((80,) * 50, 0),  # large enough
        ((30,) * 10, 7),
        ((70, *(1,) * 10), 9),  # the large one stays as it is
        ((70, 15, 2, 0.3), 0),  # each dwarfs all smaller ones
        ((20, *(1,) * 10), 10),
    ],
)
def test_the_debt_of_a_partition(sizes: tuple[float, ...], fewer: int) -> None:
    assert vanishing(*sizes) == fewer


def test_partitions_are_never_merged_with_each_other() -> None:
    found = small_files(knobs(), files(*(1,) * 4) + files(*(1,) * 6, day="2026-01-02"))
    assert [(one.partition_key, len(one.files)) for one in found] == [("2026-01-02", 6)]


def test_a_commit_is_bounded_by_bytes_and_takes_no_part_of_a_second_partition() -> None:
    found = small_files(knobs(), files(*(60,) * 20) + files(*(30,) * 5, day="2026-01-02"))
    (taken,) = one_commit(found)
    assert (taken.partition_key, len(taken.files)) == ("2026-01-01", 6)
    assert taken.vanishing > 0


def test_a_commit_takes_several_partitions_that_fit() -> None:
    found = [one for day in range(1, 10) for one in small_files(knobs(), files(*(10,) * 5, day=f"2026-01-0{day}"))]
    assert [one.partition_key[-1] for one in one_commit(found)] == list("12345678")


def test_merging_commit_by_commit_comes_to_an_end() -> None:
    sizes = [3.0 + number % 72 for number in range(300)]
    due: list[SmallFiles] = []
    for _ in range(100):
        due = one_commit(small_files(knobs(), files(*sizes)))
        if not due:
            break
        merged_sizes = sorted(sizes)[: len(due[0].files)]
        parts = ceil(sum(merged_sizes) / 100)
        sizes = sorted(sizes)[len(merged_sizes) :] + [sum(merged_sizes) / parts] * parts
    assert due == [] and len(sizes) < 150


def test_the_debt_of_a_table_is_how_many_files_compaction_would_remove(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 4)
    assert debt(lake, lake.dataset("feed")) == 0
    fill(lake, 2, first=4)
    assert debt(lake, lake.dataset("feed")) == 10
