"""The outbox keeps what it is told once, counts what is told again, and lets two processes see each other."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slice_platform.errors import LedgerUnavailable
from slice_platform.metadata_db import MetadataDb
from slice_platform.notify.kept import State
from slice_platform.notify.notification import Notification
from slice_platform.notify.outbox import Outbox
from slice_platform_tests.postgres import Postgres

MakeOutbox = Callable[..., Outbox]


@pytest.fixture(params=["sqlite", "postgres"])
def make_outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeOutbox]:
    """Outboxes over one database, each as another process would open it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.fresh_url()
    opened: list[Outbox] = []

    def make(busy_seconds: float = 60.0) -> Outbox:
        db = MetadataDb(url, lock_dir=tmp_path / "locks", busy_seconds=busy_seconds)
        opened.append(Outbox(db, window_seconds=600))
        return opened[-1]

    yield make
    for outbox in opened:
        outbox.close()


def test_one_key_is_kept_once(make_outbox: MakeOutbox) -> None:
    outbox = make_outbox()
    first = outbox.store(Notification("data", "hello", key="k"))
    again = make_outbox().store(Notification("data", "hello", key="k"))
    assert first.is_new and not again.is_new and again.id == first.id
    assert [one.message for one in outbox.waiting("data")] == ["hello"]


def test_the_same_again_becomes_a_count(make_outbox: MakeOutbox) -> None:
    outbox = make_outbox()
    for number in range(37):
        outbox.store(Notification("data", f"disk full, try {number}", fingerprint="disk", key=f"k{number}"))
    outbox.store(Notification("data", "disk full, try 36", fingerprint="disk", key="k36"))  # told of again
    outbox.store(Notification("other", "disk full", fingerprint="disk"))
    (one,) = outbox.waiting("data")
    assert (one.message, one.repeats) == ("disk full, try 0", 36)
    assert len(outbox.waiting("other")) == 1


def test_eight_processes_that_say_the_same_make_one(make_outbox: MakeOutbox) -> None:
    boxes = [make_outbox() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda box: box.store(Notification("data", "down", fingerprint="f")), boxes))
    (one,) = boxes[0].waiting("data")
    assert one.repeats == 7


def test_eight_deliveries_of_one_key_make_one(make_outbox: MakeOutbox) -> None:
    boxes = [make_outbox() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda box: box.store(Notification("data", "down", key="k")), boxes))
    assert sum(receipt.is_new for receipt in receipts) == 1 and len({receipt.id for receipt in receipts}) == 1


def test_a_database_that_others_hold_is_given_up(make_outbox: MakeOutbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data run must not wait for ever for what it tells."""
    monkeypatch.setattr("slice_platform.notify.outbox._BUSY_SECONDS", 1)
    other, outbox = make_outbox(), make_outbox(busy_seconds=1.0)
    with other._db.engine.begin() as connection:
        other._alone(connection)
        with pytest.raises(LedgerUnavailable):
            outbox.store(Notification("data", "hello"))
    assert outbox.store(Notification("data", "hello")).is_new


def test_a_refused_one_is_not_counted_on(make_outbox: MakeOutbox) -> None:
    outbox = make_outbox()
    first = outbox.store(Notification("data", "down", fingerprint="f"))
    outbox.mark(outbox.get(first.id), state=State.REFUSED)
    assert outbox.store(Notification("data", "down", fingerprint="f")).is_new


def test_a_channel_is_one_process_at_a_time(make_outbox: MakeOutbox) -> None:
    one, two = make_outbox(), make_outbox()
    with one.hold("data") as first, two.hold("data") as second, two.hold("other") as third:
        assert (first, second, third) == (True, False, True)
    with two.hold("data") as held:
        assert held


def test_what_keeps_failing_lets_others_go_first(make_outbox: MakeOutbox) -> None:
    outbox = make_outbox()
    poison = outbox.store(Notification("data", "poison"))
    good = outbox.store(Notification("data", "good"))
    outbox.mark(outbox.get(poison.id), state=State.SENDING, attempts=5)
    first = outbox.next_open("data")
    assert first is not None and first.id == good.id


def test_secrets_are_not_even_stored(make_outbox: MakeOutbox) -> None:
    outbox = make_outbox()
    receipt = outbox.store(Notification("data", "password=hunter2", heading="postgresql://u:hunter2@host/db"))
    kept = outbox.get(receipt.id)
    assert "hunter2" not in f"{kept.message}{kept.heading}" and "[hidden]" in kept.message


@pytest.mark.parametrize("text", ["\x00 nul", "\ud800 lone", "\U0001f600 wide", "x" * 500_000])
def test_any_text_is_kept(make_outbox: MakeOutbox, text: str) -> None:
    outbox = make_outbox()
    receipt = outbox.store(Notification("data", text, heading=text[:50], fingerprint=text[:50]))
    assert outbox.get(receipt.id).message.strip()
