import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from slice_platform.cli.json_text import json_lines, json_text
from slice_platform.errors import PermanentError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (True, "true"),
        (2**62 + 1, "4611686018427387905"),
        (float("nan"), "null"),
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (Decimal("1E+3"), "1000"),
        (datetime(2026, 3, 1, 12, 0, 0, 123456, UTC), '"2026-03-01T12:00:00.123456+00:00"'),
        (date(2026, 3, 1), '"2026-03-01"'),
        (time(5), '"05:00:00.000000"'),
        (b"\x00\xff", '"00ff"'),
        ({"a": [Decimal("1.50"), 'q"']}, '{"a": [1.50, "q\\""]}'),
        ("é", '"é"'),
    ],
)
def test_a_value_keeps_what_it_is(value: object, expected: str) -> None:
    assert json_text(value) == expected


def test_a_value_without_a_form_is_refused_with_advice() -> None:
    with pytest.raises(PermanentError, match="timedelta has no form in JSON or CSV. Cast the column"):
        json_text(timedelta(days=1))


def test_integers_with_nulls_stay_integers() -> None:
    lines = list(json_lines(pa.table({"n": [1, None]})))
    assert lines == ['{"n": 1}\n', '{"n": null}\n']
    assert [json.loads(line) for line in lines] == [{"n": 1}, {"n": None}]
