"""Moments of partitions, and what a condition lets a query read of them."""

from datetime import UTC, datetime

import pytest
from pyiceberg.expressions.parser import parse

from slice_platform.lake.business.windows import (
    ALWAYS,
    Window,
    condition_of,
    keys_between,
    window_of,
    windows_in,
)
from slice_platform.lake.partitions import Grain, PartitionBy
from slice_platform.lake.types import LogicalType

INSTANT = LogicalType("timestamp", has_zone=True)


def by(grain: Grain) -> PartitionBy:
    return PartitionBy("at", grain, at("2013-01-01"), INSTANT)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Window:
    return Window(at(start), at(end))


@pytest.mark.parametrize(
    ("grain", "key", "start", "end"),
    [
        ("hour", "2013-01-31-23:00", "2013-01-31 23:00", "2013-02-01"),
        ("day", "2016-02-28", "2016-02-28", "2016-02-29"),
        ("month", "2013-02", "2013-02-01", "2013-03-01"),
        ("month", "2013-12", "2013-12-01", "2014-01-01"),
        ("year", "2015", "2015-01-01", "2016-01-01"),
        ("year", "2016", "2016-01-01", "2017-01-01"),
    ],
)
def test_a_partition_lasts_until_the_next_begins(grain: Grain, key: str, start: str, end: str) -> None:
    assert window_of(by(grain), key) == span(start, end)


@pytest.mark.parametrize(
    ("grain", "key"), [("hour", "9999-12-31-23:00"), ("day", "9999-12-31"), ("month", "9999-12"), ("year", "9999")]
)
def test_the_last_partition_there_can_be_lasts_as_long_as_time_does(grain: Grain, key: str) -> None:
    """Some write 9999-12-31 for `never`."""
    assert window_of(by(grain), key).end == ALWAYS.end


def test_keys_between_are_those_with_a_moment_in_the_window() -> None:
    assert keys_between(by("month"), span("2013-01-15", "2013-03-01")) == ["2013-01", "2013-02"]
    assert keys_between(by("day"), span("2013-01-15", "2013-01-15")) == []
    assert len(keys_between(by("hour"), span("2013-01-15", "2013-01-17"))) == 48


@pytest.mark.parametrize(
    ("row_filter", "expected"),
    [
        ("true", [ALWAYS]),
        ("other = 'x'", [ALWAYS]),
        ("at != '2013-01-05'", [ALWAYS]),
        ("at >= '2013-01-05'", [Window(start=at("2013-01-05"))]),
        ("at > '2013-01-05'", [Window(start=at("2013-01-05"))]),
        ("at < '2013-01-05'", [Window(end=at("2013-01-05"))]),
        ("at <= '2013-01-05'", [Window(end=at("2013-01-05 00:00:00.000001"))]),
        ("at in ('2013-01-05', '2013-01-09')", [
            span("2013-01-05", "2013-01-05 00:00:00.000001"), span("2013-01-09", "2013-01-09 00:00:00.000001"),
        ]),
        ("at >= '2013-01-05' and at < '2013-01-07'", [span("2013-01-05", "2013-01-07")]),
        ("at >= '2013-01-07' and at < '2013-01-05'", []),
        ("at < '2013-01-05' or at >= '2013-01-07'", [Window(end=at("2013-01-05")), Window(start=at("2013-01-07"))]),
        ("at < '2013-01-05' or other = 'x'", [ALWAYS]),
    ],
)  # fmt: skip
def test_windows_hold_every_row_that_passes(row_filter: str, expected: list[Window]) -> None:
    assert windows_in(condition_of(parse(row_filter), "at")) == expected


def test_a_window_is_moved_before_it_meets_another() -> None:
    """Which of two bounds is the later one may differ then."""

    def moved(window: Window) -> Window:
        return Window(at("2012-01-01"), window.end) if window.start == at("2013-01-07") else window

    both = condition_of(parse("at >= '2013-01-07' and at < '2013-01-05'"), "at")
    assert windows_in(both, moved) == [span("2012-01-01", "2013-01-05")]
