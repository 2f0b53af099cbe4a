"""What the rows of a table come to, computed alike by DuckDB and by every destination, so that sides can be compared.

A row is written as one text, of whose md5 60 bits are taken, and these numbers are added up: the order of rows does not
count, duplicates do. SUPER is left out, as databases order and space documents as they like. Of DOUBLE PRECISION at
least 30 bits count, which is nine digits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from slice_platform.warehouse.checksum_spelling import Spelling
from slice_platform.warehouse.column_type import ColumnType, Kind

HEX_DIGITS = 15
_MODULUS = 16**HEX_DIGITS
# Of a text that is put together: Redshift has no longer ones, and of one expression no more parts than is comfortable.
_MOST_BYTES, _MOST_PIECES = 60_000, 90
MOST_INLINE = 1_024  # bytes of a text that stands there as it is; of longer ones the md5 does
_MOST_OF_OTHERS = 64  # bytes of any value that is no text
Value = tuple[str, ColumnType]  # SQL, and what it is


@dataclass(frozen=True)
class Measure:
    """How many rows there are, and what they come to: `low` are 60 bits of the sum, `high` is what is above them."""

    rows: int = 0
    low: int = 0
    high: int = 0

    @classmethod
    def of(cls, rows: int, total: int) -> "Measure":
        return cls(rows, total % _MODULUS, total // _MODULUS)


def checksum(spelling: Spelling, values: Iterable[Value]) -> str:
    """SQL of the sum over all rows that a SELECT reads; 0 where it reads none."""
    pieces = [(_piece(spelling, sql, kind), _most(kind)) for sql, kind in values if kind.kind is not Kind.SUPER]
    groups = list(_groups(pieces))
    while len(groups) > 1:
        groups = list(_groups([(spelling.md5(spelling.row(group)), 32) for group in groups]))
    row = spelling.row(groups[0]) if groups else "''"
    return f"COALESCE(SUM({spelling.number(spelling.md5(row), HEX_DIGITS)}), 0)"


def _piece(spelling: Spelling, sql: str, kind: ColumnType) -> str:
    """The value as text that tells where it ends: no two rows are written alike. NULL is a letter that no value is."""
    if kind.length is None:
        return f"COALESCE({_text(spelling, sql, kind)}, 'N')"
    text = spelling.blank_free(sql) if kind.kind is Kind.CHAR else sql
    octets = spelling.octets(text)
    counted = spelling.joined([spelling.text(octets), "':'", text])
    if kind.length > MOST_INLINE:
        counted = f"CASE WHEN {octets} > {MOST_INLINE} THEN {spelling.md5(text)} ELSE {counted} END"
    return f"COALESCE({counted}, 'N')"


def _text(spelling: Spelling, sql: str, kind: ColumnType) -> str:
    match kind.kind:
        case Kind.BOOLEAN:
            return f"CASE WHEN {sql} THEN 't' WHEN NOT {sql} THEN 'f' END"
        case Kind.DATE:
            return spelling.day(sql)
        case Kind.TIMESTAMP:
            return spelling.moment(sql)
        case Kind.TIMESTAMPTZ:
            return spelling.moment(spelling.in_utc(sql))
        case Kind.REAL | Kind.DOUBLE:
            return spelling.scaled(sql, is_real=kind.kind is Kind.REAL)
        case _:
            return spelling.text(sql)


def _most(kind: ColumnType) -> int:
    if kind.length is None:
        return _MOST_OF_OTHERS
    return min(kind.length, MOST_INLINE) + _MOST_OF_OTHERS


def _groups(pieces: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """The pieces in their order, as many together as one text may hold."""
    group, size = list[str](), 0
    for sql, most in pieces:
        if group and (len(group) == _MOST_PIECES or size + most > _MOST_BYTES):
            yield group
            group, size = [], 0
        group.append(sql)
        size += most
    if group:
        yield group
