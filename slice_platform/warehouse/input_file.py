"""A dropped file, brought to this machine: what is checked is what is loaded, whatever becomes of the object."""

import gzip
import hashlib
import io
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from isal import igzip, isal_zlib
from isal.igzip_lib import IsalError

from slice_platform.store import CHUNK_BYTES, Store
from slice_platform.warehouse.drop_path import DropPath, Format
from slice_platform.warehouse.refusal import refuse

_IgzipFile: Any = igzip.GzipFile  # without types


@dataclass(frozen=True)
class InputFile:
    """`path` is not compressed; size and sha256 are those of the object as it is stored."""

    path: Path
    format: Format | None  # None: a JSON document of a schema
    size_bytes: int
    sha256: str


def fetch(store: Store, drop: DropPath, key: str, to: Path, *, most_bytes: int) -> InputFile:
    """Copy the object `key` to `to` in one pass, unpacked. Several members of gzip are one file.

    Raises:
        FileRefused: it is damaged gzip, or has more than `most_bytes` once it is unpacked.
    """
    with store.open(key) as stored, ThreadPoolExecutor(1) as hasher:
        seen = _Seen(stored, hasher)
        try:
            _copy(_IgzipFile(fileobj=io.BufferedReader(seen, CHUNK_BYTES)) if drop.is_gzip else seen, to, most_bytes)
            while seen.read(CHUNK_BYTES):
                pass  # what follows the last member counts for the digest
        except (EOFError, gzip.BadGzipFile, IsalError, isal_zlib.error) as error:  # type: ignore[misc]  # untyped there
            raise refuse(f"The gzip is damaged: {error}. Nothing of it was used; send it again.") from error
        return InputFile(to, drop.format, seen.size, seen.sha256())


def _copy(source: Any, to: Path, most_bytes: int) -> None:
    size = 0
    with to.open("wb") as target:
        while chunk := source.read(CHUNK_BYTES):
            size += len(chunk)
            if size > most_bytes:
                raise refuse(f"The file has more than {most_bytes:,} bytes once it is unpacked. Send it in parts.")
            target.write(chunk)


class _Seen(io.RawIOBase):
    """A stream whose bytes are counted and hashed as they come by, the latter beside the reading of what follows."""

    def __init__(self, stored: IO[bytes], hasher: ThreadPoolExecutor) -> None:
        super().__init__()
        self._stored, self._hasher = stored, hasher
        self._sha = hashlib.sha256()
        self._last: Future[Any] = hasher.submit(bytes)
        self.size = 0

    def sha256(self) -> str:
        """Of what was read so far, in hexadecimal digits."""
        self._last.result()
        return self._sha.hexdigest()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stored.read(size)
        self._last.result()  # one chunk behind, no more: memory stays bounded
        self._last = self._hasher.submit(self._sha.update, chunk)
        self.size += len(chunk)
        return chunk

    def readinto(self, buffer: Any, /) -> int:
        chunk = self.read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)
