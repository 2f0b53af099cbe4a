"""Schedules mean here what they mean in Heartbeat."""

from datetime import UTC, datetime, timedelta

import pytest

from slice_platform.ops.pulse.cron import cron
from slice_platform.ops.pulse.schedule import schedule

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "hits", "misses"),
    [
        ("*/15 * * * *", ["2026-11-25 12:45"], ["2026-11-25 12:50"]),
        ("0 9-17/4 * * mon-fri", ["2026-11-25 13:00"], ["2026-11-25 14:00", "2026-11-28 13:00"]),
        ("30 6 1 jan *", ["2027-01-01 06:30"], ["2027-02-01 06:30"]),
        ("0 0 l * *", ["2028-02-29 00:00"], ["2028-02-28 00:00"]),
        ("0 0 lw * *", ["2026-10-30 00:00"], ["2026-10-31 00:00"]),
        ("0 0 1w * *", ["2026-08-03 00:00"], ["2026-08-01 00:00"]),
        ("0 0 * * 5#2", ["2026-11-13 00:00"], ["2026-11-06 00:00"]),
        ("0 0 * * fril", ["2026-11-27 00:00"], ["2026-11-20 00:00"]),
        ("0 0 13 * 7", ["2026-11-13 00:00", "2026-11-15 00:00"], ["2026-11-14 00:00"]),
        ("0 0 1 1 * 2027", ["2027-01-01 00:00"], ["2028-01-01 00:00"]),
        ("30 0 0 1 1 ? 2027", ["2027-01-01 00:00"], ["2027-01-02 00:00"]),
        ("@daily", ["2026-11-25 00:00"], ["2026-11-25 12:00"]),
    ],
)
def test_a_cron_expression_is_due_when_its_fields_say_so(text: str, hits: list[str], misses: list[str]) -> None:
    found = cron(text)
    assert all(found.matches(datetime.fromisoformat(one)) for one in hits)
    assert not any(found.matches(datetime.fromisoformat(one)) for one in misses)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("61 * * * *", "minute"), ("* 24 * * *", "hour"), ("* * 0 * *", "day of month"), ("* * * 13 *", "month"),
        ("* * * * 8", "day of week"), ("* * * * someday", "day of week"), ("9-3 * * * *", "minute"),
        ("*/0 * * * *", "minute"), ("99 * * * * * *", "second"), ("* * * * * 1900", "year"),
    ],
)  # fmt: skip
def test_a_cron_expression_that_is_none_is_refused_by_the_name_of_its_field(text: str, field: str) -> None:
    with pytest.raises(ValueError, match=f"field '{field}'"):
        schedule(text)


@pytest.mark.parametrize("text", ["", "* * * *", "* * * * * * * *", "@every", "@every -5s", "@every 0s", "@every 5"])
def test_what_is_neither_an_interval_nor_cron_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected|not between"):
        schedule(text)


@pytest.mark.parametrize(
    ("text", "seconds", "is_due"),
    [
        ("@every 30s", 20, True),  # asked once a minute, early by a few seconds
        ("@every 30s", 10, False),
        ("@every 1m", 59, True),
        ("@every 1h30m", 5300, False),
        ("@every 1h30m", 5399, True),
        ("5 * * * *", 299, False),
        ("5 * * * *", 301, True),
    ],
)
def test_a_check_is_due_by_the_time_since_the_last(text: str, seconds: int, *, is_due: bool) -> None:
    assert schedule(text).is_due(NOON, NOON + timedelta(seconds=seconds)) is is_due


def test_what_was_never_checked_is_due() -> None:
    assert schedule("@yearly").is_due(None, NOON)
