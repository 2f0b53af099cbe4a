"""What the bytes of a CSV tell of how Postgres would read it."""

from dataclasses import dataclass
from pathlib import Path

from slice_platform.store import CHUNK_BYTES

_END_OF_DATA = b"\n\\."  # alone on a line it ends the input of Postgres before release 18, quoted or not


@dataclass(frozen=True)
class CsvShape:
    """Counts of a file's bytes. `pairs` are line feeds behind carriage returns."""

    breaks: int
    returns: int
    pairs: int
    has_quotes: bool
    may_end_early: bool

    def is_plain(self, records: int) -> bool:
        """Whether every line is one of the header and the records, and all of them end alike.

        A blank line is a row to Postgres and none to us; a line break inside a field may end lines in another way.
        """
        ends_alike = not self.returns or self.returns == self.pairs == self.breaks
        return ends_alike and self.breaks == records + 1 and not self.may_end_early


def read_shape(path: Path) -> CsvShape:
    """Look at every byte once. The last line counts as ended, whether it is or not."""
    breaks = returns = pairs = 0
    has_quotes, may_end_early, before = False, False, b""
    with path.open("rb") as source:
        while chunk := source.read(CHUNK_BYTES):
            breaks += chunk.count(b"\n")
            if b"\r" in chunk:
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n")
            pairs += before.endswith(b"\r") and chunk.startswith(b"\n")
            has_quotes = has_quotes or b'"' in chunk
            with_seam = before[-2:] + chunk
            may_end_early = may_end_early or (b"\\" in with_seam and _END_OF_DATA in with_seam)
            before = chunk
    if before.endswith(b"\n"):
        return CsvShape(breaks, returns, pairs, has_quotes, may_end_early)
    has_returns = bool(returns)
    return CsvShape(breaks + 1, returns + has_returns, pairs + has_returns, has_quotes, may_end_early)
