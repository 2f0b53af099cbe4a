"""Whether the table holds somebody else's rows is judged as its own reader would, and never too kindly."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.expressions import AlwaysTrue

from slice_platform.errors import PermanentError
from slice_platform.lake.held_rows import held_rows, not_later
from slice_platform.lake.table import load_table
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import BY_DAY, DAY, KEY, POSITIVE, N, deliver, feed, jsonl, lines, merged

UNTIL = datetime(2026, 1, 31, tzinfo=UTC)
Held = Callable[..., list[bool]]


def rows(*found: tuple[str, Any, int]) -> pa.Table:
    """As somebody else has them: (id, n, day of January 2026)."""
    return pa.table(
        {
            "id": [key for key, _, _ in found],
            "n": [n for _, n, _ in found],
            "day": [date(2026, 1, day) for _, _, day in found],
        }
    )


@pytest.fixture
def held(make_lake: MakeLake) -> Held:
    """What a lake with these files says of rows."""

    def ask(came: pa.Table, *, until: datetime = UNTIL, files: tuple[bytes, ...], columns: Any = None) -> list[bool]:
        lake = make_lake(merged() if columns is None else columns)
        for position, content in enumerate(files):
            deliver(lake, **{f"f{position}_jsonl": content})
        with held_rows(lake, lake.dataset("feed"), "day", until) as found:
            return found.held(came, ["id"])

    return ask


def test_rows_are_held_where_every_value_is_equal(held: Held) -> None:
    came = rows(("a", 1, 1), ("b", 3, 2), ("c", 3, 4), ("d", None, 4), ("e", 5, 5))
    files = (lines(("a", 1, 1), ("b", 2, 2), ("c", 3, 3), ("d", None, 4)),)
    assert held(came, files=files) == [True, False, False, True, False]


def test_the_latest_version_of_a_row_counts(held: Held) -> None:
    files = (lines(("a", 1, 1)), lines(("a", 2, 1)))
    assert held(rows(("a", 1, 1)), files=files) == [False]
    assert held(rows(("a", 2, 1)), files=files) == [True]


def test_without_a_table_nothing_is_held(held: Held) -> None:
    assert held(rows(("a", 1, 1)), files=()) == [False]


def test_a_value_that_the_reader_would_reject_is_not_taken_for_nothing(held: Held) -> None:
    """The table has NULL there from before; the text that came since is no integer, and was rejected."""
    assert held(rows(("a", "abc", 1)), files=(lines(("a", None, 1)),)) == [False]


def test_values_are_compared_as_the_contract_has_them(held: Held) -> None:
    came = pa.table({"id": ["a", "b"], "n": ["7", "8"], "day": ["2026-01-01", "2026-01-01"]})
    assert held(came, files=(lines(("a", 7, 1), ("b", 9, 1)),)) == [True, False]


def test_rows_with_a_column_that_the_contract_lacks_cannot_be_proven(held: Held) -> None:
    """What came into it after the row was read would be lost with the row."""
    came = pa.table({"id": ["a"], "n": ["7"], "day": ["2026-01-01"], "more": [1]})
    with pytest.raises(PermanentError, match=r"more of them is no column of contract\.yaml.*Add it"):
        held(came, files=(lines(("a", 7, 1)),))


def test_a_column_that_the_rows_lack_is_nothing(held: Held) -> None:
    came = rows(("a", 1, 1), ("b", 1, 1)).drop_columns(["n"])
    assert held(came, files=(lines(("a", None, 1), ("b", 1, 1)),)) == [True, False]


def test_nested_values_and_decimals_are_compared_whole(held: Held) -> None:
    columns = feed(
        KEY,
        DAY,
        {"name": "price", "logicalType": "number", "physicalType": "decimal(10,2)"},
        {"name": "doc", "logicalType": "object", "properties": [N]},
        mode="merge",
    )
    documents = ['{"n": 1}', '{"n": 2}', '{"n": 1, "x": 1}']
    came = rows(("a", 0, 1), ("b", 0, 1), ("c", 0, 1)).drop_columns(["n"])
    came = came.append_column("price", pa.array([Decimal("1.50")] * 3)).append_column("doc", pa.array(documents))
    content = jsonl(*({"id": key, "day": "2026-01-01", "price": "1.50", "doc": {"n": 1}} for key in "abc"))
    assert held(came, files=(content,), columns=columns) == [True, False, True]


def test_a_key_outside_of_the_contract_is_told(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(("a", 1, 1)))
    came = rows(("a", 1, 1)).append_column("shop", pa.array([1]))
    with (
        held_rows(lake, lake.dataset("feed"), "day", UNTIL) as found,
        pytest.raises(PermanentError, match=r"shop of them is no column.*Add it to the contract"),
    ):
        found.held(came, ["id", "shop"])


def test_only_files_of_before_are_opened(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    deliver(lake, a_jsonl=lines(*((str(day), day, day) for day in range(1, 10))))
    table = load_table(lake, lake.dataset("feed"))
    assert table is not None
    found = table.scan(row_filter=not_later(table, "day", datetime(2026, 1, 3, 12, tzinfo=UTC))).plan_files()
    assert len(list(found)) == 3
    assert not_later(table, "n", UNTIL) == AlwaysTrue() == not_later(table, "nothing", UNTIL)


@pytest.mark.parametrize("zone", ["UTC", None])
def test_moments_with_and_without_a_zone_are_found(make_lake: MakeLake, zone: str | None) -> None:
    hour = 12
    at = {
        "name": "day",
        "logicalType": "timestamp",
        "logicalTypeOptions": {"timezone": zone is not None},
        "required": True,
    }
    lake = make_lake(feed(KEY, POSITIVE, at, mode="merge", partition=BY_DAY))
    deliver(lake, a_jsonl=jsonl({"id": "a", "n": 1, "day": f"2026-01-02T{hour}:00:00"}))
    moment = datetime(2026, 1, 2, hour, tzinfo=UTC if zone else None)
    came = pa.table({"id": ["a"], "n": [1], "day": pa.array([moment], pa.timestamp("us", zone))})
    for until, is_held in ((datetime(2026, 1, 2, hour, tzinfo=UTC), True), (datetime(2026, 1, 1, tzinfo=UTC), False)):
        with held_rows(lake, lake.dataset("feed"), "day", until) as found:
            assert found.held(came, ["id"]) == [is_held]
