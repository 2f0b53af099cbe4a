"""What a dropped file would do: the very statements and findings, with nothing touched.

Rows are held against the description of their table, not against the rows that are in it: that takes the database's own
work, which begins with the load.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from slice_platform.errors import PermanentError
from slice_platform.store import Store, StoredObject
from slice_platform.warehouse.claim import Claim, KnownTable
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DropPath, Task, read_drop_path
from slice_platform.warehouse.input_file import InputFile
from slice_platform.warehouse.pending import look_at
from slice_platform.warehouse.propagate import NoTable, Propagator
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.schema_change import read_schema_change
from slice_platform.warehouse.table_spec import read_table_spec

_NOT_LOOKED_AT: tuple[str, ...] = (
    "The rows that are in the table were not looked at: whether a key is there already, only the load tells.",
)


@dataclass(frozen=True)
class Preview:
    """`findings` are the first of `findings_total`; with none nothing is wrong with the file itself.

    `notes` say against what it was held, and what was not looked at.
    """

    key: str
    label: str  # of the destination
    statements: tuple[str, ...] = ()
    rows: int = 0  # that would be loaded
    rows_set_aside: int = 0
    loaded_at: datetime | None = None  # UTC; when this very file was loaded before
    notes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    findings_total: int = 0


def preview(propagator: Propagator, path: str) -> Preview:
    """Of a file on this machine, or of one that lies below the propagator's root, by its key.

    Raises:
        PermanentError: there is no such file.
    """
    store, key, entry = _find(propagator, path)
    label = "propagator"
    try:
        drop = read_drop_path(key)
        destination = propagator.door(drop.table)
        label = destination.label
        with propagator.folder() as folder:
            file = propagator.fetch(drop, key, folder, store)
            return _of_file(propagator, destination, drop, file, entry, store)
    except NoTable:
        seconds = propagator.settings.propagator_wait_seconds
        wait = f"There is no such table yet: the file would wait for it, at most {seconds:.0f} seconds"
        return Preview(key, label, findings=(Finding(wait),), findings_total=1)
    except FileRefused as refused:
        return Preview(key, label, findings=refused.findings, findings_total=refused.total)


def _of_file(
    propagator: Propagator, destination: Destination, drop: DropPath, file: InputFile, entry: StoredObject, store: Store
) -> Preview:
    claim = Claim(drop.table, drop.task, drop.key, file.sha256, entry.version, file.size_bytes, run_id="")
    if (before := destination.applied(claim)) is not None:
        return Preview(drop.key, destination.label, loaded_at=before.loaded_at)
    if drop.task.is_schema:
        content = file.path.read_bytes()
        if drop.task is Task.CREATE:
            plan = destination.preview_create(drop.table, read_table_spec(content, drop.table.destination))
        else:
            propagator.known(destination, drop.table)
            plan = destination.preview_alter(drop.table, read_schema_change(content))
        return Preview(drop.key, destination.label, plan.statements, notes=plan.notes)
    known, notes = destination.known_table(drop.table), _NOT_LOOKED_AT
    if known is None:
        made_by, known = _to_be_made(propagator, destination, drop, store)
        notes = (f"There is no such table yet: the file was checked for the table as {made_by} will make it.", *notes)
    with propagator.checked(drop, file, known) as rows:
        checked = rows.checked
        return Preview(
            drop.key,
            destination.label,
            destination.preview_load(claim, rows),
            rows=checked.rows,
            rows_set_aside=checked.rows_set_aside,
            notes=(*notes, *map(str, checked.set_aside[:10])),
        )


def _to_be_made(
    propagator: Propagator, destination: Destination, drop: DropPath, store: Store
) -> tuple[str, KnownTable]:
    """The table as the first create file that lies ready makes it, where the rows lie or in the inbox, and its name.

    Raises:
        NoTable: there is none.
        FileRefused: it would fail.
    """
    places = (store, propagator.store)
    ready = ((place, one.path) for place in places for one in look_at(place, drop.table, tick_seconds=0))
    found = next((one for one in ready if one[1].task is Task.CREATE), None)
    if found is None:
        raise NoTable
    place, made_by = found
    name = f"{made_by.task.value}/{made_by.name}"
    try:
        with propagator.folder() as folder:
            content = propagator.fetch(made_by, made_by.key, folder, place).path.read_bytes()
        plan = destination.preview_create(drop.table, read_table_spec(content, drop.table.destination))
    except FileRefused as refused:
        raise refuse(f"{name}, which is to make the table, would fail: {refused}") from refused
    return name, KnownTable(plan.spec, plan.version)


def _find(propagator: Propagator, path: str) -> tuple[Store, str, StoredObject]:
    """Where the file is: a store and its key there."""
    if Path(path).is_file():
        folder, name = os.path.split(os.path.realpath(path))
        store, key = Store(folder), name
        start = folder.find("/destination=")
        if start >= 0:
            store, key = Store(folder[:start] or "/"), f"{folder[start + 1 :]}/{name}"
    else:
        store, key = propagator.store, path
    entry = store.stat(key)
    if entry is None:
        raise PermanentError(
            f"Checking {path!r}: there is no such file, neither on this machine nor below {propagator.store.root!r}."
        )
    return store, key, entry
