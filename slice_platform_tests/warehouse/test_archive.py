"""Files are put away with what there is to say of them, and can be put back."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slice_platform.store import Store
from slice_platform.warehouse.archive import Attempt, archive_failed, archive_stray, archive_succeeded
from slice_platform.warehouse.drop_path import read_drop_path
from slice_platform.warehouse.pending import Dropped, look
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse

KEY = "destination=postgres/database=shop/table_name=people/input/load/a.csv"
AT = datetime(2026, 3, 1, 12, 30, 15, 7, tzinfo=UTC)
STAMP = "20260301T123015000007Z"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root"))


@pytest.fixture
def dropped(store: Store) -> Dropped:
    store.write(KEY, b"id\n1\n")
    entry = store.stat(KEY)
    assert entry is not None
    return Dropped(read_drop_path(KEY), entry)


def fail(store: Store, dropped: Dropped, refused: FileRefused) -> str:
    return archive_failed(store, dropped, refused, Attempt(AT, "run", "00"))


def test_a_file_that_was_loaded_lies_in_succeeded(store: Store, dropped: Dropped) -> None:
    key = archive_succeeded(store, dropped, AT)
    assert key == f"destination=postgres/database=shop/table_name=people/succeeded/{STAMP}-a.csv"
    assert store.stat(KEY) is None and store.open(key).read() == b"id\n1\n"


def test_a_file_that_failed_has_its_reason_beside_it(store: Store, dropped: Dropped) -> None:
    findings = [Finding("is not INTEGER", line, "id", f"v{line}") for line in range(2, 1502)]
    key = fail(store, dropped, FileRefused(*findings, total=5000))
    report = json.loads(store.open(f"{key}.error.json").read())
    assert report["reason"] == "line 2, column id: 'v2' is not INTEGER" and report["findings_total"] == 5000
    rows = list(csv.reader(store.open(report["listed_in"]).read().decode().splitlines()))
    assert (
        rows[:2] == [["line", "column", "value", "reason"], ["2", "id", "v2", "is not INTEGER"]] and len(rows) == 1001
    )


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_spreadsheet_runs_nothing_of_a_report(store: Store, dropped: Dropped, value: str) -> None:
    key = fail(store, dropped, FileRefused(Finding("is not INTEGER", 2, "id", value)))
    assert f"'{value}" in store.open(f"{key}.errors.csv").read().decode()


def test_a_file_about_which_no_line_is_to_blame_has_no_list(store: Store, dropped: Dropped) -> None:
    key = fail(store, dropped, refuse("The file is empty."))
    assert store.stat(f"{key}.errors.csv") is None and store.stat(f"{key}.error.json") is not None


def test_what_a_producer_put_in_its_place_stays(store: Store, dropped: Dropped) -> None:
    store.write(KEY, b"id\n2\n3\n")
    archive_succeeded(store, dropped, AT)
    assert store.open(KEY).read() == b"id\n2\n3\n"


def test_a_stray_keeps_its_path_in_its_name(store: Store) -> None:
    store.write("some where/ä.csv", b"x")
    (stray,) = look(store, tick_seconds=0).strays
    key = archive_stray(store, stray, AT)
    assert key == f"failed/{STAMP}-some_where___.csv"
    assert json.loads(store.open(f"{key}.error.json").read())["file"] == "some where/ä.csv"
    assert not look(store, tick_seconds=0).strays
