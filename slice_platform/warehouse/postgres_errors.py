"""Errors of Postgres, and of what speaks its protocol, as ours: who is to blame, and whether it passes."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from slice_platform.errors import AccessRefused, DestinationBusy, DestinationError, DestinationUnavailable
from slice_platform.warehouse.refusal import key_taken, refuse

# By the beginning of an SQLSTATE, the first that fits. https://www.postgresql.org/docs/current/errcodes-appendix.html
_BUSY = ("40", "55P03", "55006")
_ACCESS = ("28", "42501", "3D000")
_UNAVAILABLE = ("08", "53", "57", "58", "25006", "25P03", "XX")  # 25006: read-only, as after a failover
_FILE = ("21", "22", "23", "42", "54", "0A")
_REFUSED_AT_THE_DOOR = re.compile(
    r"FATAL: .*(?P<database>database .* does not exist)|FATAL: .*(authentication|pg_hba|role .* does not exist|denied)"
)
_ERROR, _DETAIL = re.compile(r"^.*?ERROR: +(.*)$", re.MULTILINE), re.compile(r"^DETAIL: +(.*)$", re.MULTILINE)
_AGAIN = "Nothing was changed; it is tried again."


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Errors of psycopg and of ADBC as ours; others pass.

    Raises:
        DestinationUnavailable, DestinationBusy, AccessRefused, DestinationError, FileRefused: see `as_ours`.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("psycopg", "adbc_driver_manager"):
            raise
        raise as_ours(doing, state_of(error), said_by(error)) from error


def state_of(error: Exception) -> str:
    """The SQLSTATE. An attempt to connect tells none: there the server's words have to do."""
    state: str | None = getattr(error, "sqlstate", None)
    if state is None and (found := _REFUSED_AT_THE_DOOR.search(str(error))):
        return "3D000" if found["database"] else "28000"
    return state or ""


def said_by(error: Exception) -> str:
    """The server's own words, without what a driver puts around them."""
    if (diagnostic := getattr(error, "diag", None)) is not None and diagnostic.message_primary:
        said, detail = diagnostic.message_primary, diagnostic.message_detail
    else:
        text = str(error)
        found, more = _ERROR.search(text), _DETAIL.search(text)
        said, detail = found[1] if found else text.strip(), more[1] if more else None
    return f"{said} ({detail})" if detail else said


def as_ours(doing: str, state: str, said: str) -> Exception:
    """What an SQLSTATE means; without one the connection broke, or was never made."""
    if state.startswith(_BUSY):
        return DestinationBusy(f"{doing} had to give way: {said}. {_AGAIN}")
    if not state or state.startswith(_UNAVAILABLE):
        return DestinationUnavailable(f"{doing} failed: {said}. {_AGAIN}")
    if state.startswith(_ACCESS):
        return AccessRefused(
            f"{doing} was refused: {said}. Check the name of the database and the rights of the user, which "
            "docs/propagator.md lists. Nothing was changed."
        )
    if state == "23505":
        return key_taken(said)
    if state.startswith(_FILE):
        return refuse(f"{doing} was refused by the database: {said}")
    return DestinationError(f"{doing} failed: {said} (SQLSTATE {state}).")
