"""What errors of Redshift mean: by its codes where they tell, else by its texts."""

import struct

import pytest
from redshift_connector.error import InterfaceError, ProgrammingError

from slice_platform.errors import AccessRefused, DestinationBusy, DestinationError, DestinationUnavailable
from slice_platform.warehouse.redshift_errors import RowsRefused, is_of_redshift, redshift_error
from slice_platform.warehouse.refusal import FileRefused


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        ("40001", "could not serialize access", DestinationBusy),
        ("57014", "Query (150) canceled on user's request", DestinationBusy),
        ("57P01", "terminating connection due to administrator command", DestinationUnavailable),
        ("42501", "permission denied for schema shop", AccessRefused),
        ("28000", "password authentication failed for user", AccessRefused),
        ("22003", "numeric field overflow", FileRefused),
        ("42P07", 'Relation "t" already exists', FileRefused),
    ],
)
def test_codes_tell_as_those_of_postgres_do(code: str, text: str, kind: type[Exception]) -> None:
    assert type(redshift_error("Loading", ProgrammingError({"S": "ERROR", "C": code, "M": text}))) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Load into table 't' failed.  Check 'stl_load_errors' system table for details.", RowsRefused),
        ("Load into table 't' failed.  Check 'sys_load_error_detail' system table for details.", RowsRefused),
        ("Found multiple matches to update the same tuple.", FileRefused),
        ("1018", DestinationBusy),
        ("S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 1", AccessRefused),
        ("User arn:aws:redshift:x is not authorized to assume IAM Role arn:aws:iam::1:role/copy", AccessRefused),
        ("S3ServiceException:Reduce your request rate.,Status 503,Error SlowDown", DestinationUnavailable),
        ("Mandatory url is not present in manifest file.", DestinationUnavailable),
        ('failed to find conversion function from "unknown" to character varying', DestinationError),
        ("Cannot COPY into nonexistent table t1023", DestinationError),
    ],
)
def test_an_internal_error_is_told_by_its_text(text: str, kind: type[Exception]) -> None:
    assert type(redshift_error("Loading", ProgrammingError({"S": "ERROR", "C": "XX000", "M": text}))) is kind


def test_a_transaction_that_lost_is_told_by_the_details() -> None:
    said = {"C": "XX000", "M": "1023", "D": "Serializable isolation violation on table - 100200"}
    error = redshift_error("Loading", ProgrammingError(said))
    assert type(error) is DestinationBusy and "100200" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        InterfaceError("BrokenPipe: server socket closed."),
        ConnectionResetError(104, "reset by peer"),
        struct.error("5 bytes are needed"),
    ],
)
def test_what_has_no_code_is_a_connection_that_broke(error: Exception) -> None:
    """Errors of the socket, and of a message that it cut off, come through the driver as they are."""
    assert is_of_redshift(error) and type(redshift_error("Loading", error)) is DestinationUnavailable
