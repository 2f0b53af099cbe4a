"""`slice retract`, `replay` and `rebuild`: real runs on the instance that the UI shows, and what they say."""

from pathlib import Path

import dagster as dg
import pytest

from slice_platform.cli.corrections import keys_between
from slice_platform.cli.main import PERMANENT
from slice_platform.errors import PermanentError
from slice_platform.lake.dataset import load_datasets
from slice_platform.settings import load_settings
from slice_platform_tests.cli.conftest import PLANES, Slice


def rows(slice_: Slice) -> str:
    return slice_("query", "select count(*) as n from curated.planes", "--format", "csv").output.split()[1]


def test_a_retracted_file_leaves_the_table_and_the_ui_shows_it(planes: Slice) -> None:
    shown = planes("retract", "planes", "planes.csv")
    assert "landing/planes/planes.csv: 40 rows left curated.planes" in shown.output
    assert rows(planes) == "0"
    with dg.DagsterInstance.get() as instance:
        latest = instance.get_latest_materialization_event(dg.AssetKey(["curated", "planes"]))
    assert latest and latest.asset_materialization
    assert latest.asset_materialization.metadata["dagster/row_count"].value == 0
    assert "retracted already" in planes("retract", "planes", "planes.csv").output


def test_a_name_that_no_file_has_is_told_with_what_is_near(planes: Slice) -> None:
    done = planes("retract", "planes", "plane.csv")
    assert done.exit_code == PERMANENT
    assert "similar: 'planes.csv'" in done.output


def test_a_correction_shows_both_versions(planes: Slice, tmp_path: Path) -> None:
    (tmp_path / "planes.csv").write_text(PLANES.replace("soon", "2001"))
    planes("drop", "planes", str(tmp_path / "planes.csv"))
    assert planes("ingest", "planes").exit_code == 0
    shown = planes("files", "planes").output
    assert "superseded" in shown and "superseded by file 2" in shown
    assert rows(planes) == "41"


def test_a_replay_says_how_much_passed(planes: Slice) -> None:
    shown = planes("replay", "planes")
    assert shown.exit_code == 0, shown.output
    assert "No row passed; still set aside: 1 row, and 0 files as a whole. Why: slice rejects planes" in shown.output
    assert rows(planes) == "40"


def test_a_whole_table_is_made_again(planes: Slice) -> None:
    assert "curated.planes is made again" in planes("rebuild", "planes").output
    assert rows(planes) == "40"


@pytest.mark.parametrize(("text", "count"), [("2013-01-01..2013-01-03", 3), ("2013-02-28", 1)])
def test_a_range_names_partitions_both_included(text: str, count: int) -> None:
    flights = load_datasets(load_settings().defs_dir)["flights"]
    assert len(keys_between(flights, text)) == count


@pytest.mark.parametrize("text", ["2013-01-03..2013-01-01", "2012-01-01", "x..y", ""])
def test_a_range_that_is_none_of_the_table_is_refused(text: str) -> None:
    flights = load_datasets(load_settings().defs_dir)["flights"]
    with pytest.raises(PermanentError, match=r"expected A\.\.B with partitions from 2013-01-01"):
        keys_between(flights, text)


def test_partitions_of_a_table_without_any_are_refused(planes: Slice) -> None:
    done = planes("rebuild", "planes", "--partitions", "2013-01-01")
    assert done.exit_code == PERMANENT
    assert "has no partitions" in done.output
