"""The `slice` command as a newcomer meets it: a real lake, real runs, readable answers."""

import json
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.cli.main import PERMANENT, TRANSIENT
from slice_platform_tests.cli.conftest import PLANES, Slice


def test_help_lists_every_verb_with_a_sentence(slice_: Slice) -> None:
    shown = slice_("--help").output
    verbs = (
        "demo dev drop files grants ingest new-dataset notify project propagate query rebuild refresh rejects replay "
    )
    for verb in (verbs + "retract sql status upkeep").split():
        assert f"  {verb}" in shown


def test_a_dropped_file_is_ingested_and_counted(planes: Slice) -> None:
    shown = planes("status").output
    (line,) = [line for line in shown.splitlines() if line.startswith(" planes")]
    assert line.split()[1:4] == ["40", "1", "1"]


def test_the_run_is_on_the_instance_that_the_ui_shows(planes: Slice) -> None:
    with dg.DagsterInstance.get() as instance:
        (run,) = instance.get_runs()
    assert (run.job_name, run.status, run.tags["slice/from"]) == ("ingest_planes", dg.DagsterRunStatus.SUCCESS, "cli")


def test_files_tells_what_became_of_each(planes: Slice) -> None:
    shown = planes("files", "planes").output
    assert "planes/planes.csv" in shown and "published" in shown


def test_rejects_tells_line_column_and_reason(planes: Slice) -> None:
    shown = planes("rejects", "planes").output
    assert "42" in shown and "year" in shown and "'soon' is not integer" in shown


def test_query_prints_a_table_and_explains_the_cost(planes: Slice) -> None:
    done = planes("query", "--explain", "SELECT count(*) AS planes FROM curated.planes")
    assert "40" in done.stdout and "1 of 1 data files" in done.stderr and "Athena would charge" in done.stderr


def test_query_writes_json_lines_and_csv(planes: Slice, tmp_path: Path) -> None:
    sql = "SELECT tailnum, seats FROM curated.planes ORDER BY tailnum LIMIT 1"
    assert json.loads(planes("query", "--format", "json", sql).stdout) == {"tailnum": "N100", "seats": 200}
    planes("query", "--format", "csv", "--output", str(tmp_path / "out.csv"), sql)
    assert (tmp_path / "out.csv").read_text() == '"tailnum","seats"\n"N100",200\n'


def test_a_refused_query_says_why_and_exits_with_1(planes: Slice) -> None:
    done = planes("query", "DELETE FROM curated.planes")
    assert done.exit_code == PERMANENT and "slice: " in done.stderr


def test_an_answer_that_cannot_be_written_says_why_and_exits_with_1(slice_: Slice, tmp_path: Path) -> None:
    done = slice_("query", "--output", str(tmp_path / "nowhere" / "x.csv"), "SELECT 1 AS one")
    assert done.exit_code == PERMANENT and "x.csv': No such file or directory" in done.stderr


def test_a_malformed_setting_is_named_and_exits_with_1(slice_: Slice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICE_DUCKDB_MEMORY_LIMIT", "foo")
    done = slice_("status")
    assert done.exit_code == PERMANENT and "slice: " in done.stderr and "SLICE_DUCKDB_MEMORY_LIMIT='foo'" in done.stderr


def test_a_ledger_that_is_out_of_reach_is_told_and_exits_with_75(
    slice_: Slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_METADATA_URL", "postgresql+psycopg://reader:hidden@127.0.0.1:1/ledger")
    done = slice_("status")
    assert done.exit_code == TRANSIENT and "slice: " in done.stderr and "ledger" in done.stderr
    assert "hidden" not in done.output


def test_a_name_that_matches_no_pattern_is_refused_at_the_door(slice_: Slice, tmp_path: Path) -> None:
    (tmp_path / "planes.xlsx").write_text("x")
    done = slice_("drop", "planes", str(tmp_path / "planes.xlsx"))
    assert done.exit_code == PERMANENT and "'planes.xlsx'" in done.stderr and "*.csv" in done.stderr


def test_an_unknown_dataset_is_answered_with_the_known_ones(slice_: Slice) -> None:
    done = slice_("ingest", "plains")
    assert done.exit_code == PERMANENT and "'plains'" in done.stderr and "planes" in done.stderr


def test_ingest_with_nothing_to_do_says_so(slice_: Slice) -> None:
    assert "Nothing to do" in slice_("ingest").output


def test_a_stray_is_set_aside_with_its_reason(slice_: Slice, tmp_path: Path) -> None:
    slice_("status")  # makes the landing folder
    stray = tmp_path / "home" / "lake" / "landing" / "plans" / "planes.csv"
    stray.parent.mkdir(parents=True)
    stray.write_text(PLANES)
    assert slice_("ingest").exit_code == 0
    assert not stray.exists() and "belongs to no dataset" in slice_("files").output


def test_upkeep_says_what_it_did_and_a_dry_run_what_it_would_do(planes: Slice) -> None:
    shown = planes("upkeep", "planes", "--dry-run")
    assert shown.exit_code == 0 and "0 snapshots would expire" in shown.output
    done = planes("upkeep", "planes")
    assert done.exit_code == 0 and "planes" in done.output and "small files" in done.output
