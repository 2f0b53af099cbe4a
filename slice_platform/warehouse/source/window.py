"""Which rows an incremental reading takes: from the last value less the overlap, to the greatest there is."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa

from slice_platform.errors import PermanentError
from slice_platform.warehouse.source.reading import Bound, Scalar, SourceColumn, SourceSession, Wanted
from slice_platform.warehouse.source.spec import CursorSpec
from slice_platform.warehouse.source.state import Position


@dataclass(frozen=True)
class Window:
    """Values of the cursor's column, both inclusive. `low` None: from the first row."""

    column: str
    low: Scalar | None
    high: Scalar
    tail_from: Scalar  # what the next window begins with, if nothing comes meanwhile

    @property
    def bounds(self) -> tuple[Bound, ...]:
        until = Bound(self.column, "<=", self.high)
        return (until,) if self.low is None else (Bound(self.column, ">=", self.low), until)

    def __str__(self) -> str:
        return f"{_spelled(self.low)}-{_spelled(self.high)}"


def next_window(session: SourceSession, cursor: CursorSpec, last: Position | None) -> Window | None:
    """What to read now, in the transaction of the session; None where the table has no row.

    Raises:
        PermanentError: the column cannot be a cursor, or some row has no value there and would never be read.
    """
    column = session.shape.column(cursor.column, "cursor.column")
    _refuse_type(column, cursor)
    if session.lacks(column.name):
        raise PermanentError(
            f"Reading {session.wanted} by {column.name!r}: some rows have no value there, and no increment would ever "
            "bring them. Fill the column and make it NOT NULL, write a `query` with COALESCE, or leave `cursor` out: "
            "then all rows are read each time."
        )
    high = session.greatest(column.name)
    if high is None:
        return None
    low = _less(read_value(column, last.high), cursor.overlap) if last else None
    return Window(column.name, low, high, _less(high, cursor.overlap))


def fingerprint(where: str, wanted: Wanted, cursor: CursorSpec) -> str:
    """Of what a position is about; another table or cursor begins anew."""
    return hashlib.sha256(f"{where}\n{wanted.table}\n{wanted.query}\n{cursor.column}".encode()).hexdigest()


def written_value(value: Scalar) -> str:
    """As `read_value` reads it."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def read_value(column: SourceColumn, text: str) -> Scalar:
    if pa.types.is_timestamp(column.arrow):
        return datetime.fromisoformat(text)
    return date.fromisoformat(text) if pa.types.is_date(column.arrow) else int(text)


def _refuse_type(column: SourceColumn, cursor: CursorSpec) -> None:
    is_moment = pa.types.is_timestamp(column.arrow) or pa.types.is_date(column.arrow)
    if not is_moment and not pa.types.is_integer(column.arrow):
        raise PermanentError(
            f"Reading by {column.name!r}: a cursor is a timestamp, a date or an integer, and this is read as "
            f"{column.arrow}. Name another column, or leave `cursor` out."
        )
    if isinstance(cursor.overlap, timedelta) != is_moment and cursor.overlap:
        wanted = "a time such as 15m" if is_moment else "a number"
        raise PermanentError(f"Reading by {column.name!r}: as it is read as {column.arrow}, its overlap is {wanted}.")


def _less(value: Scalar, overlap: timedelta | int) -> Scalar:
    if isinstance(value, datetime | date) and isinstance(overlap, timedelta):
        return value - overlap
    return value - overlap if isinstance(value, int) and isinstance(overlap, int) else value


def _spelled(value: Scalar | None) -> str:
    """As it stands in the name of a file."""
    if value is None:
        return "start"
    if isinstance(value, datetime):
        return f"{value:%Y%m%dT%H%M%S.%f}" + ("Z" if value.tzinfo else "")
    return f"{value:%Y%m%d}" if isinstance(value, date) else str(value)
