"""What lies in the propagator's folders and is to be done.

Every look walks the folders level by level and leaves out succeeded/ and failed/: it costs as much as there are tables,
however much they have seen. Whatever lies elsewhere is found as well, and refused.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from slice_platform.store import Store, StoredObject, is_at_rest
from slice_platform.warehouse.drop_path import DropPath, TableRef, Task, read_drop_path, table_ref
from slice_platform.warehouse.refusal import FileRefused

FAILED, STAGING = "failed", "_staging"  # at the root, ours
_OF_TABLES = ("succeeded", "failed")  # ours, in the folder of a table
_FIRST = {Task.CREATE: 0, Task.ALTER: 1}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Dropped:
    """A file that is for a table."""

    path: DropPath
    entry: StoredObject


@dataclass(frozen=True)
class Stray:
    """An object where no file of a table may lie, and why it may not."""

    entry: StoredObject
    refused: FileRefused


@dataclass(frozen=True)
class Pending:
    """`tables` have their files in the order in which they are to be taken."""

    tables: Mapping[TableRef, tuple[Dropped, ...]] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()
    still_written: tuple[StoredObject, ...] = ()


def look(store: Store, *, tick_seconds: float) -> Pending:
    """Everything that lies there. A file counts once nobody wrote it for a tick."""
    found = [entry for entry in _walk(store) if not entry.key.endswith("/")]  # a console makes such of a folder
    resting = [entry for entry in found if is_at_rest(entry, tick_seconds)]
    dropped: list[Dropped] = []
    strays: list[Stray] = []
    for entry in resting:
        try:
            dropped.append(Dropped(read_drop_path(entry.text), entry))
        except FileRefused as refused:
            strays.append(Stray(entry, refused))
    tables = {
        table: tuple(sorted((one for one in dropped if one.path.table == table), key=_turn))
        for table in sorted({one.path.table for one in dropped})
    }
    return Pending(tables, tuple(strays), tuple(entry for entry in found if entry not in resting))


def look_at(store: Store, table: TableRef, *, tick_seconds: float) -> tuple[Dropped, ...]:
    """The files that are ready for one table, in the order in which they are to be taken."""
    ready = []
    for task in Task:
        for entry in store.children(f"{table.folder}/{task.value}").objects:
            try:
                path = read_drop_path(entry.text)
            except FileRefused:
                continue  # a stray, of which `look` tells
            if is_at_rest(entry, tick_seconds):
                ready.append(Dropped(path, entry))
    return tuple(sorted(ready, key=_turn))


def _turn(dropped: Dropped) -> tuple[int, datetime, str]:
    """Create, then update, then inputs by arrival."""
    return _FIRST.get(dropped.path.task, 2), dropped.entry.written_at or _LONG_AGO, dropped.entry.key


def _walk(store: Store) -> Iterator[StoredObject]:
    """All objects but those that were put away: one listing for each folder."""
    root = store.children("")
    yield from root.objects
    for destination in root.folders:
        if destination in (FAILED, STAGING):
            continue
        if not destination.startswith("destination="):
            yield from store.list(destination)
            continue
        of_destination = store.children(destination)
        yield from of_destination.objects
        for database in of_destination.folders:
            of_database = store.children(database)
            yield from of_database.objects
            for table in of_database.folders:
                yield from _walk_table(store, table)


def _walk_table(store: Store, table: str) -> Iterator[StoredObject]:
    found = store.children(table)
    yield from found.objects
    for folder in found.folders:
        name = folder.rsplit("/", 1)[-1]
        if name in _OF_TABLES and _is_table(table):
            continue
        yield from store.list(folder)


def _is_table(folder: str) -> bool:
    """Whether the folder may be one of a table. Of others we put nothing away, so nothing there is ours."""
    parts = [part.partition("=") for part in folder.split("/")]
    if [name for name, _, _ in parts] != ["destination", "database", "table_name"]:
        return False
    try:
        table_ref(*(value for _, _, value in parts))
    except FileRefused:
        return False
    return True
