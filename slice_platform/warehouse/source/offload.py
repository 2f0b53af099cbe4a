"""From a database into landing: all rows as one file of one name, or what changed as a file of its own.

The name of a full snapshot is always the same: by the lake's rule the file takes the place of the one before, so rows
that were deleted leave the table, and unchanged rows in the same order are the same bytes, which the lake passes over.
The name of an increment has its window and a part of its sha256: none ever takes the place of another.
"""

from dataclasses import dataclass
from pathlib import Path

from slice_platform.spill import spill_folder
from slice_platform.store import Store
from slice_platform.warehouse.source.reading import Ask, SourceServer, SourceSession, Wanted
from slice_platform.warehouse.source.spec import CursorSpec
from slice_platform.warehouse.source.spilled import Spilled, spill
from slice_platform.warehouse.source.state import Position, SourceCursors
from slice_platform.warehouse.source.window import Window, fingerprint, next_window, written_value


@dataclass(frozen=True)
class Offload:
    """What goes where. `order_by` is how rows without a primary key are ordered, as far as there are such columns."""

    dataset: str
    wanted: Wanted
    cursor: CursorSpec | None = None
    order_by: tuple[str, ...] = ()
    landing: str = "landing"  # prefix of the store


@dataclass(frozen=True)
class Offloaded:
    """What one offload did. `key` None: nothing was new, and no file was written."""

    key: str | None
    rows: int = 0
    size_bytes: int = 0
    window: str | None = None
    began_anew: bool = False  # the source or its cursor is another than the last time

    @property
    def file(self) -> str | None:
        return self.key.rsplit("/", 1)[-1] if self.key else None


def offload(server: SourceServer, work: Offload, store: Store, cursors: SourceCursors, spill_dir: Path) -> Offloaded:
    """Put the rows into landing as one Parquet file, which appears whole. Idempotent, and safe to repeat after a crash.

    Raises:
        PermanentError: there is no such table, a column cannot be read exactly, a right is missing.
        DestinationUnavailable, DestinationBusy, StoreUnavailable, DatasetBusy: a retry may succeed.
    """
    with cursors.exclusive(work.dataset), spill_folder(spill_dir) as folder:
        if work.cursor is None:
            return _whole(server, work, store, folder)
        return _increment(server, work, work.cursor, (store, cursors), folder)


def file_like(dataset: str, *, incremental: bool) -> str:
    """A name such as the files have, for whoever checks that a dataset takes them."""
    return f"{dataset}-start-20260101T000000.000000Z-00000000.parquet" if incremental else f"{dataset}.parquet"


def _whole(server: SourceServer, work: Offload, store: Store, folder: Path) -> Offloaded:
    with server.reading(work.wanted) as session:
        made = _spilled(session, work, Ask(order_by=_order(session, work)), folder)
    key = f"{work.landing}/{work.dataset}/{work.dataset}.parquet"
    store.copy_in(str(made.path), key)
    return Offloaded(key, made.rows, made.size_bytes)


def _increment(
    server: SourceServer, work: Offload, cursor: CursorSpec, kept: tuple[Store, SourceCursors], folder: Path
) -> Offloaded:
    store, cursors = kept
    source, known = fingerprint(server.label, work.wanted, cursor), cursors.last(work.dataset)
    last = known if known and known.source == source else None
    began_anew = known is not None and last is None
    with server.reading(work.wanted) as session:
        window = next_window(session, cursor, last)
        if window is None:
            return Offloaded(None, began_anew=began_anew)
        made = _spilled(session, work, Ask(window.bounds, _order(session, work)), folder)
    if _is_known(made, window, last):
        return Offloaded(None, window=str(window))
    name = f"{work.dataset}-{window}-{made.sha256()[:8]}.parquet"
    store.copy_in(str(made.path), f"{work.landing}/{work.dataset}/{name}")
    tail = made.tail(window.column, window.tail_from)
    cursors.keep(work.dataset, Position(source, written_value(window.high), tail, name))
    return Offloaded(f"{work.landing}/{work.dataset}/{name}", made.rows, made.size_bytes, str(window), began_anew)


def _is_known(made: Spilled, window: Window, last: Position | None) -> bool:
    """Whether all these rows were sent before, with these very values: the overlap brought nothing."""
    if last is None or written_value(window.high) != last.high or window.low is None:
        return not made.rows
    return made.tail(window.column, window.low) == last.tail


def _spilled(session: SourceSession, work: Offload, ask: Ask, folder: Path) -> Spilled:
    return spill(session.batches(ask), session.shape.arrow, folder / f"{work.dataset}.parquet")


def _order(session: SourceSession, work: Offload) -> tuple[str, ...]:
    shape = session.shape
    return shape.key or tuple(name for name in work.order_by if name in shape.names)
