"""What is published, as one who fetches it sees it: every file checked against the hash in the manifest."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slice_platform.errors import SettingsError
from slice_platform.ops.pulse.manifest import MANIFEST, Manifest, monitors_key, read_manifest
from slice_platform.store import Store

_TRIES, _WAIT_SECONDS = 3, 1.0


@dataclass(frozen=True)
class Published:
    """The manifest with the bytes that it names; `torn` are files whose bytes are others by now, or gone."""

    manifest: Manifest
    contents: Mapping[str, bytes]
    torn: frozenset[str]


def fetch(
    store: Store, known: Mapping[str, bytes], *, wait: Callable[[float], None] = time.sleep, tries: int = _TRIES
) -> Published:
    """Everything that is published. Of `known` content, by its sha256, nothing is read.

    Where a publish is under way it is waited for: files come before the manifest that names them.

    Raises:
        SettingsError: nothing was ever published there.
        PulseManifestBroken: the manifest was not read whole, or is none.
        StoreUnavailable: the store did not answer.
    """
    while True:
        found = _fetched(store, known)
        tries -= 1
        if not found.torn or tries <= 0:
            return found
        wait(_WAIT_SECONDS)


def _fetched(store: Store, known: Mapping[str, bytes]) -> Published:
    manifest = read_manifest(store)
    if manifest is None:
        raise SettingsError(
            f"Reading {store.path(MANIFEST)!r}: there is no manifest, so nothing was published there, and nothing is "
            "changed. Publish first (slice pulse publish --apply), or mend SLICE_PULSE_URI."
        )
    contents, torn = dict[str, bytes](), set[str]()
    for name, sha256 in manifest.hashes().items():
        content = known.get(sha256)
        if content is None:
            content = _read(store, monitors_key(name))
        if content is None or hashlib.sha256(content).hexdigest() != sha256:
            torn.add(name)
        else:
            contents[name] = content
    return Published(manifest, contents, frozenset(torn))


def _read(store: Store, key: str) -> bytes | None:
    try:
        with store.open(key) as stored:
            return stored.read()
    except FileNotFoundError:
        return None
