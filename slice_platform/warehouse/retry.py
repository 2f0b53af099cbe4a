"""A file that failed goes back to where it was dropped.

Whoever may write to failed/ may write a report, too. So a report is believed only as far as it could have been ours: it
sends a file to an inbox of the very table whose failed/ it lies in.
"""

from pathlib import Path

from pydantic import ValidationError

from slice_platform.errors import PermanentError
from slice_platform.store import Store
from slice_platform.warehouse.archive import ERROR, ERRORS, REPORT, Report
from slice_platform.warehouse.drop_path import TableRef, read_drop_path
from slice_platform.warehouse.pending import table_of
from slice_platform.warehouse.refusal import FileRefused


def return_to_inbox(store: Store, path: str) -> str:
    """Put a file that failed back to where it was dropped; its key there. What lay beside it is removed.

    `path` is its key below the root, or where it lies on this machine.

    Raises:
        PermanentError: it is no file that failed, its report says nothing of use, or something else lies there.
    """
    key = _key_of(store, path)
    what = f"Putting {path!r} back to where it was dropped"
    table = _table_of_failed(key)
    if table is None:
        raise PermanentError(
            f"{what}: it is no file in failed/ of a table. Give the key of one, below {store.root!r}; a file that lay "
            "where no file of a table may lie has to be dropped again, in a folder of a table."
        )
    to = _dropped_at(_report_of(store, key, what), table, what)
    entry = store.stat(key)
    if entry is None or store.stat(to) is not None:
        found = "it is not there any more" if entry is None else f"another file lies at {to!r} by now"
        raise PermanentError(f"{what}: {found}.")
    store.move_version(entry, to)
    store.remove(f"{key}{ERRORS}")
    store.remove(f"{key}{ERROR}")
    return to


def _key_of(store: Store, path: str) -> str:
    """The key of a file of this machine below the root; other paths are keys already."""
    root, full = Path(store.root).resolve(), Path(path).resolve()
    is_here = store.is_local and full.is_file() and full.is_relative_to(root)
    return str(full.relative_to(root)) if is_here else path


def _table_of_failed(key: str) -> TableRef | None:
    folder, _, name = key.rpartition("/")
    table = table_of(folder.removesuffix("/failed"))
    return table if table is not None and key == f"{table.folder}/failed/{name}" else None


def _report_of(store: Store, key: str, what: str) -> Report:
    try:
        with store.open(f"{key}{ERROR}") as source:
            return REPORT.validate_json(source.read())
    except (FileNotFoundError, ValidationError) as error:
        raise PermanentError(f"{what}: there is no {ERROR} beside it that says where that was.") from error


def _dropped_at(report: Report, table: TableRef, what: str) -> str:
    """The key at which the file was dropped, by its report."""
    try:
        drop = read_drop_path(report.file)
    except FileRefused:
        drop = None
    if drop is None or drop.table != table:
        raise PermanentError(
            f"{what}: {report.file!r}, where its report says it was, is no place for a file of {table}. Drop the file "
            "again where it belongs."
        )
    return drop.key
