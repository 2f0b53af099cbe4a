"""People hear that something is good again when what failed was done - the same, for the same partitions."""

import time

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from slice_platform_tests.components.watched import DAYS, EVERYTHING, FLAT, TRIPS, Watched, broken


def test_a_job_that_is_good_again_is_told(watched: Watched) -> None:
    watched.run("nightly")
    watched.tick()
    with broken():
        watched.run("nightly")
    watched.tick()
    watched.tick()
    assert watched.headings() == ["nightly failed", "nightly is good again"]


@pytest.mark.parametrize("key", [TRIPS, FLAT], ids=["two_parts", "one_part"])
def test_an_asset_that_is_good_again_is_told(watched: Watched, key: dg.AssetKey) -> None:
    watched.run(asset_selection=[key])
    watched.tick()
    with broken():
        result = watched.run(asset_selection=[key])
    watched.tick()
    *_, last = watched.said()
    assert last.heading == f"{key.to_user_string()} is good again" and last.message.endswith(result.run_id)


def test_checks_that_stumbled_are_good_again_once_they_are_evaluated(watched: Watched) -> None:
    watched.check("stumbling")
    watched.tick()
    with broken():
        watched.check("stumbling")
    watched.tick()
    assert watched.headings() == ["curated/trips:stumbling failed", "curated/trips:stumbling is good again"]


def test_other_partitions_make_nothing_good(watched: Watched) -> None:
    with broken(*DAYS[:6]):
        for day in reversed(DAYS):
            watched.make(day, backfill="abc")
            watched.run("nightly", tags={"dagster/partition": day})
            watched.tick()
    assert not [one for one in watched.headings() if "good again" in str(one)]


def test_a_backfill_is_good_again_once_and_only_when_all_of_it_is(watched: Watched) -> None:
    watched.make(*DAYS[:6], backfill="abc")
    watched.tick()
    with broken():
        watched.make(*DAYS[:5])
        watched.tick()
        assert len(watched.said()) == 1
        watched.make(DAYS[5])
    watched.tick()
    watched.tick()
    _, good = watched.said()
    assert good.heading == "curated/days is good again" and "6 partitions: " in good.message
    assert good.thread == "backfill abc"


def test_while_a_backfill_runs_nothing_of_it_is_good_again(watched: Watched) -> None:
    backfill = PartitionBackfill("abc", BulkActionStatus.REQUESTED, False, {}, time.time())  # noqa: FBT003 -- Dagster's
    watched.instance.add_backfill(backfill)
    watched.make(DAYS[0], backfill="abc")
    watched.tick()
    with broken():
        watched.make(DAYS[0])
    watched.tick()
    assert watched.headings() == ["curated/days failed (backfill abc)"]
    watched.instance.update_backfill(backfill._replace(status=BulkActionStatus.COMPLETED_FAILED))
    watched.tick()
    assert watched.headings()[1:] == ["curated/days is good again"]


def test_a_range_is_good_again_when_each_partition_of_it_is(watched: Watched) -> None:
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[2]}
    watched.run(asset_selection=[dg.AssetKey(["curated", "days"])], tags=tags)
    watched.tick()
    assert watched.headings() == ["curated/days failed"]
    for ready, day in enumerate((DAYS[0], DAYS[2], DAYS[1])):
        assert len(watched.said()) == 1, ready
        with broken():
            watched.make(day)
        watched.tick()
    assert watched.headings()[1:] == ["curated/days is good again"]


def test_a_job_is_good_again_for_the_partition_that_succeeded(watched: Watched) -> None:
    with broken(*EVERYTHING):
        watched.run("nightly", tags={"dagster/partition": DAYS[0]})
        watched.run("nightly", tags={"dagster/partition": DAYS[1]})
        watched.tick()
    with broken():
        watched.run("nightly", tags={"dagster/partition": DAYS[1]})
    watched.tick(dies=True)
    watched.tick()
    (good,) = [one for one in watched.said() if one.heading == "nightly is good again"]
    assert f"partition {DAYS[1]}\n" in good.message and good.repeats == 0


def test_what_cannot_be_judged_is_reported_once_and_keeps_no_other(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(*_: object) -> bool:
        raise KeyError("no such key")

    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[2]}
    watched.run(asset_selection=[dg.AssetKey(["curated", "days"])], tags=tags)
    watched.run("nightly")
    monkeypatch.setattr(dg.StaticPartitionsDefinition, "has_partition_key", stumbles)
    watched.tick()
    watched.tick()
    with broken():
        watched.run("nightly")
    watched.tick()
    assert watched.headings()[-1] == "nightly is good again"
    (report,) = watched.said("jarvis-error-notifications")
    assert "whether curated/days is good again" in report.message and report.repeats == 0
