"""S3 and Glue that fail at any point: what passes is tried again, what lasts is told, and nothing is half-done."""

import time
from pathlib import Path
from typing import Any

import pytest
from pyiceberg.exceptions import CommitFailedException

from slice_platform.errors import TransientError
from slice_platform.lake.catalog import catalog_of
from slice_platform.lake.glue import Glue
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import CURATED, LANDING, QUARANTINE, Lake
from slice_platform.lake.table import fence
from slice_platform.records import FileStatus
from slice_platform_tests.cloud import Cloud, Kind
from slice_platform_tests.conftest import MakeLake, SettingsOf
from slice_platform_tests.lake.feeds import assert_accounted, deliver, lines, merged, paths, snapshots, table_of
from slice_platform_tests.samples import drop

POINTS = {
    "list landing": r"^GET .*list-type=2&prefix=lake%2Flanding",
    "copy": r"^PUT .*/raw/",
    "read back": r"^GET .*/raw/",
    "read the table": r"^POST GetTable",
    "read data files": r"^GET .*\.parquet",
    "write data files": r"^(PUT|POST) .*\.parquet",
    "write manifests": r"^PUT .*\.avro",
    "read manifests": r"^GET .*\.avro",
    "write metadata": r"^PUT .*metadata\.json",
    "commit": r"^POST UpdateTable",
    "delete from landing": r"^DELETE .*/landing/",
}
BEFORE = [("a", 1, 1), ("b", 1, 1)]
AFTER = [("a", 2, 1), ("b", 1, 1), ("c", 1, 2)]


@pytest.fixture
def lake(make_lake: MakeLake, on_aws: SettingsOf, tmp_path: Path) -> Lake:
    return waiting_lake(make_lake, on_aws(tmp_path))


def waiting_lake(make_lake: MakeLake, settings: dict[str, Any]) -> Lake:
    """A lake on S3 and Glue that holds one file, with a second one in landing that changes and adds rows."""
    lake = make_lake(merged(), **{**settings, "aws_attempts": 2})
    deliver(lake, a_jsonl=lines(*BEFORE))
    drop(lake, "feed/b.jsonl", lines(("a", 2, 1), ("c", 1, 2)))
    return lake


def assert_exact(lake: Lake) -> None:
    """Two files published once each, and nothing that a failed run left."""
    assert table_of(lake) == AFTER
    assert_accounted(lake)
    rows = lake.ledger.list_files("feed")
    assert [(row.status, row.left_landing) for row in rows] == [(FileStatus.PUBLISHED, True)] * 2
    assert list(lake.store.list(LANDING)) == list(lake.store.list(QUARANTINE)) == []
    raw = {entry.key for entry in lake.store.list("raw")}
    assert raw == {row.raw_key for row in rows}
    stored = {lake.store.path(entry.key) for entry in lake.store.list(f"{CURATED}/feed/data")}
    referenced = set(paths(lake))
    assert referenced <= stored
    # What the first commit wrote and the second replaced belongs to the earlier snapshot.
    assert len(stored - referenced) == 1
    assert snapshots(lake) == 2


@pytest.mark.parametrize("point", POINTS)
def test_a_failure_that_passes_is_not_noticed(lake: Lake, cloud: Cloud, point: str) -> None:
    with cloud.failing("slow_down", POINTS[point], times=1) as fault:
        ingest(lake, "feed")
    assert fault.hit == 1
    assert_exact(lake)


@pytest.mark.parametrize("point", POINTS)
def test_an_outage_is_told_and_the_next_run_is_exact(lake: Lake, cloud: Cloud, point: str) -> None:
    with cloud.failing("error", POINTS[point]) as fault, pytest.raises(TransientError):
        ingest(lake, "feed")
    assert fault.hit
    assert table_of(lake) == BEFORE, "readers see the table as it was"
    ingest(lake, "feed")
    assert_exact(lake)


@pytest.mark.parametrize("point", ["copy", "write data files", "commit"])
def test_a_store_that_hangs_is_given_up_after_a_bounded_time(
    make_lake: MakeLake, on_aws: SettingsOf, tmp_path: Path, cloud: Cloud, point: str
) -> None:
    lake = waiting_lake(make_lake, {**on_aws(tmp_path), "aws_timeout_seconds": 2.0})
    started = time.monotonic()
    with cloud.failing("hang", POINTS[point]), pytest.raises(TransientError):
        ingest(lake, "feed")
    assert time.monotonic() - started < 60
    ingest(lake, "feed")
    assert_exact(lake)


@pytest.mark.parametrize("times", [1, 100])
def test_a_commit_whose_answer_is_lost_counts_once(lake: Lake, cloud: Cloud, times: int) -> None:
    """It took place. A second try is refused, as the table is no longer what it was planned on."""
    with cloud.failing("lost_answer", POINTS["commit"], times=times) as fault:
        ingest(lake, "feed")
    assert fault.hit
    assert_exact(lake)


@pytest.mark.parametrize("kind", ["reset", "cut"])
@pytest.mark.parametrize("point", ["read back", "read data files"])
def test_a_connection_that_breaks_while_bytes_come_harms_no_file(
    lake: Lake, cloud: Cloud, kind: Kind, point: str
) -> None:
    with cloud.failing(kind, POINTS[point], times=1) as fault:
        ingest(lake, "feed")
    assert fault.hit == 1
    assert_exact(lake)


def test_glue_that_throttles_for_long_is_no_fault_of_the_file(lake: Lake, cloud: Cloud) -> None:
    with cloud.failing("slow_down", r"^POST "), pytest.raises(TransientError, match="feed"):
        ingest(lake, "feed")
    ingest(lake, "feed")
    assert_exact(lake)


def test_a_commit_that_is_still_under_way_does_not_come_through_a_fence(lake: Lake) -> None:
    catalog = catalog_of(lake)
    assert isinstance(catalog, Glue)
    found = catalog.glue.get_table(DatabaseName=lake.settings.catalog_namespace, Name="feed")["Table"]
    fence(lake, lake.dataset("feed"))
    late: Any = {"Name": "feed", "Parameters": found["Parameters"]}
    with pytest.raises(CommitFailedException):
        catalog._update_once(lake.settings.catalog_namespace, late, found["VersionId"])
    assert table_of(lake) == BEFORE
