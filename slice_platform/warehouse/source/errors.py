"""Errors of a database that is read, as ours: what to change, or whether to try again. No message has a password."""

from collections.abc import Iterator
from contextlib import contextmanager

from slice_platform.errors import (
    AccessRefused,
    DestinationBusy,
    DestinationError,
    DestinationUnavailable,
    PermanentError,
)
from slice_platform.warehouse.postgres_errors import said_by, state_of

_ADVICE = {
    "table": "Check `table` and `database`; names count to the letter, and a table of Postgres may need its schema.",
    "column": "Check the columns of `query`, `cursor` and `retention`.",
    "query": "Check `query`: one SELECT, without anything that changes data.",
    "rights": "Check the URL, and let its user do it: SELECT to read, and DELETE to expire rows.",
    "referred": "Rows of another table refer to them: expire those first.",
}
_POSTGRES_PERMANENT = {"42P01": "table", "3F000": "table", "42703": "column", "42804": "column", "42883": "column",
                       "42601": "query", "25006": "query", "0A000": "query", "23503": "referred"}  # fmt: skip
_POSTGRES_ACCESS, _POSTGRES_BUSY = ("28", "42501", "3D000"), ("40", "55P03", "55006")
_POSTGRES_AWAY = ("08", "53", "57", "58", "25P03", "XX")
_MYSQL_PERMANENT = {1146: "table", 1051: "table", 1109: "table", 1054: "column", 1064: "query", 1792: "query",
                    1451: "referred", 1217: "referred"}  # fmt: skip
_MYSQL_ACCESS, _MYSQL_BUSY = {1044, 1045, 1049, 1142, 1143, 1227, 1370, 1698}, {1205, 1213, 3572}
_MYSQL_AWAY = {0, 1021, 1037, 1040, 1053, 1077, 1129, 1158, 1159, 1160, 1161, 1203, 2002, 2003, 2006, 2013, 1927}
_CRYPTOGRAPHY = "Install slice-platform[warehouse]: the server encrypts the password by itself."


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Errors of psycopg, ADBC and pymysql as ours; others pass.

    Raises:
        DestinationUnavailable, DestinationBusy: a retry may succeed.
        AccessRefused, PermanentError, DestinationError: a person must change something.
    """
    try:
        yield
    except Exception as error:
        library = type(error).__module__.partition(".")[0]
        if library in ("psycopg", "adbc_driver_manager"):
            raise _of_postgres(doing, state_of(error), _one_line(said_by(error))) from error
        if isinstance(error, RuntimeError) and "cryptography" in str(error):  # of pymysql, about a package it lacks
            raise AccessRefused(f"{doing} was refused: {error}. {_CRYPTOGRAPHY}") from error
        if library != "pymysql":
            raise
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = str(error.args[-1]) if error.args else ""
        raise _of_mysql(doing, number, _one_line(said or "the connection broke")) from error


def broke_off(doing: str, said: str) -> Exception:
    """What Postgres said while rows came, of which no SQLSTATE is told."""
    _, is_of_server, words = _one_line(said).partition("ERROR: ")
    if not is_of_server:
        return DestinationUnavailable(f"{doing} broke off: {_one_line(said)}. It is tried again.")
    if "canceling statement" in words:  # a time-out, or a replica that had to go on
        return DestinationBusy(f"{doing} had to give way: {words.strip()}. It is tried again.")
    return DestinationError(f"{doing} failed: {words.strip()}. {_ADVICE['query']}")


def _one_line(said: str) -> str:
    return " ".join(said.split()).rstrip(".")


def _of_postgres(doing: str, state: str, said: str) -> Exception:
    if state in _POSTGRES_PERMANENT:
        return PermanentError(f"{doing} failed: {said}. {_ADVICE[_POSTGRES_PERMANENT[state]]}")
    if state.startswith(_POSTGRES_ACCESS):
        return AccessRefused(f"{doing} was refused: {said}. {_ADVICE['rights']}")
    if state.startswith(_POSTGRES_BUSY):
        return DestinationBusy(f"{doing} had to give way: {said}. Nothing was changed; it is tried again.")
    if not state or state.startswith(_POSTGRES_AWAY):
        return DestinationUnavailable(f"{doing} failed: {said}. It is tried again.")
    return DestinationError(f"{doing} failed: {said} (SQLSTATE {state}).")


def _of_mysql(doing: str, number: int, said: str) -> Exception:
    if number in _MYSQL_PERMANENT:
        return PermanentError(f"{doing} failed: {said}. {_ADVICE[_MYSQL_PERMANENT[number]]}")
    if number in _MYSQL_ACCESS:
        return AccessRefused(f"{doing} was refused: {said}. {_ADVICE['rights']}")
    if number in _MYSQL_BUSY:
        return DestinationBusy(f"{doing} had to give way: {said}. Nothing was changed; it is tried again.")
    if number in _MYSQL_AWAY:
        return DestinationUnavailable(f"{doing} failed: {said}. It is tried again.")
    return DestinationError(f"{doing} failed: {said} (error {number}).")
