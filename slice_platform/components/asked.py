"""What a sensor has asked for. A request that changed nothing is repeated, ever more rarely."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from slice_platform.store import StoredObject

FIRST_WAIT_SECONDS = 30
LONGEST_WAIT_SECONDS = 3600


@dataclass(frozen=True)
class Asked:
    """The last request for something: for which set of files, how often, and when (seconds since 1970)."""

    what: str
    times: int
    at: float

    def is_due(self, now: float) -> bool:
        wait = min(FIRST_WAIT_SECONDS * 2.0 ** (self.times - 1), LONGEST_WAIT_SECONDS)
        return abs(now - self.at) >= wait  # either side: clocks jump back

    def again(self, what: str, now: float) -> "Asked":
        return Asked(what, self.times + 1 if self.what == what else 1, now)


def next_request(before: Asked | None, what: str, now: float, moments: Iterable[float] = ()) -> Asked | None:
    """The request to make now for `what`; None where it was made already and is not due again.

    It is due again at each of `moments` as well.
    """
    if before is None:
        return Asked(what, 1, now)
    is_time = any(before.at < moment <= now for moment in moments)
    if before.what == what and not is_time and not before.is_due(now):
        return None
    return before.again(what, now)


def fingerprint_of(entries: Iterable[StoredObject]) -> str:
    return digest_of(f"{entry.text}:{entry.version}" for entry in entries)


def digest_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
