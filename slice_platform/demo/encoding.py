"""Rows of the source as the bytes a producer would deliver: a gz of CSV or JSON lines, some rows of it bad.

The same rows give the same bytes: gzip's header carries no time.
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from slice_platform.demo.source import NULL, SourceTable

FileFormat: TypeAlias = Literal["csv", "jsonl"]
_TEXT_COLUMNS = frozenset({"carrier", "tailnum", "origin", "dest", "time_hour"})
_GZIP_LEVEL = 1  # fast


@dataclass(frozen=True)
class Defect:
    """A way to spoil a row so that the contract refuses it, for one reason only.

    `column` takes `value`; without a column the line is cut in half.
    """

    what: str
    column: str | None = None
    value: str = NULL


DEFECTS = (
    Defect("the distance is not a number", "distance", "far"),
    Defect("the carrier is missing", "carrier"),
    Defect("the century is wrong", "time_hour", "1913-01-01T10:00:00Z"),
    Defect("the airport is not one of New York's", "origin", "NYC"),
    Defect("the line is cut in half"),
)


def encode(
    table: SourceTable, rows: Sequence[int], file_format: FileFormat, defects: Mapping[int, Defect] | None = None
) -> bytes:
    """The file that holds the source's `rows`, in that order; `defects` says which of them to spoil."""
    spoiled = defects or {}
    lines = [table.header] if file_format == "csv" else []
    lines += [_line(table, row, file_format, spoiled.get(row)) for row in rows]
    return gzip.compress(("\n".join(lines) + "\n").encode(), _GZIP_LEVEL, mtime=0)


def line_number(position: int, file_format: FileFormat) -> int:
    """The line, from 1, on which a file's row at `position`, from 0, stands."""
    return position + (2 if file_format == "csv" else 1)


def _line(table: SourceTable, row: int, file_format: FileFormat, defect: Defect | None) -> str:
    fields = table.lines[row].split(",")
    if defect is not None and defect.column is not None:
        fields[table.columns.index(defect.column)] = defect.value
    line = ",".join(fields) if file_format == "csv" else _json(table, fields)
    is_cut = defect is not None and defect.column is None
    return line[: len(line) // 2] if is_cut else line


def _json(table: SourceTable, fields: Sequence[str]) -> str:
    return json.dumps({name: _json_value(name, text) for name, text in zip(table.columns, fields, strict=True)})


def _json_value(name: str, text: str) -> str | int | None:
    if text == NULL:
        return None
    # Only a defect puts words where a number belongs.
    is_text = name in _TEXT_COLUMNS or not text.lstrip("-").isdecimal()
    return text if is_text else int(text)
