"""Rows that are past their time leave the operational database, each once it is proven that the lake holds it.

What proves it is not known here: a callable is given rows and says of each whether the lake holds it with equal values.
The rows are locked from before the proof until they are deleted, so none can change in between. What is not proven
stays, and is told.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TypeAlias

import pyarrow as pa

from slice_platform.errors import DestinationError, PermanentError
from slice_platform.warehouse.source.reading import Ask, Bound, Scalar, Shape, SourceServer, SourceSession, Wanted
from slice_platform.warehouse.source.spec import RetentionSpec

Proof: TypeAlias = Callable[[pa.Table, Shape], Sequence[bool]]  # of each row: whether the lake holds it
BATCH_ROWS, MOST_ROWS = 5_000, 1_000_000
_MOST_MISSING = 10


@dataclass(frozen=True)
class Limits:
    """How many rows are locked and deleted at once, and how many are deleted at most."""

    batch_rows: int = BATCH_ROWS
    most_rows: int = MOST_ROWS


@dataclass(frozen=True)
class Expired:
    """What was found past its time, and what became of it. `missing` are the first keys that are not proven."""

    until: datetime  # rows of before are past their time
    looked_at: int = 0
    proven: int = 0
    deleted: int = 0
    key: tuple[str, ...] = ()
    missing: tuple[tuple[str, ...], ...] = ()
    is_whole: bool = True  # whether every row past its time was looked at

    @property
    def unproven(self) -> int:
        return self.looked_at - self.proven


def expiring(
    server: SourceServer, wanted: Wanted, retention: RetentionSpec, proof: Proof, *, until: datetime
) -> Expired:
    """Compare every row of before `until` with the lake, in one state of the database.

    Nothing is changed or locked. Rows come in the order of the key, some thousands at a time.

    Raises:
        PermanentError: the table has no primary key that can be compared, or the column says no time.
    """
    with server.reading(wanted) as session:
        found = Expired(until, key=_key_of(session))
        ask = Ask((_bound(session, retention, until),), found.key)
        for rows in _gathered(session.batches(ask)):
            found = _counted(found, rows, _judged(rows, session, proof))
    return found


def expire(
    server: SourceServer, wanted: Wanted, retention: RetentionSpec, proof: Proof, *, until: datetime, limits: Limits
) -> Expired:
    """Delete the rows of before `until` that are proven, each batch in a transaction of its own.

    A row that was changed or inserted after its proof is never deleted. Safe to repeat: a run that is killed leaves
    whole batches done, and the next one goes on.

    Raises:
        PermanentError: as `expiring`, or the database would by itself delete or change rows of other tables, too.
        DestinationBusy: others held such a row for too long; the batches before are done.
    """
    found, after = Expired(until), tuple[Scalar, ...]()
    while found.deleted < limits.most_rows:
        size = min(limits.batch_rows, limits.most_rows - found.deleted)
        with server.deleting(wanted) as session:
            found = replace(found, key=_key_of(session))
            _refuse_dependents(session)
            ask = Ask((_bound(session, retention, until),), found.key, after, size, locks=True)
            rows = pa.Table.from_batches(session.batches(ask), session.shape.arrow)
            if not rows.num_rows:
                return found
            is_held = _judged(rows, session, proof)
            gone = _delete(session, rows.filter(pa.array(is_held, pa.bool_())), found.key)
        # Counted once it is committed.
        found, after = replace(_counted(found, rows, is_held), deleted=found.deleted + gone), _keys(rows, found.key)[-1]
    return replace(found, is_whole=False)


def _judged(rows: pa.Table, session: SourceSession, proof: Proof) -> Sequence[bool]:
    is_held = proof(rows, session.shape)
    if len(is_held) != rows.num_rows:
        raise DestinationError(
            f"Proving {rows.num_rows} rows of {session.wanted}: the proof told of {len(is_held)}. Nothing was deleted; "
            "this is a fault of the platform: report it."
        )
    return is_held


def _delete(session: SourceSession, rows: pa.Table, key: tuple[str, ...]) -> int:
    """Delete just these rows; where the database counts another number, nothing of the batch."""
    deleted = session.delete(_keys(rows, key))
    if deleted != rows.num_rows:
        raise DestinationError(
            f"Deleting {rows.num_rows} rows of {session.wanted} by their key: the database deleted {deleted}, so the "
            "batch was rolled back. A rule or trigger of the table may keep rows; look at it, or leave `retention` out."
        )
    return deleted


def _counted(found: Expired, rows: pa.Table, is_held: Sequence[bool]) -> Expired:
    room = _MOST_MISSING - len(found.missing)
    absent = [position for position, held in enumerate(is_held) if not held][: max(0, room)]
    keys = _keys(rows.take(pa.array(absent, pa.int64())), found.key)
    return replace(
        found,
        looked_at=found.looked_at + rows.num_rows,
        proven=found.proven + sum(map(bool, is_held)),
        missing=(*found.missing, *(tuple(map(str, key)) for key in keys)),
    )


def _keys(rows: pa.Table, key: tuple[str, ...]) -> list[tuple[Scalar, ...]]:
    return list(zip(*(rows.column(name).to_pylist() for name in key), strict=True))


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows, as tables of a size that is worth a proof."""
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(one.num_rows for one in group) >= BATCH_ROWS:
            yield pa.Table.from_batches(group)
            group = []
    if group:
        yield pa.Table.from_batches(group)


def _key_of(session: SourceSession) -> tuple[str, ...]:
    key = session.shape.key
    if not key:
        raise PermanentError(
            f"Expiring rows of {session.wanted}: it has no primary key, so no row of it can be named. Add one, or "
            "leave `retention` out."
        )
    if inexact := [name for name in key if not session.shape.column(name, "primary key").is_exact]:
        raise PermanentError(
            f"Expiring rows of {session.wanted}: its key has {', '.join(inexact)}, whose values are not told exactly "
            "by their text. Leave `retention` out."
        )
    return key


def _bound(session: SourceSession, retention: RetentionSpec, until: datetime) -> Bound:
    kind = session.shape.column(retention.column, "retention.column").arrow
    moment = until.astimezone(UTC)
    value: datetime | date = moment
    if pa.types.is_date(kind):
        value = moment.date()
    elif not pa.types.is_timestamp(kind):
        raise PermanentError(
            f"Expiring rows of {session.wanted} by {retention.column!r}: it is read as {kind}, which says no time. "
            "Name a date or timestamp column."
        )
    return Bound(retention.column, "<", value)


def _refuse_dependents(session: SourceSession) -> None:
    if dependents := session.dependents():
        raise PermanentError(
            f"Expiring rows of {session.wanted}: a foreign key ON DELETE CASCADE or SET would change rows of "
            f"{', '.join(dependents)}, which nobody proved. Make it RESTRICT and expire those rows first."
        )
