"""What `slaProperties` ask of a table, and the mistakes that are told with file, line and field."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from slice_platform.lake.contract import load_contract
from slice_platform.lake.service_levels import Freshness
from slice_platform_tests.refusals import contract_refused
from slice_platform_tests.samples import TRIPS, DatasetText, changed


def freshness(folder: Path, *rules: str) -> Freshness | None:
    text = "".join(f"  - {{{rule}}}\n" for rule in rules)
    contract = changed(TRIPS.contract, "schema:\n", f"slaProperties:\n{text}schema:\n")
    return load_contract(DatasetText(contract, TRIPS.defs).write(folder / "trips") / "contract.yaml").freshness


def test_a_table_is_due_by_its_frequency_and_stale_once_it_is_late_as_well(tmp_path: Path) -> None:
    asked = freshness(tmp_path, "property: frequency, value: 1, unit: d", "property: latency, value: 6, unit: hours")
    assert asked == Freshness(fail_after=timedelta(hours=30), warn_after=timedelta(days=1))


@pytest.mark.parametrize(
    ("rule", "span"),
    [
        ("property: latency, value: 4, unit: h, element: trips", timedelta(hours=4)),
        ("property: Freshness, value: 1.5, unit: day, driver: analytics", timedelta(hours=36)),
        ("property: fy, value: 2, unit: weeks, description: Every other Monday.", timedelta(weeks=2)),
        ("property: frequency, value: 1, unit: month", timedelta(days=31)),
        ("property: frequency, value: 1, unit: yr", timedelta(days=366)),
        ("property: ly, value: 1, unit: min", timedelta(minutes=1)),
    ],
)
def test_one_of_them_alone_is_the_longest_time_without_a_change(tmp_path: Path, rule: str, span: timedelta) -> None:
    assert freshness(tmp_path, rule) == Freshness(fail_after=span)


@pytest.mark.parametrize(
    ("said", "utc"),
    [("09:00", time(9)), ("09:00-08:00", time(17)), ("00:30+05:30", time(19)), ("23:59Z", time(23, 59))],
)
def test_a_daily_deadline_is_told_in_utc(tmp_path: Path, said: str, utc: time) -> None:
    asked = freshness(tmp_path, f'property: timeOfAvailability, value: "{said}"')
    assert asked is not None and asked.daily_by is not None
    assert asked.daily_by.replace(tzinfo=None) == utc


def test_dates_of_the_contracts_life_ask_for_nothing(tmp_path: Path) -> None:
    dates = 'property: generalAvailability, value: "2026-01-01"', 'property: endOfLife, value: "2040-01-01"'
    assert freshness(tmp_path, *dates) is None


@pytest.mark.parametrize(
    ("rule", "field", "says"),
    [
        ("property: retention, value: 3, unit: y", "property", "'retention' is nothing that is enforced here"),
        ("value: 3, unit: y", "property", "None is nothing that is enforced here"),
        ("property: latency, value: 3, unit: m", "unit", "expected one of min, h, d, w, month, y, got 'm'"),
        ("property: latency, value: soon, unit: h", "value", "expected a number of h, at most 10000, got 'soon'"),
        ("property: latency, value: -1, unit: h", "value", "expected a number of h"),
        ("property: latency, value: .nan, unit: h", "value", "expected a number of h"),
        ("property: latency, value: true, unit: h", "value", "expected a number of h"),
        ("property: latency, value: 0.5, unit: min", "value", "expected at least a minute"),
        ("property: latency, value: 4, unit: h, element: trips.started_at", "element", "when the table last changed"),
        ("property: latency, value: 4, unit: h, schedule: 0 5 * * *", "schedule", "'schedule' has no effect"),
        ("property: timeOfAvailability, value: 09:60", "value", "expected a time of day in quotes"),
        ("property: timeOfAvailability, value: 10:30", "value", "got 630"),
        ('property: timeOfAvailability, value: "09:00+99:00"', "value", "expected a time of day in quotes"),
        ('property: timeOfAvailability, value: "09:00", unit: h', "unit", "has no unit"),
    ],
)
def test_a_rule_that_nothing_would_enforce_is_refused(tmp_path: Path, rule: str, field: str, says: str) -> None:
    new = f"slaProperties:\n  - {{{rule}}}\nschema:\n"
    at, where = f"- {{{rule}}}", f"slaProperties.0.{field}"
    contract_refused(tmp_path / "trips", "schema:\n", new, field=where, says=says, at=at)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ("property: ly, value: 5, unit: h", "'ly' is said twice"),
        ('property: timeOfAvailability, value: "09:00"', "give either timeOfAvailability, or frequency and latency"),
    ],
)
def test_two_rules_that_contradict_each_other_are_told(tmp_path: Path, second: str, says: str) -> None:
    new = f"slaProperties:\n  - {{property: latency, value: 4, unit: h}}\n  - {{{second}}}\nschema:\n"
    at, where = f"- {{{second}}}", "slaProperties.1.property"
    contract_refused(tmp_path / "trips", "schema:\n", new, field=where, says=says, at=at)
