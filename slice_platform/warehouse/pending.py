"""What lies in the propagator's folders and is to be done.

Every look walks the folders level by level and leaves out succeeded/ and failed/: it costs as much as there are tables,
however much they have seen. Whatever lies elsewhere is found as well, and refused.
"""

from collections import defaultdict
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
    dropped: defaultdict[TableRef, list[Dropped]] = defaultdict(list)
    strays: list[Stray] = []
    still_written: list[StoredObject] = []
    for entry in _walk(store):
        if entry.key.endswith("/"):
            continue  # a console makes such of a folder
        if not is_at_rest(entry, tick_seconds):
            still_written.append(entry)
            continue
        try:
            path = read_drop_path(entry.text)
        except FileRefused as refused:
            strays.append(Stray(entry, refused))
        else:
            dropped[path.table].append(Dropped(path, entry))
    tables = {table: tuple(sorted(files, key=_turn)) for table, files in sorted(dropped.items())}
    return Pending(tables, tuple(strays), tuple(still_written))


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
        if name in _OF_TABLES and table_of(table) is not None:
            continue
        yield from store.list(folder)


def table_of(folder: str) -> TableRef | None:
    """The table whose folder that is; None where it is none of one. There we put nothing away, so nothing is ours."""
    parts = [part.partition("=") for part in folder.split("/")]
    if [name for name, _, _ in parts] != ["destination", "database", "table_name"]:
        return None
    try:
        return table_ref(*(value for _, _, value in parts))
    except FileRefused:
        return None
