"""Notifications are kept here until they are where people read them: promise 9.

A row is written before anything is sent and marked after the answer. `SENDING` says that a call is under way; who
holds the channel and finds it knows that whoever made the call has died, and looks whether the message is there.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from slice_platform.errors import LedgerUnavailable
from slice_platform.metadata_db import MetadataDb
from slice_platform.notify.kept import OPEN, Kept, Line, Receipt, Standing, State, in_utc, kept_of, line_of
from slice_platform.notify.notification import Notification
from slice_platform.notify.outbox_tables import channels, metadata, notifications, repeats
from slice_platform.notify.redact import redact

DIGEST = "digest-"  # keys of messages that tell others begin so
_BUSY_SECONDS = 5  # that a data run waits for others
_MOST_NAME = 200  # characters of a key or thread
_TRIES_IN_FRONT = 5  # a message that failed so often lets others go first
_TOLD = (State.REFUSED, State.MERGED)  # shows no count of its own


class Outbox:
    """The outbox in the metadata database; safe for several processes."""

    def __init__(self, db: MetadataDb, *, window_seconds: float) -> None:
        self._db, self._window = db, timedelta(seconds=window_seconds)
        if not sa.inspect(db.engine).has_table(channels.name):
            self._make_tables()

    def close(self) -> None:
        self._db.close()

    def store(self, one: Notification, *, notes: Sequence[str] = ()) -> Receipt:
        """It is kept, or counted as one more of a message that says the same. Secrets in its texts are hidden.

        Idempotent by `key`.
        """
        now = datetime.now(UTC)
        one = replace(one, key=_bounded(one.key), thread=_bounded(one.thread) if one.thread else None)
        with self._db.engine.begin() as connection:
            self._alone(connection)
            if (known := _known(connection, one.key)) is not None:
                return Receipt(known, is_new=False)
            if (same := self._same(connection, one, now)) is not None:
                connection.execute(repeats.insert().values(key=one.key, notification=same, at=now))
                more = {"repeats": notifications.c.repeats + 1, "repeated_at": now}
                connection.execute(notifications.update().where(notifications.c.id == same).values(more))
                return Receipt(same, is_new=False, is_repeat=True)
            return Receipt(_insert(connection, one, notes, now), is_new=True)

    def hold(self, channel: str) -> AbstractContextManager[bool]:
        """One process at a time sends to a channel; told at once whether it is this one."""
        return self._db.hold(f"notify-{hashlib.sha256(channel.encode()).hexdigest()[:16]}", timeout_seconds=0)

    # --- what is to do

    def lines(self) -> list[Line]:
        """The channels that something waits for, by the time at which they may be called again."""
        with self._db.engine.connect() as connection:
            names = {name for asked in _with_work() for name in connection.scalars(asked)}
            known = {row.name: row for row in connection.execute(sa.select(channels))}
        found = [line_of(name, known.get(name)) for name in names]
        return sorted(found, key=lambda line: line.next_at)

    def line(self, channel: str) -> Line:
        """The channel's place in time."""
        with self._db.engine.connect() as connection:
            return line_of(channel, connection.execute(sa.select(channels).where(channels.c.name == channel)).first())

    def next_open(self, channel: str) -> Kept | None:
        """What to go on with: what is under way first, then what came first.

        What has failed often steps back behind the others, so that it cannot keep them for ever.
        """
        c = notifications.c
        under_way = sa.case((c.state == State.WAITING, 1), else_=0)
        turn = (c.attempts // _TRIES_IN_FRONT, under_way, c.id)
        return self._first(sa.select(notifications).where(c.channel == channel, c.state.in_(OPEN)).order_by(*turn))

    def next_repeated(self, channel: str, shown_before: datetime) -> Kept | None:
        """A message that is there and does not show yet how often it was repeated."""
        c = notifications.c
        calm = sa.or_(c.shown_at.is_(None), c.shown_at < shown_before)
        return self._first(sa.select(notifications).where(c.channel == channel, _is_behind(), calm).order_by(c.id))

    def waiting(self, channel: str) -> list[Kept]:
        """What waits for a channel and no call is under way for, the oldest first."""
        with self._db.engine.connect() as connection:
            return _waiting(connection, channel)

    def get(self, number: int) -> Kept:
        found = self._first(sa.select(notifications).where(notifications.c.id == number))
        assert found is not None, f"notification {number} is not in the outbox"
        return found

    def thread_of(self, one: Kept) -> str | None:
        """The message that it stands below: the first of its thread in its channel; None where it is that one."""
        c = notifications.c
        if one.thread is None:
            return None
        with self._db.engine.connect() as connection:
            same = (c.channel == one.channel, c.thread == one.thread, c.ts.is_not(None), c.thread_ts.is_(None))
            return connection.scalar(sa.select(c.ts).where(*same, c.id < one.id).order_by(c.id).limit(1))

    def standing(self) -> Standing:
        c = notifications.c
        with self._db.engine.connect() as connection:
            open_ones = sa.select(sa.func.count(), sa.func.min(c.created_at)).where(c.state.in_(OPEN))
            waiting, oldest = connection.execute(open_ones).one()
            refused = connection.scalar(sa.select(sa.func.count()).where(c.state == State.REFUSED)) or 0
            of = sa.select(channels.c.error).join(notifications, c.channel == channels.c.name)
            error = connection.scalar(
                of.where(c.state.in_(OPEN), channels.c.error.is_not(None)).order_by(c.id).limit(1)
            )
        return Standing(waiting, refused, in_utc(oldest), error)

    # --- what was done

    def mark(self, one: Kept, **changes: object) -> None:
        """The columns have these values; lists are kept as JSON."""
        changes = {name: json.dumps(value) if isinstance(value, tuple) else value for name, value in changes.items()}
        with self._db.engine.begin() as connection:
            connection.execute(notifications.update().where(notifications.c.id == one.id).values(**changes))

    def mark_line(self, line: Line) -> None:
        values = {
            "next_at": line.next_at,
            "failures": line.failures,
            "error": line.error,
            "channel_id": line.channel_id,
        }
        with self._db.engine.begin() as connection:
            here = channels.c.name == line.channel
            if connection.execute(channels.update().where(here).values(**values)).rowcount == 0:
                connection.execute(channels.insert().values(name=line.channel, **values))

    def merge(self, channel: str, more_than: int, digest: Callable[[Sequence[Kept]], Notification]) -> int | None:
        """If more than so many wait for a channel, one message tells them in their place; its number.

        Reports stay by themselves, as they say what to do, and so do earlier digests. All or nothing.
        """
        with self._db.engine.begin() as connection:
            self._alone(connection)  # nobody counts a repeat on one that is being merged
            ones = [
                one for one in _waiting(connection, channel) if not one.is_report and not one.key.startswith(DIGEST)
            ]
            if len(ones) <= more_than:
                return None
            number = _insert(connection, digest(ones), (), min(one.created_at for one in ones))
            told = {"state": State.MERGED, "merged_into": number}
            these = notifications.c.id.in_([one.id for one in ones])
            connection.execute(notifications.update().where(these).values(**told))
        return number

    def try_refused_again(self) -> int:
        """What was refused waits again, once what it was refused for was mended; how many."""
        now = datetime.now(UTC)
        again = {"state": State.WAITING, "attempts": 0, "attempted_at": None, "error": None, "created_at": now}
        with self._db.engine.begin() as connection:
            refused = notifications.c.state == State.REFUSED
            connection.execute(channels.update().values(next_at=0.0, failures=0, error=None))
            return connection.execute(notifications.update().where(refused).values(**again)).rowcount

    def forget(self, before: datetime) -> int:
        """What was sent before is let go, with the keys of its repeats; how many."""
        c = notifications.c
        done = sa.and_(c.state.in_((State.SENT, State.MERGED)), c.created_at < before)
        with self._db.engine.begin() as connection:
            connection.execute(repeats.delete().where(repeats.c.at < before))
            return connection.execute(notifications.delete().where(done)).rowcount

    # --- inside

    def _make_tables(self) -> None:
        """Several processes may open a new outbox at the same moment."""
        with self._db.hold("_ledger", timeout_seconds=_BUSY_SECONDS) as is_held:
            if not is_held:
                raise LedgerUnavailable(
                    f"Making the tables of the outbox: another process held the metadata database for {_BUSY_SECONDS} "
                    "seconds. Try again."
                )
            metadata.create_all(self._db.engine)

    def _first(self, asked: "sa.Select[tuple[object, ...]]") -> Kept | None:
        with self._db.engine.connect() as connection:
            row = connection.execute(asked.limit(1)).first()
        return kept_of(row) if row is not None else None

    def _alone(self, connection: sa.Connection) -> None:
        """Two that say the same at the same moment see each other: writers take turns."""
        if self._db.is_sqlite:
            connection.execute(repeats.delete().where(sa.false()))  # takes the lock of writers, and nothing else
        else:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_BUSY_SECONDS * 1000}")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext("slice outbox"))))

    def _same(self, connection: sa.Connection, one: Notification, now: datetime) -> int | None:
        c = notifications.c
        if one.fingerprint is None:
            return None
        alike = (c.channel == one.channel, c.fingerprint == _short(one.fingerprint), c.state.not_in(_TOLD))
        recent = sa.select(c.id).where(*alike, c.created_at > now - self._window).order_by(c.id.desc()).limit(1)
        return connection.scalar(recent)


