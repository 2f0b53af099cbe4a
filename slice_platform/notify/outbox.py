"""Notifications are kept here until they are where people read them: promise 9.

A row is written before anything is sent and marked after the answer. `SENDING` says that a call is under way; who
holds the channel and finds it knows that whoever made the call has died, and looks whether the message is there.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa

from slice_platform.metadata_db import MetadataDb
from slice_platform.notify.chat import Posted
from slice_platform.notify.notification import Notification
from slice_platform.notify.outbox_tables import channels, metadata, notifications, repeats
from slice_platform.notify.redact import redact

_MOST_NAME = 200  # characters of a key or thread
_TRIES_IN_FRONT = 5  # a message that failed so often lets others go first


class State(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"  # the call is under way, or whoever made it has died
    POSTED = "posted"  # the text is there, files are not yet
    SENT = "sent"
    MERGED = "merged"  # told by a digest
    REFUSED = "refused"


_TOLD = (State.REFUSED, State.MERGED)  # shows no count of its own
OPEN = (State.WAITING, State.SENDING, State.POSTED)


@dataclass(frozen=True)
class Kept:
    """A notification as the outbox has it."""

    id: int
    key: str
    channel: str
    message: str
    heading: str | None
    attachments: tuple[str, ...]
    notes: tuple[str, ...]
    thread: str | None
    is_report: bool
    state: State
    created_at: datetime
    attempts: int
    attempted_at: datetime | None
    posted: Posted | None
    thread_ts: str | None
    files_sent: int
    repeats: int
    repeated_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class Receipt:
    """`is_new` is False where this key was there, or became one more of another notification."""

    id: int
    is_new: bool


@dataclass(frozen=True)
class Line:
    """A channel's place in time: no call before `next_at` (seconds since 1970)."""

    channel: str
    next_at: float = 0.0
    failures: int = 0
    error: str | None = None
    channel_id: str | None = None


@dataclass(frozen=True)
class Standing:
    """How the outbox stands. `error` is what keeps the oldest from being sent."""

    waiting: int
    refused: int
    oldest_at: datetime | None = None
    error: str | None = None

    def is_stuck(self, now: datetime, seconds: float) -> bool:
        return self.oldest_at is not None and (now - self.oldest_at).total_seconds() > seconds


class Outbox:
    """The outbox in the metadata database; safe for several processes."""

    def __init__(self, db: MetadataDb, *, window_seconds: float) -> None:
        self._db, self._window = db, timedelta(seconds=window_seconds)
        if not sa.inspect(db.engine).has_table(channels.name):
            with db.hold("_ledger", timeout_seconds=30):  # several processes may open a new one at the same moment
                metadata.create_all(db.engine)

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
                return Receipt(same, is_new=False)
            return Receipt(_insert(connection, one, notes, now), is_new=True)

    def hold(self, channel: str) -> AbstractContextManager[bool]:
        """One process at a time sends to a channel; told at once whether it is this one."""
        return self._db.hold(f"notify-{hashlib.sha256(channel.encode()).hexdigest()[:16]}", timeout_seconds=0)

    # --- what is to do

    def lines(self) -> list[Line]:
        """The channels that something waits for, by the time at which they may be called again."""
        waits = sa.select(notifications.c.channel).where(_has_work()).distinct()
        with self._db.engine.connect() as connection:
            names = [name for (name,) in connection.execute(waits)]
            known = {row.name: row for row in connection.execute(sa.select(channels))}
        found = [_line(name, known.get(name)) for name in names]
        return sorted(found, key=lambda line: line.next_at)

    def line(self, channel: str) -> Line | None:
        """The channel's place in time; None where nothing waits for it."""
        return next((line for line in self.lines() if line.channel == channel), None)

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
        """What waits for a channel and no call was made for, the oldest first."""
        c = notifications.c
        with self._db.engine.connect() as connection:
            asked = sa.select(notifications).where(c.channel == channel, c.state == State.WAITING).order_by(c.id)
            return [_kept(row) for row in connection.execute(asked)]

    def get(self, number: int) -> Kept:
        found = self._first(sa.select(notifications).where(notifications.c.id == number))
        assert found is not None, f"notification {number} is not in the outbox"
        return found

    def keys(self) -> set[str]:
        """Of all notifications that are kept, sent or not."""
        with self._db.engine.connect() as connection:
            return set(connection.scalars(sa.select(notifications.c.key)))

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
        return Standing(waiting, refused, _utc(oldest), error)

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

    def merge(self, ones: Sequence[Kept], digest: Notification) -> Receipt:
        """They are told by one message in their place; both or neither."""
        with self._db.engine.begin() as connection:
            number = _insert(connection, digest, (), datetime.now(UTC))
            told = {"state": State.MERGED, "merged_into": number}
            these = notifications.c.id.in_([one.id for one in ones])
            connection.execute(notifications.update().where(these).values(**told))
        return Receipt(number, is_new=True)

    def try_refused_again(self) -> int:
        """What was refused waits again, once what it was refused for was mended; how many."""
        again = {"state": State.WAITING, "attempts": 0, "attempted_at": None, "error": None}
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

    def _first(self, asked: "sa.Select[tuple[object, ...]]") -> Kept | None:
        with self._db.engine.connect() as connection:
            row = connection.execute(asked.limit(1)).first()
        return _kept(row) if row is not None else None

    def _alone(self, connection: sa.Connection) -> None:
        """Two that say the same at the same moment see each other: writers take turns."""
        if self._db.is_sqlite:
            connection.execute(repeats.delete().where(sa.false()))  # takes the lock of writers, and nothing else
        else:
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


def _has_work() -> "sa.ColumnElement[bool]":
    return sa.or_(notifications.c.state.in_(OPEN), _is_behind())


def _line(name: str, row: "sa.Row[tuple[object, ...]] | None") -> Line:
    return Line(name) if row is None else Line(name, row.next_at, row.failures, row.error, row.channel_id)


def _kept(row: "sa.Row[tuple[object, ...]]") -> Kept:
    return Kept(
        id=row.id,
        key=row.key,
        channel=row.channel,
        message=row.message,
        heading=row.heading,
        attachments=tuple(json.loads(row.attachments)),
        notes=tuple(json.loads(row.notes or "[]")),
        thread=row.thread,
        is_report=row.is_report,
        state=State(row.state),
        created_at=_utc(row.created_at) or datetime.now(UTC),
        attempts=row.attempts,
        attempted_at=_utc(row.attempted_at),
        posted=Posted(row.channel_id, row.ts) if row.ts else None,
        thread_ts=row.thread_ts,
        files_sent=row.files_sent,
        repeats=row.repeats,
        repeated_at=_utc(row.repeated_at),
        error=row.error,
    )


def _utc(at: datetime | None) -> datetime | None:
    """SQLite keeps no zone; what was stored is UTC."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
