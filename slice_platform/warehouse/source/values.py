"""Values as a server sends them, made the values of the column's Arrow type; what has no such value is told."""

from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from slice_platform.errors import PermanentError
from slice_platform.warehouse.source.reading import SourceColumn

_YEARS = "the years 1 to 9999"


def typed(column: SourceColumn, values: pa.Array, what: str) -> pa.Array:
    """The values as `column.arrow`, each exactly.

    Raises:
        PermanentError: one of them is none, such as the date 0000-00-00, infinity or NaN of an exact number.
    """
    try:
        found = _booleans(values) if pa.types.is_boolean(column.arrow) else _cast(values, column.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _refused(column, what, _reason(column, values, error)) from error
    if pa.types.is_timestamp(column.arrow) or pa.types.is_date(column.arrow):
        _refuse_beyond(column, found, what)
    return found


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind) and kind.tz and pa.types.is_string(values.type):
        values = values.cast(pa.timestamp("us"))  # the text is without a zone, as the session's is UTC
    return values.cast(kind)


def _booleans(values: pa.Array) -> pa.Array:
    """MySQL's TINYINT(1) and BIT(1) come as the text of a number."""
    if pa.types.is_boolean(values.type):
        return values
    found = pc.equal(values, "1")
    if not pc.all(pc.or_(found, pc.equal(values, "0")), min_count=0).as_py():
        raise pa.ArrowInvalid("some are neither 0 nor 1")
    return found


def _reason(column: SourceColumn, values: pa.Array, error: Exception) -> str:
    """What is wrong, without a value: it may be personal. Only zeros are shown."""
    if pa.types.is_string(values.type) and (pa.types.is_timestamp(column.arrow) or pa.types.is_date(column.arrow)):
        zero = next((text for text in values.to_pylist() if text and "-00" in text), None)
        return f"holds the date {zero!r}, which no calendar has" if zero else f"is no {column.arrow} in {_YEARS}"
    if pa.types.is_boolean(column.arrow):
        return f"is TINYINT(1), read as a boolean, but {error}"
    return f"holds a value that is no {column.arrow}, such as NaN"


def _refuse_beyond(column: SourceColumn, values: pa.Array, what: str) -> None:
    """Infinity comes as the greatest or least number there is; Python and most engines know no year beyond 9999."""
    number = pa.int32() if pa.types.is_date(values.type) else pa.int64()
    found = pc.min_max(values.cast(number))
    low, high = found["min"].as_py(), found["max"].as_py()
    if low is None:
        return
    first, last = (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    limits = (_number(column.arrow, first), _number(column.arrow, last))
    if low < limits[0] or high > limits[1]:
        raise _refused(column, what, f"holds infinity, or a moment beyond {_YEARS}")


def _number(kind: pa.DataType, moment: datetime) -> int:
    if pa.types.is_date(kind):
        return (moment.date() - date(1970, 1, 1)).days
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _refused(column: SourceColumn, what: str, reason: str) -> PermanentError:
    return PermanentError(
        f"{what}: the column {column.name!r} {reason}. Mend the rows, or write a `query` that makes it NULL or text, "
        f"such as NULLIF({column.name}, ...) or CAST({column.name} AS CHAR)."
    )
