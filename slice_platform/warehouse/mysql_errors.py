"""Errors of MySQL and MariaDB as ours: who is to blame, and whether it passes."""

from collections.abc import Iterator
from contextlib import contextmanager

from slice_platform.errors import AccessRefused, DestinationBusy, DestinationError, DestinationUnavailable
from slice_platform.warehouse.refusal import key_taken, refuse

# https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
_BUSY = {1205, 1213, 3572}
_UNAVAILABLE = {0, 1021, 1037, 1040, 1041, 1053, 1077, 1114, 1129, 1158, 1159, 1160, 1161, 1203, 2002, 2003, 2006, 2013}
_ACCESS = {1044, 1045, 1049, 1142, 1143, 1227, 1698}
_NO_LOCAL_FILES = {1148, 3948, 4166}
_FILE = {
    1005, 1022, 1048, 1050, 1054, 1060, 1061, 1062, 1068, 1070, 1071, 1072, 1074, 1091, 1113, 1117, 1118, 1146, 1171,
    1215, 1216, 1217, 1264, 1265, 1267, 1292, 1366, 1406, 1451, 1452, 1553, 1822, 1824, 3140, 3819, 4025,
}  # fmt: skip
_NO_CRYPTOGRAPHY = (
    "the server asks for the password encrypted by itself (caching_sha2_password), which needs the package "
    "cryptography. Install slice-platform[warehouse], or let the server offer TLS. Nothing was changed."
)
_AGAIN = "Nothing was changed; it is tried again."


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Errors of pymysql as ours; others pass.

    Raises:
        DestinationUnavailable, DestinationBusy, AccessRefused, DestinationError, FileRefused: see `as_ours`.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, RuntimeError) and "cryptography" in str(error):  # of pymysql, about a package it lacks
            raise AccessRefused(f"{doing} was refused: {_NO_CRYPTOGRAPHY}") from error
        if type(error).__module__.partition(".")[0] != "pymysql":
            raise
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = str(error.args[-1]) if error.args else str(error)
        raise as_ours(doing, number, said or "the connection broke") from error


def as_ours(doing: str, number: int, said: str) -> Exception:
    """What a number of the server means; 0: the connection broke."""
    if number in _BUSY:
        return DestinationBusy(f"{doing} had to give way: {said}. {_AGAIN}")
    if number in _UNAVAILABLE:
        return DestinationUnavailable(f"{doing} failed: {said}. {_AGAIN}")
    if number in _ACCESS:
        return AccessRefused(
            f"{doing} was refused: {said}. Check the name of the database and the rights of the user, which "
            "docs/propagator.md lists. Nothing was changed."
        )
    if number in _NO_LOCAL_FILES:
        return AccessRefused(
            f"{doing} was refused: {said}. Set local_infile=ON on the server: LOAD DATA LOCAL needs it."
        )
    if number == 1062:
        return key_taken(said)
    if number in _FILE:
        return refuse(f"{doing} was refused by the database: {said}")
    return DestinationError(f"{doing} failed: {said} (error {number}).")
