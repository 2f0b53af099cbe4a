"""How much memory and how many passes writing takes must not show in what is written."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from slice_platform.engine import run
from slice_platform.lake import batch, layout
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.layout import WIDE_COLUMNS, WIDE_GROUP_VALUES, _rows_per_group
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import assert_accounted, deliver, lines, merged, opened, paths, table_of

DAYS = 28
EARLIER = lines(*((f"{row * 7919 % 2000:05d}", row, row % DAYS + 1) for row in range(2000)))
LATER = lines(*((f"{row * 7919 % 2000:05d}", 9999, row % DAYS + 1) for row in range(0, 2000, 9)))


def _written(lake: Lake) -> list[list[str]]:
    """The ids of each data file, as they lie in it."""
    return sorted(pq.read_table(opened(lake, path))["id"].to_pylist() for path in paths(lake))


def _filled(make_lake: MakeLake, home: Path, **settings: object) -> Lake:
    lake = make_lake(merged(), home=home, **settings)
    deliver(lake, a_jsonl=EARLIER)
    deliver(lake, b_jsonl=LATER)
    assert_accounted(lake)
    return lake


def test_many_partitions_are_written_like_few(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a size their rows are brought together first."""
    few = _filled(make_lake, tmp_path / "few")
    monkeypatch.setattr(layout, "_MANY_ROWS", 0)
    many = _filled(make_lake, tmp_path / "many")
    assert _written(few) == _written(many)
    assert len(_written(many)) == DAYS
    assert table_of(few) == table_of(many)


def test_partitions_that_are_written_alone_are_written_like_others(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones come one after the other, so that memory holds; here all but a few are."""
    beside = _filled(make_lake, tmp_path / "beside")
    monkeypatch.setattr(layout, "_VALUES_AT_ONCE", 6 * 70)
    alone = _filled(make_lake, tmp_path / "alone")
    assert _written(beside) == _written(alone)


def test_a_batch_above_memory_is_staged_in_a_file_that_goes(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = _filled(make_lake, tmp_path / "small")
    monkeypatch.setattr(batch, "_IN_MEMORY_BYTES", 0)
    large = _filled(make_lake, tmp_path / "large")
    assert table_of(small) == table_of(large)
    assert list(large.settings.spill_dir.iterdir()) == []


def test_tables_on_disk_are_in_the_spill_folder_until_the_engine_closes(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    with engine(lake, on_disk=True) as connection:
        run(connection, "create table held as select 1 as n")
        (path,) = run(connection, "select path from duckdb_databases() where database_name = current_database()")[0]
        assert Path(path).is_relative_to(lake.settings.spill_dir) and Path(path).exists()
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("name", "size_bytes", "is_large"),
    [("a.csv.gz", 150, False), ("a.csv.gz", 250, True), ("a.csv", 250, False), ("a.csv", 2000, True)],
)
def test_a_batch_is_judged_by_what_it_takes_in_memory(
    make_lake: MakeLake, name: str, size_bytes: int, *, is_large: bool
) -> None:
    """Text that came uncompressed says more with the same bytes stored."""
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    (file,) = lake.ledger.list_files("feed")
    file = replace(file, source_key=f"landing/feed/{name}", size_bytes=size_bytes * 1024**2)
    assert batch.outgrows_memory(lake.dataset("feed"), [file]) is is_large


def test_row_groups_of_wide_tables_hold_fewer_rows_so_that_memory_holds() -> None:
    assert _rows_per_group(WIDE_COLUMNS) == 20_480
    assert _rows_per_group(391) == 30_720
    assert _rows_per_group(391) * 391 <= WIDE_GROUP_VALUES
    assert _rows_per_group(5_000) == 20_480
