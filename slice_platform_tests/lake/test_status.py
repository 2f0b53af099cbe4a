"""The state of every dataset at a glance."""

from datetime import UTC, datetime

import pytest

from slice_platform.lake.corrections import retract
from slice_platform.lake.ingest import ingest, receive_pending
from slice_platform.lake.landing import look
from slice_platform.lake.receive import set_aside_strays
from slice_platform.lake.status import DatasetStatus, status
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import deliver, lines, merged
from slice_platform_tests.lake.query_fixtures import VISITS, fill_visits
from slice_platform_tests.lake.set_fixtures import by_marker, mark, part, put
from slice_platform_tests.samples import drop


def test_a_new_dataset_has_nothing(make_lake: MakeLake) -> None:
    nothing = DatasetStatus("visits", 0, 0, 0, 0, 0, None, 0, 0, 0, 0, 0)
    assert status(make_lake({"visits": VISITS})) == [nothing]
    assert nothing.compression is None


def test_a_table_is_counted_from_the_ledger(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    fill_visits(lake)
    (line,) = status(lake)
    stored = [entry.size_bytes for entry in lake.store.list("curated") if entry.key.endswith(".parquet")]
    assert (line.rows, line.partitions, line.data_files, line.table_bytes) == (72, 6, 6, sum(stored))
    raw = [entry.size_bytes for entry in lake.store.list("raw")]
    assert (line.received_bytes, line.compression) == (sum(raw), sum(raw) / sum(stored))
    assert line.last_arrival is not None
    assert abs((datetime.now(UTC) - line.last_arrival).total_seconds()) < 60


def test_a_partition_without_rows_is_not_counted(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1), ("b", 1, 2)))
    retract(lake, "feed", "a.jsonl")
    deliver(lake, b_jsonl=lines(("c", 1, 2)))
    (line,) = status(lake)
    assert (line.rows, line.partitions, line.data_files) == (1, 1, 1)


def test_what_waits_is_counted_where_it_waits(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    drop(lake, "visits/one.csv", b"id,day\na,2013-01-01\n")
    receive_pending(lake, "visits")
    drop(lake, "visits/two.csv", b"id,day\nb,2013-01-01\n")
    drop(lake, "visits/three.csv", b"id,day\nc,2013-01-01\n")
    (line,) = status(lake)
    assert (line.unpublished, line.pending, line.still_written, line.rows) == (1, 2, 0, 0)


@pytest.mark.directory("an object of S3 appears whole")
def test_a_file_that_is_still_written_is_not_pending(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS}, landing_tick_seconds=3600)
    drop(lake, "visits/one.csv", b"id,day\n")
    (line,) = status(lake)
    assert (line.pending, line.still_written) == (0, 1)


def test_rejected_rows_and_quarantined_files_are_counted(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    drop(lake, "visits/one.csv", b"id,day,n\na,2013-01-01,1\nb,2013-01-01,many\nc,2013-01-01,3\n")
    drop(lake, "visits/two.csv", b"")
    drop(lake, "visits/three.pdf", b"no pattern")
    ingest(lake, "visits")
    (line,) = status(lake)
    assert (line.rows, line.rejected_rows, line.quarantined) == (2, 1, 2)


def test_sets_that_wait_are_told_with_what_they_wait_for(make_lake: MakeLake) -> None:
    lake = make_lake(by_marker(overdue_after_hours=1e-9))
    put(lake, a=part("a"))
    (line,) = status(lake)
    assert (line.pending, line.still_written, line.unpublished) == (0, 0, 0)
    (one,) = line.waiting
    assert (one.name, one.files, one.is_overdue) == ("march", ("march/a.jsonl",), True)
    assert str(one).endswith("UTC, overdue) waits for: the marker _SUCCESS")
    mark(lake)
    ingest(lake, "feed")
    assert status(lake)[0].waiting == ()


def test_strays_have_a_line_of_their_own(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    drop(lake, "sales/one.csv", b"id\n")
    waiting = status(lake)[-1]
    assert (waiting.dataset, waiting.pending, waiting.quarantined) == ("_strays", 1, 0)
    set_aside_strays(lake, look(lake).strays)
    aside = status(lake)[-1]
    assert (aside.dataset, aside.pending, aside.quarantined) == ("_strays", 0, 1)


def test_small_files_that_upkeep_would_merge_are_counted(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    for number in range(6):
        drop(lake, f"visits/{number}.csv", f"id,day\na{number},2013-01-01\n".encode())
        ingest(lake, "visits")
    (line,) = status(lake)
    assert (line.data_files, line.small_files) == (6, 5)
