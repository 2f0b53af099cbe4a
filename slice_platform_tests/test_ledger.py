import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from slice_platform.errors import DatasetBusy, LedgerUnavailable
from slice_platform.ledger import Ledger
from slice_platform.records import BatchReceipt, FileAccount, FileRow, FileStatus, PartitionRow
from slice_platform.store import StoredObject
from slice_platform_tests.postgres import Postgres


@dataclass(frozen=True)
class Place:
    """Where a ledger is kept; processes open it too."""

    url: str
    lock_dir: Path

    def open(self, *, lock_timeout_seconds: float = 5) -> Ledger:
        return Ledger(self.url, lock_dir=self.lock_dir, lock_timeout_seconds=lock_timeout_seconds)


@pytest.fixture(params=["sqlite", "postgres"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    """One promise, two databases: a file on a laptop, a server elsewhere."""
    if request.param == "sqlite":
        return Place(f"sqlite:///{tmp_path}/state/ledger.db", tmp_path / "locks")
    server: Postgres = request.getfixturevalue("postgres")
    return Place(server.fresh_url(), tmp_path / "locks")


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    opened = place.open()
    yield opened
    opened.close()


def announce(ledger: Ledger, name: str, dataset: str = "trips") -> FileRow:
    entry = StoredObject(f"landing/{dataset}/{name}", 10, "v1", None)
    return ledger.announce_file(dataset, entry, lambda dataset, file_id, _at, name: f"raw/{dataset}/{file_id}-{name}")


def published(ledger: Ledger, *files: FileRow, partitions: tuple[str, ...] = ("2013-01-01",)) -> BatchReceipt:
    receipt = BatchReceipt(tuple(FileAccount(f.id, 10, 8, 1, 1, partitions=partitions) for f in files), {}, partitions)
    ledger.open_batch("b1", "trips")
    ledger.settle_batch("b1", "trips", receipt, 7, [PartitionRow(key, 1, 8, 100, 1) for key in partitions])
    return receipt


def test_an_announced_file_has_an_id_and_the_key_it_is_copied_to(ledger: Ledger) -> None:
    row = announce(ledger, "a.csv")
    assert row.raw_key == f"raw/trips/{row.id}-a.csv"
    assert row.status is FileStatus.ARRIVING
    assert row.received_at.tzinfo is UTC
    assert abs((datetime.now(UTC) - row.received_at).total_seconds()) < 5
    assert ledger.list_files("trips") == [row]


def test_a_reason_may_quote_any_bytes_of_a_file(ledger: Ledger) -> None:
    row = ledger.update_file(announce(ledger, "a.csv").id, error="the file has: \x00\x01 and \udcff")
    assert row.error == "the file has: \\x00\x01 and \\udcff"


def test_ids_are_never_used_twice(ledger: Ledger) -> None:
    """Ties between rows fall to the file's id, so a forgotten id must not come back."""
    first = announce(ledger, "a.csv")
    ledger.forget_file(first.id)
    assert announce(ledger, "a.csv").id > first.id


def test_files_are_found_by_dataset_status_and_name(ledger: Ledger) -> None:
    one, two, other = announce(ledger, "1"), announce(ledger, "2"), announce(ledger, "1", "rides")
    ledger.update_file(two.id, status=FileStatus.RECEIVED)
    assert [row.id for row in ledger.list_files()] == [one.id, two.id, other.id]
    assert [row.id for row in ledger.list_files("trips", statuses=[FileStatus.RECEIVED])] == [two.id]
    assert [row.id for row in ledger.list_files(source_key="landing/trips/1")] == [one.id]
    assert ledger.unfinished_datasets() == {"trips"}


def test_a_file_whose_departure_was_not_booked_is_known(ledger: Ledger) -> None:
    arriving, stuck, gone = (announce(ledger, name) for name in "123")
    ledger.update_file(stuck.id, status=FileStatus.RECEIVED)
    ledger.update_file(gone.id, status=FileStatus.RECEIVED, left_landing=True)
    assert [row.id for row in ledger.files_in_landing("trips")] == [stuck.id]
    assert arriving.status is FileStatus.ARRIVING


def test_a_settled_batch_books_files_and_partitions(ledger: Ledger) -> None:
    row = announce(ledger, "a.csv")
    published(ledger, row)
    (booked,) = ledger.list_files("trips", statuses=[FileStatus.PUBLISHED])
    assert (booked.rows_read, booked.rows_published, booked.rows_duplicate, booked.rows_rejected) == (10, 8, 1, 1)
    assert booked.is_accounted
    assert ledger.list_partitions("trips") == [PartitionRow("2013-01-01", 1, 8, 100, 1)]
    assert ledger.open_batches("trips") == []


def test_rows_that_a_later_batch_hides_become_duplicates(ledger: Ledger) -> None:
    early, late = announce(ledger, "early"), announce(ledger, "late")
    published(ledger, early)
    ledger.open_batch("b2", "trips")
    ledger.settle_batch("b2", "trips", BatchReceipt((FileAccount(late.id, 3, 3, 0, 0),), {early.id: 3}, ()), 8, [])
    (booked,) = (row for row in ledger.list_files("trips") if row.id == early.id)
    assert (booked.rows_published, booked.rows_duplicate) == (5, 4)
    assert booked.is_accounted


def test_a_partition_that_is_gone_after_the_commit_leaves_the_ledger(ledger: Ledger) -> None:
    published(ledger, announce(ledger, "a"), partitions=("2013-01-01", "2013-01-02"))
    ledger.open_batch("b2", "trips")
    receipt = BatchReceipt(partitions=("2013-01-01",))
    ledger.settle_batch("b2", "trips", receipt, 8, [])
    assert [row.partition_key for row in ledger.list_partitions("trips")] == ["2013-01-02"]


def test_a_batch_is_booked_whole_or_not_at_all(ledger: Ledger) -> None:
    row = announce(ledger, "a")
    ledger.open_batch("b1", "trips")
    receipt = BatchReceipt((FileAccount(row.id, 1, 1, 0, 0, partitions=("p",)),), {}, ("p",))
    twice = [PartitionRow("p", 1, 1, 1, 1)] * 2
    with pytest.raises(IntegrityError):
        ledger.settle_batch("b1", "trips", receipt, 7, twice)
    assert ledger.list_files("trips") == [row]
    assert [batch.id for batch in ledger.open_batches("trips")] == ["b1"]


def test_what_a_batch_promised_survives_a_crash(ledger: Ledger, place: Place) -> None:
    receipt = BatchReceipt((FileAccount(1, 5, 3, 1, 1, partitions=("p", "q")),), {4: 2}, ("p", "q"))
    ledger.open_batch("b1", "trips")
    ledger.open_batch("b2", "trips")
    ledger.promise_batch("b1", receipt)
    ledger.abandon_batch("b2")
    again = place.open()
    (batch,) = again.open_batches("trips")
    again.close()
    assert batch.receipt == receipt


def test_files_are_found_by_the_partitions_they_touch(ledger: Ledger) -> None:
    row, elsewhere = announce(ledger, "a"), announce(ledger, "b")
    published(ledger, row, partitions=("p", "q"))
    assert [found.id for found in ledger.files_of_partitions("trips", ["q", "r"])] == [row.id]
    assert ledger.files_of_partitions("trips", ["r"]) == []
    assert ledger.files_of_partitions("rides", ["q"]) == []
    assert elsewhere.status is FileStatus.ARRIVING


def test_a_dataset_is_held_by_one_and_the_other_is_told(ledger: Ledger, place: Place) -> None:
    impatient = place.open(lock_timeout_seconds=0.2)
    with ledger.exclusive("trips"):
        with pytest.raises(DatasetBusy, match=r"0\.2 s for dataset 'trips'.*SLICE_LOCK_TIMEOUT_SECONDS"):
            impatient.exclusive("trips").__enter__()
        with impatient.exclusive("rides"):
            pass
    with impatient.exclusive("trips"):
        pass
    impatient.close()


def _hold_and_die(place: Place, held: Barrier) -> None:
    place.open().exclusive("trips").__enter__()
    held.wait(30)
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lock_of_a_killed_process_is_free(ledger: Ledger, place: Place) -> None:
    spawn = multiprocessing.get_context("spawn")
    held = spawn.Barrier(2)
    process = spawn.Process(target=_hold_and_die, args=(place, held))
    process.start()
    held.wait(30)
    process.join(30)
    with ledger.exclusive("trips"):
        pass


def _open_with_others(place: Place, at_once: Barrier, said: "Queue[str]") -> None:
    at_once.wait(30)
    try:
        place.open().open_batch(str(multiprocessing.current_process().pid), "trips")
        said.put("ok")
    except Exception as error:  # noqa: BLE001 -- it is handed to the test
        said.put(repr(error))


def test_several_processes_open_a_new_ledger_at_once(place: Place) -> None:
    """The UI, the daemon and a command start together on a fresh machine."""
    spawn = multiprocessing.get_context("spawn")
    at_once, said = spawn.Barrier(4), spawn.Queue()
    processes = [spawn.Process(target=_open_with_others, args=(place, at_once, said)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [said.get(timeout=60) for _ in processes] == ["ok"] * 4
    for process in processes:
        process.join(30)


@pytest.fixture
def remote(postgres: Postgres, tmp_path: Path) -> Iterator[Ledger]:
    with closing(Place(postgres.fresh_url(), tmp_path / "locks").open()) as opened:
        yield opened


def test_a_server_that_is_away_is_told_and_later_found_again(postgres: Postgres, remote: Ledger) -> None:
    row = announce(remote, "a.csv")
    postgres.stop()
    try:
        with pytest.raises(LedgerUnavailable, match=r"did not answer.*can be repeated"):
            remote.list_files("trips")
    finally:
        postgres.start()
    assert remote.list_files("trips") == [row]


def test_a_lock_that_went_with_its_server_is_told_at_the_latest_at_its_end(postgres: Postgres, remote: Ledger) -> None:
    with pytest.raises(LedgerUnavailable), remote.exclusive("trips"):
        postgres.restart()
    with remote.exclusive("trips"):
        pass


def test_a_lock_is_no_transaction_that_stays_open(remote: Ledger) -> None:
    """Databases end sessions that idle in a transaction, and a batch may take an hour."""
    with remote.exclusive("trips"), remote._engine.connect() as connection:
        idle = "select count(*) from pg_stat_activity where datname = current_database() and state ~ '^idle in'"
        assert connection.exec_driver_sql(idle).scalar() == 0


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerUnavailable, match="SLICE_METADATA_URL"):
        Place(f"sqlite:///{tmp_path}/ledger.db", tmp_path / "locks").open()