def _bounded(name: str) -> str:
    """A name as it is, or its digest where a column could not hold it."""
    return name if len(name) <= _MOST_NAME else hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _waiting(connection: sa.Connection, channel: str) -> list[Kept]:
    c = notifications.c
    asked = sa.select(notifications).where(c.channel == channel, c.state == State.WAITING).order_by(c.id)
    return [kept_of(row) for row in connection.execute(asked)]


def _known(connection: sa.Connection, key: str) -> int | None:
    found = connection.scalar(sa.select(notifications.c.id).where(notifications.c.key == key))
    return found or connection.scalar(sa.select(repeats.c.notification).where(repeats.c.key == key))


def _insert(connection: sa.Connection, one: Notification, notes: Sequence[str], now: datetime) -> int:
    values = {
        "key": one.key,
        "channel": one.channel,
        "heading": redact(one.heading) if one.heading else None,
        "message": redact(one.message),
        "attachments": json.dumps(one.attachments),
        "notes": json.dumps([redact(note) for note in notes]),
        "fingerprint": _short(one.fingerprint) if one.fingerprint else None,
        "thread": one.thread,
        "is_report": one.is_report,
        "state": State.WAITING,
        "created_at": now,
    }
    result = connection.execute(notifications.insert().values(**values))
    assert result.inserted_primary_key is not None
    return int(result.inserted_primary_key[0])


def _short(fingerprint: str) -> str:
    return hashlib.sha256(fingerprint.encode("utf-8", "surrogatepass")).hexdigest()


def _is_behind() -> "sa.ColumnElement[bool]":
    c = notifications.c
    return sa.and_(c.state == State.SENT, c.repeats > c.repeats_shown)


def _with_work() -> "tuple[sa.Select[str], ...]":
    """Channels that something waits for. Two questions, as each has its index."""
    c = notifications.c
    return tuple(sa.select(c.channel).where(one).distinct() for one in (c.state.in_(OPEN), _is_behind()))
