"""The state of every dataset at a glance."""

from datetime import UTC, datetime
from pathlib import Path

from slice_platform.lake.ingest import ingest, receive_pending
from slice_platform.lake.landing import look
from slice_platform.lake.receive import set_aside_strays
from slice_platform.lake.status import DatasetStatus, status
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.query_fixtures import VISITS, fill_visits
from slice_platform_tests.samples import drop


def test_a_new_dataset_has_nothing(make_lake: MakeLake) -> None:
    nothing = DatasetStatus("visits", 0, 0, 0, 0, 0, None, 0, 0, 0, 0, 0)
    assert status(make_lake({"visits": VISITS})) == [nothing]
    assert nothing.compression is None


def test_a_table_is_counted_from_the_ledger(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    fill_visits(lake)
    (line,) = status(lake)
    stored = [path.stat().st_size for path in Path(lake.settings.lake_root, "curated").rglob("*.parquet")]
    assert (line.rows, line.partitions, line.data_files, line.table_bytes) == (72, 6, 6, sum(stored))
    raw = [path.stat().st_size for path in Path(lake.settings.lake_root, "raw").rglob("*.jsonl")]
    assert (line.received_bytes, line.compression) == (sum(raw), sum(raw) / sum(stored))
    assert line.last_arrival is not None
    assert abs((datetime.now(UTC) - line.last_arrival).total_seconds()) < 60


def test_what_waits_is_counted_where_it_waits(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    drop(lake, "visits/one.csv", b"id,day\na,2013-01-01\n")
    receive_pending(lake, "visits")
    drop(lake, "visits/two.csv", b"id,day\nb,2013-01-01\n")
    drop(lake, "visits/three.csv", b"id,day\nc,2013-01-01\n")
    (line,) = status(lake)
    assert (line.unpublished, line.pending, line.still_written, line.rows) == (1, 2, 0, 0)


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


def test_strays_have_a_line_of_their_own(make_lake: MakeLake) -> None:
    lake = make_lake({"visits": VISITS})
    drop(lake, "sales/one.csv", b"id\n")
    waiting = status(lake)[-1]
    assert (waiting.dataset, waiting.pending, waiting.quarantined) == ("_strays", 1, 0)
    set_aside_strays(lake, look(lake).strays)
    aside = status(lake)[-1]
    assert (aside.dataset, aside.pending, aside.quarantined) == ("_strays", 0, 1)
