"""What Redshift says as errors of ours: who is to blame, and whether it passes.

Its SQLSTATEs tell less than those of Postgres: most of what is its own comes as XX000, "internal error" - rows that
COPY refuses, a transaction that lost, a role that may not read the bucket - and differs by its text alone.
"""

import re
import struct
from typing import Any

from slice_platform.errors import AccessRefused, DestinationBusy, DestinationError, DestinationUnavailable
from slice_platform.warehouse.postgres_errors import as_ours, said_by, state_of
from slice_platform.warehouse.refusal import FileRefused, refuse

_DRIVERS = ("psycopg", "redshift_connector")
_AGAIN = "Nothing was changed; it is tried again."
# Of XX000, the first that fits. https://docs.aws.amazon.com/redshift/latest/dg/r_Load_Error_Reference.html
_LOST = re.compile(r"^\s*1023\b|Serializable isolation violation|^\s*1018\b|deadlock", re.IGNORECASE)
_ROWS = re.compile(r"Load into table .* failed")
_RIGHTS = re.compile(
    r"Access ?Denied|not authorized|permission denied|Forbidden|InvalidAccessKeyId|Status 40[13]\b", re.IGNORECASE
)
_PASSING = re.compile(
    r"S3CurlException|Status 5\d\d\b|SlowDown|Mandatory url|time(d)? ?out|connection|restart|maintenance|out of memory",
    re.IGNORECASE,
)
_OF_THE_FILE = re.compile(r"multiple matches|overflow|out of range|row size|too long|exceeds", re.IGNORECASE)


class RowsRefused(FileRefused):
    """COPY failed at the rows. Which and why, its own tables tell, on another connection."""


def is_of_redshift(error: Exception) -> bool:
    """Whether a connection made it: a driver, or the socket below it, whose errors drivers let through."""
    return isinstance(error, OSError | struct.error) or type(error).__module__.partition(".")[0] in _DRIVERS


def redshift_error(doing: str, error: Exception) -> Exception:
    """An error of a driver as ours. One without a code broke the connection, or never made one."""
    details: Any = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    state, said = _told(details) if details else (state_of(error), said_by(error))
    if state.startswith("57014"):
        return DestinationBusy(f"{doing} took too long and was canceled: {said}. {_AGAIN}")
    return _internal(doing, said) if state.startswith("XX") else as_ours(doing, state, said)


def _told(details: "dict[str, str]") -> tuple[str, str]:
    said, more = details.get("M", "").strip(), details.get("D", "").strip()
    return details.get("C", ""), f"{said} ({more})" if more else said


def _internal(doing: str, said: str) -> Exception:
    if _LOST.search(said):
        return DestinationBusy(f"{doing} had to give way: {said}. {_AGAIN}")
    if _ROWS.search(said):
        return RowsRefused(*refuse(f"{doing} was refused by the database: {said}").findings)
    if _RIGHTS.search(said):
        return AccessRefused(
            f"{doing} was refused: {said}. Check SLICE_REDSHIFT_IAM_ROLE, the rights of that role on _staging/ and of "
            "the user, which docs/propagator.md lists. Nothing was changed."
        )
    if _PASSING.search(said):
        return DestinationUnavailable(f"{doing} failed: {said}. {_AGAIN}")
    if _OF_THE_FILE.search(said):
        return refuse(f"{doing} was refused by the database: {said}")
    return DestinationError(f"{doing} failed: {said} (SQLSTATE XX000).")
