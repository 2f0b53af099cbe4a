"""A run that failed is told once, with what people need to know; a backfill is one message."""

from pathlib import Path

import pytest

from slice_platform_tests.components.watched import DAYS, TRIPS, Watched


def test_a_failed_run_is_told_once_with_error_and_link(watched: Watched) -> None:
    result = watched.run("nightly")
    watched.tick()
    watched.tick()
    (one,) = watched.said()
    assert one.heading == "nightly failed" and "disk full on node 4711" in one.message and "step" in one.message
    assert one.message.endswith(f"http://127.0.0.1:3000/runs/{result.run_id}")


def test_secrets_of_an_error_are_hidden(watched: Watched) -> None:
    watched.run(asset_selection=[TRIPS])
    watched.tick()
    (one,) = watched.said()
    assert "hunter2" not in one.message and "password=[hidden]" in one.message


def test_the_owner_of_what_failed_is_called(watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "routes.yaml").write_text('owners: {"team:flights": "<@U024BE7LH>"}')
    monkeypatch.setenv("SLICE_NOTIFY_ROUTES", str(tmp_path / "routes.yaml"))
    watched.run(asset_selection=[TRIPS])
    watched.run("nightly")
    watched.tick()
    assert [one.message.startswith("<@U024BE7LH>\n") for one in watched.said()] == [True, False]


def test_a_backfill_is_one_message_that_names_its_partitions_and_counts_its_runs(watched: Watched) -> None:
    watched.make(*DAYS[:8], backfill="abc")
    watched.tick()
    watched.make(*DAYS[8:], backfill="abc")
    watched.tick()
    (one,) = watched.said()
    assert one.repeats == 11 and one.heading == "curated/days failed (backfill abc)"
    assert f"8 partitions: {', '.join(DAYS[:5])} and 3 more" in one.message


def test_a_backfill_of_several_things_says_how_many(watched: Watched) -> None:
    watched.make(DAYS[0], backfill="abc")
    watched.run("nightly", tags={"dagster/backfill": "abc"})
    watched.tick()
    assert watched.headings() == ["curated/days and 1 more failed (backfill abc)"]


def test_a_run_over_a_range_says_which(watched: Watched) -> None:
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[2]}
    watched.run("nightly", tags=tags)
    watched.tick()
    (one,) = watched.said()
    assert f"partition {DAYS[0]}..{DAYS[2]}" in one.message


def test_a_run_that_dagster_starts_again_is_no_news(watched: Watched) -> None:
    watched.run("nightly", tags={"dagster/will_retry": "true"})
    watched.tick()
    assert watched.said() == []


def test_a_run_of_checks_alone_is_called_by_their_names(watched: Watched) -> None:
    watched.check("stumbling")
    watched.tick()
    assert watched.headings() == ["curated/trips:stumbling failed"]
