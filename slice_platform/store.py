"""The few verbs of object storage that the platform uses, over fsspec: a directory and S3 look alike.

Keys are relative to the store's root and use `/`. A write is atomic: a reader sees the whole object
or none. On a directory that is a temporary file and a rename, on S3 it is how a PUT works.
"""

import hashlib
import io
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

import fsspec

from slice_platform.aws import AwsAccess
from slice_platform.errors import SettingsError, StoreUnavailable

_UNFINISHED = re.compile(r"\.[0-9a-f]{32}\.tmp")
CHUNK_BYTES = 4 * 1024**2


@dataclass(frozen=True)
class StoredObject:
    """One object as a listing shows it. `version` changes whenever the bytes do."""

    key: str
    size_bytes: int
    version: str
    changed_at: datetime | None  # None where an object appears at once and whole (S3)
    written_at: datetime | None = None  # when it came, as the store tells it

    @property
    def text(self) -> str:
        """The key as text that any database takes: bytes of a file name that are no UTF-8 show as escapes."""
        return self.key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Digest:
    """Size and sha256 of an object; None where its bytes were not seen."""

    size_bytes: int
    sha256: str | None

    def agrees_with(self, other: "Digest") -> bool:
        """Whether both can be of the same bytes, by what is known of them."""
        return self.size_bytes == other.size_bytes and (
            self.sha256 is None or other.sha256 is None or self.sha256 == other.sha256
        )


@dataclass(frozen=True)
class Children:
    """What lies directly below a prefix. Folders are full keys without a slash at the end."""

    folders: tuple[str, ...]
    objects: tuple[StoredObject, ...]


def open_store(root: str, access: AwsAccess) -> "Store":
    """The store below a directory, or below an `s3://bucket/prefix`."""
    if not root.startswith("s3://"):
        return Store(root)
    from slice_platform.s3 import S3Store  # noqa: PLC0415 -- a laptop has no need of it

    return S3Store(root, access)


