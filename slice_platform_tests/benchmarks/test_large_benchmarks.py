"""The benchmarks that take minutes run from end to end on few rows, and check by themselves what they counted."""

from pathlib import Path

from benchmarks import late_batch, scan, volume
from benchmarks.consumers import COLUMNS, STATES, columns, ensure_consumers
from benchmarks.measure import watched


def _verdicts(report: str) -> list[str]:
    return [line for line in report.splitlines() if line.endswith(("| met |", "| **not met** |"))]


def test_batches_above_memory_are_published_as_expected(tmp_path: Path) -> None:
    output = tmp_path / "VOLUME.md"
    volume.main(["--events", "3000", "--consumers", "500", "--folder", str(tmp_path), "--output", str(output)])
    report = output.read_text(encoding="utf-8")
    assert report.count(" | yes |") == 2
    assert len(_verdicts(report)) == 2


def test_questions_to_csv_parquet_and_our_table_are_answered(tmp_path: Path) -> None:
    output = tmp_path / "SCAN.md"
    scan.main(["--rows", "2000", "--rounds", "1", "--folder", str(tmp_path), "--output", str(output)])
    report = output.read_text(encoding="utf-8")
    for name in ("gz CSV", "flat Parquet", "our table"):
        assert report.count(f"| {name} | ") == len(scan.QUESTIONS), name
    assert len(_verdicts(report)) == 2


def test_a_late_batch_touches_its_partitions_only(tmp_path: Path) -> None:
    output = tmp_path / "LATE_BATCH.md"
    few = ["--rows", "18250", "--late-rows", "600", "--rounds", "1"]
    late_batch.main([*few, "--folder", str(tmp_path), "--output", str(output)])
    report = output.read_text(encoding="utf-8")
    assert "| no partition is touched but the 30 | 30 | met |" in report
    assert report.count("| 30 | 30 | ") == 2  # of both tables 30 partitions, and 30 files are rewritten


def test_the_same_number_of_consumers_is_the_same_bytes(tmp_path: Path) -> None:
    one, other = (ensure_consumers(tmp_path / name, 400) for name in ("one", "other"))
    assert one == other
    for path in (tmp_path / "one").glob("*.gz"):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
    assert len(columns()) == COLUMNS == 391
    assert len(STATES) == 51


def test_what_lay_in_a_folder_is_seen_although_it_is_gone(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        (tmp_path / "spilled").write_bytes(b"x" * 100_000)
        watch.look()
        (tmp_path / "spilled").unlink()
    assert watch.peak_bytes >= 100_000
