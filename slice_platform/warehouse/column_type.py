"""The types a column may have, in the words of Redshift, which all destinations understand alike.

A closed grammar: what is not listed is refused, so that nothing else can stand in a type.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from slice_platform.warehouse.refusal import FileRefused, refuse

DEFAULT_VARCHAR, MOST_VARCHAR, MOST_CHAR = 256, 65_535, 4_096  # bytes, as Redshift counts
MOST_DIGITS, DEFAULT_DIGITS = 38, 18


class Kind(StrEnum):
    """A type without its length; the value is how it is spelled."""

    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    DECIMAL = "DECIMAL"
    REAL = "REAL"
    DOUBLE = "DOUBLE PRECISION"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    TIMESTAMPTZ = "TIMESTAMPTZ"
    CHAR = "CHAR"
    VARCHAR = "VARCHAR"
    SUPER = "SUPER"


_SYNONYMS = {
    "INT2": Kind.SMALLINT, "INT": Kind.INTEGER, "INT4": Kind.INTEGER, "INT8": Kind.BIGINT, "NUMERIC": Kind.DECIMAL,
    "FLOAT4": Kind.REAL, "FLOAT8": Kind.DOUBLE, "FLOAT": Kind.DOUBLE, "DOUBLE": Kind.DOUBLE, "BOOL": Kind.BOOLEAN,
    "CHARACTER": Kind.CHAR, "CHARACTER VARYING": Kind.VARCHAR, "TIMESTAMP WITHOUT TIME ZONE": Kind.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ,
}  # fmt: skip
_NAMES = {kind.value: kind for kind in Kind} | _SYNONYMS
_WRITTEN = re.compile(
    r"(?P<name>[A-Z0-9]+( [A-Z]+){0,3})( ?\( ?(?P<first>[0-9]{1,5}|MAX)( ?, ?(?P<second>[0-9]{1,2}))? ?\))?"
)
KNOWN = ", ".join(kind.value for kind in Kind)


@dataclass(frozen=True)
class ColumnType:
    """A type with its length (bytes) or its digits, before and behind the point together, and those behind it."""

    kind: Kind
    length: int | None = None
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        if self.length is not None:
            return f"{self.kind.value}({self.length})"
        if self.precision is not None:
            return f"{self.kind.value}({self.precision},{self.scale})"
        return self.kind.value


def column_type(text: str, column: str) -> ColumnType:
    """What `text` spells, in any case: `varchar(20)`, `DECIMAL(12,2)`, `VARCHAR(MAX)`; VARCHAR alone has 256 bytes.

    Raises:
        FileRefused: it is no type, or its length is out of range.
    """
    written = _WRITTEN.fullmatch(text.upper()) if text.isascii() else None  # beyond ASCII, upper() makes an I of others
    kind = _NAMES.get(written["name"]) if written else None
    if written is None or kind is None:
        raise refuse(f"is no type; known are {KNOWN}", value=text[:100], column=column)
    first, second = written["first"], written["second"]
    match kind:
        case Kind.VARCHAR | Kind.CHAR if second is None:
            return ColumnType(kind, length=_length(kind, first, text, column))
        case Kind.DECIMAL if first != "MAX":
            return _decimal(int(first or DEFAULT_DIGITS), int(second or 0), text, column)
        case _ if first is None:
            return ColumnType(kind)
        case _:
            raise refuse(f"is no type: {kind.value} is not followed by that", value=text[:100], column=column)


def _length(kind: Kind, written: str | None, text: str, column: str) -> int:
    most, usual = (MOST_VARCHAR, DEFAULT_VARCHAR) if kind is Kind.VARCHAR else (MOST_CHAR, 1)
    length = most if written == "MAX" and kind is Kind.VARCHAR else usual if written is None else _number(written)
    if not 1 <= length <= most:
        raise refuse(f"is no type: {kind.value} has 1 to {most} bytes", value=text[:100], column=column)
    return length


def _number(written: str) -> int:
    return int(written) if written != "MAX" else 0


def _decimal(precision: int, scale: int, text: str, column: str) -> ColumnType:
    if not (1 <= precision <= MOST_DIGITS and scale <= precision):
        raise _bad_digits(text, column)
    return ColumnType(Kind.DECIMAL, precision=precision, scale=scale)


def _bad_digits(text: str, column: str) -> FileRefused:
    reason = f"is no type: DECIMAL has 1 to {MOST_DIGITS} digits, of which at most all stand behind the point"
    return refuse(reason, value=text[:100], column=column)
