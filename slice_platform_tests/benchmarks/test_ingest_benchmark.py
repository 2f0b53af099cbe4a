"""The benchmark runs from end to end on few rows, and its report holds what it must."""

from pathlib import Path

import pytest

from benchmarks.ingest import main

ROWS = 5_000


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of one round, without Spark and dlt. `main` fails by itself where a count is not as expected."""
    folder: Path = tmp_path_factory.mktemp("bench")
    output = folder / "RESULTS.md"
    few = ["--rows", str(ROWS), "--rounds", "1", "--peers", "polars", "pandas"]
    main([*few, "--folder", str(folder), "--output", str(output)])
    return output.read_text(encoding="utf-8")


def test_every_contender_has_its_row_for_each_format(report: str) -> None:
    for name in ("slice ingest", "bare DuckDB", "polars", "pandas"):
        assert report.count(f"\n| {name} | ") == 2, name


def test_the_rows_of_every_contender_are_as_expected(report: str) -> None:
    assert report.count(" | yes | ") == 8


def test_each_goal_gets_a_verdict(report: str) -> None:
    verdicts = [line for line in report.splitlines() if line.endswith(("| met |", "| **not met** |"))]
    assert len(verdicts) == 5


def test_the_report_names_no_path_of_the_machine(report: str) -> None:
    assert str(Path.home()) not in report
    assert "/tmp" not in report  # noqa: S108  # a mention of it, not a use
