"""A notification as the outbox has it, and what else it tells of itself."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from slice_platform.notify.chat import Posted


class State(StrEnum):
    WAITING = "waiting"
    SENDING = "sending"  # the call is under way, or whoever made it has died
    POSTED = "posted"  # the text is there, files are not yet
    SENT = "sent"
    MERGED = "merged"  # told by a digest
    REFUSED = "refused"


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
    merged_into: int | None
    error: str | None


@dataclass(frozen=True)
class Receipt:
    """`is_new` is False where this key was there, or (`is_repeat`) became one more of another notification."""

    id: int
    is_new: bool
    is_repeat: bool = False


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


def line_of(name: str, row: "sa.Row[tuple[object, ...]] | None") -> Line:
    return Line(name) if row is None else Line(name, row.next_at, row.failures, row.error, row.channel_id)


def kept_of(row: "sa.Row[tuple[object, ...]]") -> Kept:
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
        created_at=in_utc(row.created_at) or datetime.now(UTC),
        attempts=row.attempts,
        attempted_at=in_utc(row.attempted_at),
        posted=Posted(row.channel_id, row.ts) if row.ts else None,
        thread_ts=row.thread_ts,
        files_sent=row.files_sent,
        repeats=row.repeats,
        repeated_at=in_utc(row.repeated_at),
        merged_into=row.merged_into,
        error=row.error,
    )


def in_utc(at: datetime | None) -> datetime | None:
    """SQLite keeps no zone; what was stored is UTC."""
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
