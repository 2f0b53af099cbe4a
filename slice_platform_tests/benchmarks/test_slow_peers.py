"""Spark and dlt do the same work as the other peers; they come with the extra `bench`, as `make bench` installs it."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.events import FORMATS, FileFormat, ensure_events
from benchmarks.measure import run_measured
from slice_platform_tests.tools import require_package, require_tool


def _rows(peer: str, file_format: FileFormat, folder: Path) -> int:
    command = [sys.executable, "-m", "benchmarks.contender", peer, file_format, str(folder), str(folder / peer)]
    root = str(Path(__file__).parents[2])
    _, printed = run_measured(command, {**os.environ, "PYTHONPATH": root})
    assert list((folder / peer / "table").glob("day=*/*.parquet"))
    return int(printed.split()[-1])


@pytest.mark.parametrize("file_format", FORMATS)
def test_dlt_keeps_the_latest_row_of_each_key(file_format: FileFormat, tmp_path: Path) -> None:
    require_package("dlt", "bench")
    events = ensure_events(tmp_path, 3000)
    expected = events.keys_with_soft if file_format == "jsonl" else events.keys_with_soft_but_amount
    assert _rows("dlt", file_format, tmp_path) == expected


@pytest.mark.parametrize("file_format", FORMATS)
def test_spark_keeps_the_latest_row_of_each_key(file_format: FileFormat, tmp_path: Path) -> None:
    require_package("pyspark", "bench")
    require_tool("java")
    events = ensure_events(tmp_path, 3000)
    assert _rows("spark", file_format, tmp_path) == events.keys_with_soft
