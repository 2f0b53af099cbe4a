"""Files that go along. One of this machine is kept in the platform's store: whoever sends it may be another machine."""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from slice_platform.aws import AwsAccess
from slice_platform.errors import AccessRefused, NotificationRefused, StoreUnavailable
from slice_platform.notify.notification import Notification
from slice_platform.store import Store, open_store

_MOST_NAME = 100
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.{0,1023}[^/]", re.DOTALL)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Attachments:
    """Where files lie until they are sent, and how they are read. Of one that is larger people are told."""

    root: str
    access: AwsAccess
    most_bytes: int

    def keep(self, one: Notification) -> tuple[Notification, tuple[str, ...]]:
        """Its files of this machine are copied into the store, below the channel; what cannot be is a note.

        Raises:
            StoreUnavailable, AccessRefused: the store does not take them.
        """
        addresses, notes = [], []
        for number, address in enumerate(one.attachments):
            if address.startswith("s3://"):
                addresses.append(address)
            elif (problem := self._problem_here(Path(address))) is not None:
                notes.append(problem)
            else:
                folder = hashlib.sha256(one.key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
                key = f"{one.channel}/{folder}/{number}/{_UNSAFE.sub('_', Path(address).name)[-_MOST_NAME:]}"
                self._store().copy_in(address, key)
                addresses.append(self._store().path(key))
        return replace(one, attachments=tuple(addresses)), tuple(notes)

    def problem(self, address: str) -> str | None:
        """Why an attachment cannot be sent; None where it can.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        if address.startswith("s3://") and not _S3.fullmatch(address):
            return f"The attachment {address[:200]!r} is no s3://bucket/key; a bucket has 3 to 63 of a-z, 0-9, . and -."
        store, key = self._place(address)
        try:
            entry = store.stat(key)
        except AccessRefused as error:
            return f"The attachment {address} cannot be read: {error}"
        if entry is None:
            return f"The attachment {address} is not there."
        return _too_large(address, entry.size_bytes, self.most_bytes)

    def load(self, address: str) -> bytes:
        """The content of an attachment.

        Raises:
            NotificationRefused: it cannot be sent.
            StoreUnavailable: the store did not answer.
        """
        if (problem := self.problem(address)) is not None:
            raise NotificationRefused(problem, code="attachment")
        store, key = self._place(address)
        try:
            with store.open(key) as source:
                return source.read()
        except (AccessRefused, FileNotFoundError) as error:
            raise NotificationRefused(f"The attachment {address} cannot be read: {error}", code="attachment") from error

    def forget(self, addresses: Sequence[str]) -> None:
        """Copies of ours are removed, as far as the store lets us: `sweep` comes by again. Files of others stay."""
        ours = self._store().path("")
        for address in addresses:
            if address.startswith(ours):
                with suppress(AccessRefused, StoreUnavailable):
                    self._store().remove(address.removeprefix(ours))

    def sweep(self, before: datetime) -> None:
        """Copies of ours that were made before are removed."""
        with suppress(AccessRefused, StoreUnavailable):  # as above
            for entry in self._store().list(""):
                if entry.written_at is not None and entry.written_at < before:
                    self._store().remove(entry.key)

    def _place(self, address: str) -> tuple[Store, str]:
        """The store and the key of an address: a bucket of others, or our own store."""
        if not address.startswith("s3://"):
            return self._store(), address.removeprefix(self._store().path(""))
        bucket, _, key = address.removeprefix("s3://").partition("/")
        return open_store(f"s3://{bucket}", self.access), key

    def _store(self) -> Store:
        return open_store(self.root, self.access)

    def _problem_here(self, path: Path) -> str | None:
        try:
            if not path.is_file():
                return f"The attachment {str(path)!r} is not there."
            with path.open("rb"):
                return _too_large(str(path), path.stat().st_size, self.most_bytes)
        except OSError as error:
            return f"The attachment {str(path)!r} cannot be read: {error.strerror or error}."


def _too_large(address: str, size: int, most: int) -> str | None:
    if size <= most:
        return None
    return f"The attachment {address} has {size:,} bytes; {most:,} are the most that is sent. It stays where it is."