class Store:
    """Object storage below one root: here a directory, `slice_platform.s3.S3Store` is the one below a bucket."""

    is_local = True

    def __init__(self, root: str) -> None:
        if any(sign in root for sign in "#?%"):
            raise SettingsError(
                f"The lake's root {root!r} holds one of # ? %, which file URIs take for something else. "
                "Choose another SLICE_HOME or SLICE_LAKE_URI."
            )
        self.fs, self.root = self._at_root(root)

    def _at_root(self, root: str) -> tuple[Any, str]:
        """The root as an absolute path, and the filesystem it belongs to."""
        found: tuple[Any, str] = fsspec.core.url_to_fs(root)
        return found

    def files(self) -> Any:
        """A filesystem for DuckDB to open addresses of this store with; None where it can by itself."""
        return None

    def path(self, key: str) -> str:
        """The full address that DuckDB and pyiceberg open."""
        return f"{self.root}/{key}"

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects below `prefix`, at any depth; nothing where it does not exist."""
        with _told("list", prefix):
            self.fs.invalidate_cache()
            base = f"{self.root}/{prefix}".rstrip("/")
            found = self.fs.find(base, detail=True, withdirs=False)
        for full in sorted(found):
            try:
                yield self._object(full[len(self.root) + 1 :], found[full])
            except FileNotFoundError:
                continue  # taken by someone else since the listing

    def children(self, prefix: str) -> Children:
        """One level below `prefix`; nothing where it does not exist. What is being written by us is not shown."""
        base = f"{self.root}/{prefix}".rstrip("/")
        folders, objects = [], []
        with _told("list", prefix):
            try:
                names = sorted(os.listdir(base))
            except FileNotFoundError:
                names = []
        for name in names:
            full = f"{base}/{name}"
            key = full[len(self.root) + 1 :]
            if os.path.isdir(full):
                folders.append(key)
            elif not _UNFINISHED.fullmatch(name) and (found := self.stat(key)) is not None:
                objects.append(found)
        return Children(tuple(folders), tuple(objects))

    def stat(self, key: str) -> StoredObject | None:
        """The object as it is now, or None."""
        with _told("look at", key):
            self.fs.invalidate_cache()
            try:
                return self._object(key, self.fs.info(f"{self.root}/{key}"))
            except FileNotFoundError:
                return None

    def open(self, key: str) -> IO[bytes]:
        """Open for reading; whatever the store does while it is read is a StoreUnavailable, too."""
        with _told("open", key):
            return io.BufferedReader(_Reading(key, self.fs.open(f"{self.root}/{key}", "rb")), CHUNK_BYTES)

    def digest(self, key: str) -> Digest:
        """Size and sha256 of what is stored, read back in full."""
        with _told("read", key), self.open(key) as source:
            return _digest(source, None)

    def write(self, key: str, content: bytes) -> None:
        """Store `content` under `key`, atomically."""
        with self._writing(key) as target:
            target.write(content)

    def copy_in(self, local_path: str, key: str) -> None:
        """Copy a file of this machine into the store, atomically."""
        with open(local_path, "rb") as source, self._writing(key) as target:
            _digest(source, target)

    def copy(self, key: str, to_key: str) -> Digest:
        """Copy an object inside the store, atomically; what is returned was computed on the way.

        Where the store copies by itself the bytes are not seen, and the sha256 is None: read it back with `digest`.
        """
        with _told("copy", key), self.open(key) as source, self._writing(to_key) as target:
            return _digest(source, target)

    def remove(self, key: str) -> None:
        """Delete one object; no error where it has gone already."""
        with _told("delete", key):
            try:
                self.fs.rm_file(f"{self.root}/{key}")
            except FileNotFoundError:
                return

    def remove_version(self, entry: StoredObject) -> None:
        """Delete an object, unless it is another by now.

        In a directory it is first moved out of sight: what a producer puts there meanwhile is kept.
        """
        now = self.stat(entry.key)
        if now is None or now.version != entry.version:
            return
        full = f"{self.root}/{entry.key}"
        aside = f"{os.path.dirname(full)}/.{uuid.uuid4().hex}.tmp"
        with _told("delete", entry.key):
            before = os.stat(full)
            os.rename(full, aside)
            moved = os.stat(aside)
            if _identity(moved) == _identity(before) and _version(before) == entry.version:
                os.remove(aside)
            elif os.path.exists(full):
                os.rename(aside, f"{os.path.dirname(full)}/{uuid.uuid4().hex}-{os.path.basename(full)}")
            else:
                os.rename(aside, full)

    def move_version(self, entry: StoredObject, to_key: str) -> None:
        """Give an object another key, unless it is another by now: then it stays, and nothing is at `to_key`.

        In a directory that is a rename, elsewhere a copy and then a delete of just this version.
        """
        now = self.stat(entry.key)
        if now is None or now.version != entry.version:
            return
        full, target = f"{self.root}/{entry.key}", f"{self.root}/{to_key}"
        with _told("move", entry.key):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            before = os.stat(full)
            os.rename(full, target)
            if _identity(os.stat(target)) != _identity(before):  # replaced between the two calls
                os.rename(target, f"{os.path.dirname(full)}/{uuid.uuid4().hex}-{os.path.basename(full)}")

    def remove_tree(self, prefix: str) -> None:
        """Delete everything below `prefix`."""
        with _told("delete", prefix):
            if self.fs.exists(f"{self.root}/{prefix}"):
                self.fs.rm(f"{self.root}/{prefix}", recursive=True)

    def remove_empty_dir(self, prefix: str) -> None:
        """Delete a folder unless something is in it."""
        with suppress(OSError):  # not empty, or gone already
            os.rmdir(f"{self.root}/{prefix}")

    def remove_unfinished(self, prefix: str) -> None:
        """Delete what writers that died left below `prefix`; the caller knows that nobody writes there now."""
        for entry in self.list(prefix):
            if _UNFINISHED.fullmatch(entry.key.rsplit("/", 1)[-1]):
                self.remove(entry.key)

    def make_dir(self, prefix: str) -> None:
        """Make `prefix` a place that files can be written to."""
        with _told("make", prefix):
            self.fs.makedirs(f"{self.root}/{prefix}", exist_ok=True)

    def _object(self, key: str, info: dict[str, Any]) -> StoredObject:
        stat = os.stat(info["name"])
        # The change time is the kernel's: unlike mtime it cannot be carried over by `cp -p` or tar.
        changed = datetime.fromtimestamp(stat.st_ctime, UTC)
        return StoredObject(key, stat.st_size, _version(stat), changed, changed)

    @contextmanager
    def _writing(self, key: str) -> Iterator[IO[bytes]]:
        full = f"{self.root}/{key}"
        with _told("write", key):
            folder = os.path.dirname(full)
            os.makedirs(folder, exist_ok=True)
            aside = os.path.join(folder, f".{uuid.uuid4().hex}.tmp")
            try:
                with open(aside, "wb") as target:
                    yield target
                    target.flush()
                    os.fsync(target.fileno())
                os.replace(aside, full)
            finally:
                if os.path.exists(aside):
                    os.remove(aside)


class _Reading(io.RawIOBase):
    """A stored object as a stream whose errors are the store's, never the content's."""

    def __init__(self, key: str, stored: IO[bytes]) -> None:
        super().__init__()
        self._key, self._stored = key, stored

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        with _told("read", self._key):
            chunk = self._stored.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def close(self) -> None:
        self._stored.close()
        super().close()


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_ctime_ns}-{stat.st_size}"


def _identity(stat: os.stat_result) -> tuple[int, int, int]:
    """What stays the same when a file is renamed and nothing else."""
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def is_at_rest(entry: StoredObject, tick_seconds: float) -> bool:
    """Whether nobody wrote the object for one tick. Either side of now counts, as clocks jump back."""
    if entry.changed_at is None:
        return True
    return abs(time.time() - entry.changed_at.timestamp()) >= tick_seconds


def _digest(source: IO[bytes], target: IO[bytes] | None) -> Digest:
    sha, size = hashlib.sha256(), 0
    while chunk := source.read(CHUNK_BYTES):
        sha.update(chunk)
        size += len(chunk)
        if target is not None:
            target.write(chunk)
    return Digest(size, sha.hexdigest())


@contextmanager
def _told(verb: str, key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreUnavailable(
            f"Could not {verb} {key!r}: {error}. The work can be repeated once the store answers again."
        ) from error
