"""An asset that is late is told, and that it is fresh again; nothing else that Dagster says of freshness is."""

import time

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange

from slice_platform_tests.components.watched import DEFS, TRIPS, Watched, broken

_LATE, _FRESH = "curated/trips is late", "curated/trips is fresh again"


def _judge(watched: Watched, state: FreshnessState) -> None:
    change = FreshnessStateChange(
        key=TRIPS, previous_state=FreshnessState.UNKNOWN, new_state=state, state_change_timestamp=time.time()
    )
    watched.instance._report_runless_asset_event(change)


def test_an_asset_that_is_late_is_told_and_when_it_is_fresh_again(watched: Watched) -> None:
    for state in (FreshnessState.FAIL, FreshnessState.FAIL, FreshnessState.PASS):
        _judge(watched, state)
        watched.tick()
    assert watched.headings() == [_LATE, _FRESH]


def test_it_says_what_was_asked_and_when_it_was_last_made(watched: Watched) -> None:
    with broken():
        watched.run(asset_selection=[TRIPS])
    _judge(watched, FreshnessState.FAIL)
    watched.tick()
    (one,) = watched.said()
    assert f"It should be made every 36 hours; last made: {time.strftime('%Y-%m-%d', time.gmtime())}" in one.message
    assert one.message.endswith("http://127.0.0.1:3000/assets/curated/trips")


def test_what_was_late_before_the_first_look_is_not_told(watched: Watched) -> None:
    watched.cursor = None
    _judge(watched, FreshnessState.FAIL)
    watched.tick()
    watched.tick()
    assert watched.said() == []


def test_what_is_not_known_is_not_fresh(watched: Watched) -> None:
    for state in (FreshnessState.FAIL, FreshnessState.UNKNOWN, FreshnessState.FAIL, FreshnessState.NOT_APPLICABLE):
        _judge(watched, state)
        watched.tick()
    assert watched.headings() == [_LATE]


def test_an_asset_that_is_gone_is_not_fresh(watched: Watched) -> None:
    _judge(watched, FreshnessState.FAIL)
    watched.tick()
    watched.tick(dg.Definitions(jobs=list(DEFS.jobs or ())))
    assert watched.headings() == [_LATE]
