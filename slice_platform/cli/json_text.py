"""JSON of a query's answer, without a detour that would change its values.

pandas makes floats of integers where there are NULLs, cuts microseconds, and keeps one of two columns of one name.
"""

import json
import math
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal

import pyarrow as pa

from slice_platform.errors import PermanentError


def json_lines(answer: pa.Table) -> Iterator[str]:
    """One object per row, each with its line end. Column names must differ."""
    names = [json_text(name) for name in answer.column_names]
    for batch in answer.to_batches(max_chunksize=10_000):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            yield "{" + ", ".join(f"{n}: {json_text(v)}" for n, v in zip(names, row, strict=True)) + "}\n"


def json_text(value: object) -> str:
    """The value as JSON: decimals are numbers with all their digits, moments ISO 8601, bytes hexadecimal.

    Raises:
        PermanentError: the value is of a kind that has no such form.
    """
    match value:
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case float():
            return json.dumps(value) if math.isfinite(value) else "null"  # JSON has no NaN
        case Decimal():
            return format(value, "f")
        case datetime() | time():
            return json.dumps(value.isoformat(timespec="microseconds"))
        case date():
            return json.dumps(value.isoformat())
        case bytes():
            return json.dumps(value.hex())
        case dict():
            return "{" + ", ".join(f"{json_text(str(k))}: {json_text(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(json_text(one) for one in value) + "]"
        case _:
            kind = type(value).__name__
            raise PermanentError(f"Writing {value!r}: a {kind} has no form in JSON or CSV. Cast the column to VARCHAR.")
