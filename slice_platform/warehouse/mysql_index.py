"""How much of an index of MySQL a column takes: a table whose keys take more than there is cannot be made."""

from types import MappingProxyType

from slice_platform.warehouse.column_type import ColumnType, Kind

MOST_INDEX_BYTES = 3_072  # of InnoDB, all columns of a key together
BYTES_OF_CHARACTER = 4
_BYTES = MappingProxyType(
    {
        Kind.SMALLINT: 2, Kind.INTEGER: 4, Kind.BIGINT: 8, Kind.REAL: 4, Kind.DOUBLE: 8, Kind.BOOLEAN: 1, Kind.DATE: 3,
        Kind.TIMESTAMP: 8, Kind.TIMESTAMPTZ: 8,
    }
)  # fmt: skip


def index_bytes(kind: ColumnType) -> int:
    """The most that a value takes; of text that is each character of its length."""
    if kind.length is not None:
        return kind.length * BYTES_OF_CHARACTER
    if kind.precision is not None:
        scale = kind.scale or 0
        return _digits_bytes(kind.precision - scale) + _digits_bytes(scale)
    return _BYTES[kind.kind]


def _digits_bytes(digits: int) -> int:
    """Nine digits are four bytes, and what is left over two digits a byte."""
    return digits // 9 * 4 + (digits % 9 + 1) // 2
