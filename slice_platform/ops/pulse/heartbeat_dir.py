"""Heartbeat's directory of monitors, in which Pulse touches its own files alone.

Heartbeat looks at it every few seconds and reloads where the list of files changed or a file is younger than its last
look. So a file appears at once and whole, and its time is now, whenever it was published.
"""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from slice_platform.errors import SettingsError, StoreUnavailable
from slice_platform.ops.pulse.heartbeat_record import RECORD, Record, read_record, sha256_of
from slice_platform.ops.pulse.monitor_file import FILE_NAME

_UNFINISHED = re.compile(rf"(?:{FILE_NAME.pattern}|{re.escape(RECORD)})\.[0-9a-f]{{32}}\.tmp")

_MONITORS_MODE = 0o644  # Heartbeat refuses what others than the owner may write, whatever the umask of a cron says
_RECORD_MODE = 0o600


@dataclass(frozen=True)
class HeartbeatDir:
    """The directory; made when the first file comes."""

    path: Path

    def record(self) -> Record:
        """What is Pulse's as of now, with claims judged. Raises PulseManifestBroken where that cannot be told."""
        record = read_record(self.path / RECORD)
        for name, sha256 in record.claims.items():
            content = self.content(name)
            if content is not None and sha256_of(content) == sha256:
                record.files[name] = content.decode("utf-8", "replace")  # one that leaves may be anything
        record.claims.clear()
        return record

    def content(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none, or it is no regular file."""
        path = self.path / name
        with _told("read", path):
            try:
                return None if path.is_symlink() or not path.is_file() else path.read_bytes()
            except FileNotFoundError:
                return None

    def has(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def write(self, name: str, content: bytes) -> None:
        """The file has this content: a reader sees it before or after, its time is now, and it is on record as ours.

        Raises:
            SettingsError: somebody else's file came to be there meanwhile; it is untouched.
            StoreUnavailable: the disk did not do what was asked.
        """
        record = self.record()
        is_ours = name in record.files
        if is_ours:
            record.files[name] = content.decode("utf-8")
        else:
            record.claims[name] = sha256_of(content)
        self.save(record)
        self._replace(self.path / name, content, is_ours=is_ours)
        record.claims.pop(name, None)
        record.files[name] = content.decode("utf-8")
        if not is_ours:
            self.save(record)

    def delete(self, name: str) -> None:
        """Our file has gone, and is no longer on record; no error where it had gone already."""
        record, content = self.record(), self.content(name)
        if name not in record.files:
            return
        del record.files[name]
        if content is not None:
            record.claims[name] = sha256_of(content)
            self.save(record)
            with _told("delete", self.path / name):
                (self.path / name).unlink(missing_ok=True)
                _sync(self.path)
            del record.claims[name]
        self.save(record)

    def save(self, record: Record) -> None:
        with _told("make", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self._replace(self.path / RECORD, record.text().encode(), is_ours=True)

    def remove_unfinished(self) -> None:
        """Delete what a sync that died was writing; the caller knows that no other one is at work."""
        if self.path.is_dir():
            for path in self.path.iterdir():
                if _UNFINISHED.fullmatch(path.name):
                    with _told("delete", path):
                        path.unlink(missing_ok=True)

    def _replace(self, path: Path, content: bytes, *, is_ours: bool) -> None:
        aside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
        with _told("write", path):
            try:
                with aside.open("wb") as target:
                    target.write(content)
                    target.flush()
                    os.fchmod(target.fileno(), _RECORD_MODE if path.name == RECORD else _MONITORS_MODE)
                    os.fsync(target.fileno())
                os.utime(aside)  # fsync may have taken longer than Heartbeat looks back
                if is_ours:
                    aside.replace(path)
                else:
                    os.link(aside, path)  # unlike a rename it never replaces what another put there since the plan
                os.utime(path)  # Heartbeat may have looked between the two lines
                _sync(self.path)
            except FileExistsError as error:
                raise SettingsError(
                    f"Writing {str(path)!r}: a file of that name came to be there, and it is not Pulse's. It is "
                    "untouched; rename it, or the published one."
                ) from error
            finally:
                with suppress(FileNotFoundError):
                    aside.unlink()


def _sync(folder: Path) -> None:
    """Names, too, survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(verb: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"Could not {verb} {str(path)!r}: {error}. The next sync starts from what is there; does it have the right "
            "to write, and is there room?"
        ) from error
