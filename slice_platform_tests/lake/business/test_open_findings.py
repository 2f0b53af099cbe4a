"""Findings of Cloud Custodian in the lake: a day is as its last sweep left it, and the days add up."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from slice_platform.lake.business.build import refresh
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import LANDING, Lake, open_lake
from slice_platform.lake.query import query
from slice_platform.ops.custodian.rows import write_rows
from slice_platform.ops.custodian.sweep import SweepReport
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.ops.custodian.reports import NOON, PUBLIC_IN_PROD, UNTAGGED_IN_PROD, look, report_of

DAY = timedelta(days=1)
pytestmark = pytest.mark.directory("it is about what the rows say")


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    settings = load_settings(home=tmp_path, defs_dir=PACKAGE_DIR / "defs", landing_tick_seconds=0)
    with open_lake(settings) as opened:
        yield opened


def take(lake: Lake, *reports: SweepReport) -> None:
    for report in reports:
        write_rows(report, lake.store, f"{LANDING}/custodian_findings")
    ingest(lake, "custodian_findings")
    refresh(lake, lake.business["open_findings"])


def counted(lake: Lake) -> list[tuple[object, ...]]:
    found = query(
        lake,
        "select day::varchar as day, policy, opened, closed, open_at_end, excepted, looks_failed "
        "from business.open_findings order by day, policy",
    ).table.to_pylist()
    return [tuple(row.values()) for row in found]


def test_the_days_tell_what_was_opened_closed_and_is_open(lake: Lake) -> None:
    first = report_of(look(PUBLIC_IN_PROD, "ab"), look(UNTAGGED_IN_PROD))
    second = report_of(look(PUBLIC_IN_PROD, "bcd"), look(UNTAGGED_IN_PROD, "x"), before=first, at=NOON + DAY)
    third = report_of(look(PUBLIC_IN_PROD, error="denied"), look(UNTAGGED_IN_PROD), before=second, at=NOON + 2 * DAY)
    take(lake, first, second, third)
    assert counted(lake) == [
        ("2026-03-10", "public", 2, 0, 2, 0, 0),
        ("2026-03-10", "untagged", 0, 0, 0, 0, 0),
        ("2026-03-11", "public", 2, 1, 3, 0, 0),
        ("2026-03-11", "untagged", 1, 0, 1, 0, 0),
        ("2026-03-12", "public", 0, 0, 3, 0, 1),
        ("2026-03-12", "untagged", 0, 1, 0, 0, 0),
    ]


@pytest.mark.parametrize("at_once", [True, False])
def test_of_two_sweeps_on_a_day_the_later_one_is_the_day(lake: Lake, *, at_once: bool) -> None:
    first = report_of(look(PUBLIC_IN_PROD, "ab"))
    second = report_of(look(PUBLIC_IN_PROD, "b"), before=first, at=NOON + timedelta(hours=1))
    if at_once:
        take(lake, first, second)
    else:
        take(lake, first)
        take(lake, second)
    assert counted(lake) == [("2026-03-10", "public", 2, 1, 1, 0, 0)]
    rows = query(lake, "select resource_id, status from curated.custodian_findings order by 1").table.to_pylist()
    assert [tuple(row.values()) for row in rows] == [("-", "found"), ("a", "closed"), ("b", "open")]


def test_an_analyst_does_not_see_what_a_resource_is_like(lake: Lake) -> None:
    take(lake, report_of(look(PUBLIC_IN_PROD, "a")))
    asked = "select details from curated.custodian_findings where status = 'open'"
    assert query(lake, asked, "analyst").table.to_pylist() == [{"details": "***"}]
    assert query(lake, asked, "pii_reader").table.to_pylist() == [{"details": "{}"}]
