"""The benchmark of many small commits runs from end to end, and its report tells the goal's verdict."""

from pathlib import Path

from benchmarks.micro_batches import main


def test_the_report_compares_the_first_and_the_last_batches(tmp_path: Path) -> None:
    output = tmp_path / "MICRO.md"
    arguments = ["--batches", "12", "--every", "6", "--without", "4"]
    main([*arguments, "--folder", str(tmp_path), "--output", str(output)])  # exits where a row is missing
    report = output.read_text(encoding="utf-8")
    assert report.count("\n| with upkeep | 12 | ") == 1
    assert report.count("\n| without upkeep | 4 | ") == 1
    assert report.splitlines()[-1].endswith(("| met |", "| **not met** |"))
    assert str(tmp_path) not in report
