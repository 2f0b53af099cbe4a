"""Folders for files on the way. Whoever opens one holds a lock on it, which ends with the process, however it ends.

So a folder that nobody holds is left from a process that died, and the next one to open a folder removes it.
"""

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OURS = re.compile(r"held-[0-9a-f]{32}")


@contextmanager
def spill_folder(parent: Path) -> Iterator[Path]:
    """A folder of its own below `parent`, gone after the block; those of processes that died are gone as well."""
    parent.mkdir(parents=True, exist_ok=True)
    _sweep(parent)
    folder, lock = _held(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _held(parent: Path) -> tuple[Path, int]:
    """A new folder and the lock on it. One that a sweep took before it was locked is given up for another."""
    while True:
        folder = parent / f"held-{uuid.uuid4().hex}"
        folder.mkdir()
        lock = _locked(folder)
        if lock is not None and folder.exists():
            return folder, lock
        if lock is not None:
            os.close(lock)


def _sweep(parent: Path) -> None:
    for folder in parent.iterdir():
        if _OURS.fullmatch(folder.name) and (lock := _locked(folder)) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The lock on a folder; None where another holds it, or the folder is gone."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
