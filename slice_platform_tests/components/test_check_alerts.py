"""A check that fails is told with its rows, once; and that it is good again where it had failed."""

from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components import check_alerts
from slice_platform_tests.components.watched import DAYS, REJECTS, Watched, broken, rejects, trips

ERROR = dg.AssetCheckSeverity.ERROR


def _materialize(watched: Watched) -> None:
    only = dg.AssetSelection.checks(REJECTS)
    dg.materialize([trips, rejects], selection=only, instance=watched.instance, raise_on_error=False)


def test_a_check_that_warns_is_told_with_counts_and_rows(watched: Watched) -> None:
    _materialize(watched)
    watched.tick()
    (one,) = watched.said()
    assert one.heading == "curated/trips: check rejects warns" and "rejected 1" in one.message
    assert "all rejected rows: /quarantine/7/rejects.csv" in one.message
    assert one.attachments[0].endswith("curated_trips_rejects.csv")
    assert "a.csv,17,n,is not INTEGER" in Path(one.attachments[0]).read_text()


def test_a_check_that_is_good_again_is_told_once(watched: Watched) -> None:
    _materialize(watched)
    watched.tick()
    with broken():
        _materialize(watched)
        watched.tick()
        _materialize(watched)
        watched.tick()
    assert watched.headings() == ["curated/trips: check rejects warns", "curated/trips: check rejects is good again"]


def test_a_check_of_severity_error_has_failed(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "routes.yaml").write_text("routes: [{kinds: [check_failed], channel: alarms}]")
    monkeypatch.setenv("SLICE_NOTIFY_ROUTES", str(tmp_path / "routes.yaml"))
    watched.say("a", severity=ERROR, description="2 rows are gone, says <!channel>")
    watched.tick()
    (one,) = watched.said("alarms")
    assert one.heading == "curated/trips: check rejects failed" and "2 rows are gone" in one.message
    assert "<!channel>" not in one.message


def test_of_runs_that_overlap_each_is_told(watched: Watched) -> None:
    for run_id in ("a", "b"):
        watched.plan(run_id)
    watched.tick()
    watched.say("b", passed=True)
    watched.tick()
    watched.say("a", description="of the one that began first")
    watched.tick()
    (one,) = watched.said()
    assert "of the one that began first" in one.message and one.message.endswith("/runs/a")


def test_a_log_of_one_file_for_each_run_is_read_in_order(watched: Watched, tmp_path: Path) -> None:
    """As `slice dev` keeps it in SQLite."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        again = Watched(instance)
        again.tick()
        for run_id in ("a", "b", ""):
            again.say(run_id, description=f"of run {run_id!r}")
            again.tick()
    assert [one.message.splitlines()[0] for one in watched.said()] == ["of run 'a'", "of run 'b'", "of run ''"]


def test_an_error_that_follows_a_warning_of_the_same_run_is_told(watched: Watched) -> None:
    watched.plan("a", *DAYS[:2])
    watched.say("a", DAYS[0])
    watched.tick()
    watched.say("a", DAYS[1], severity=ERROR)
    watched.tick()
    assert watched.headings() == ["curated/trips: check rejects warns", "curated/trips: check rejects failed"]
    assert f"partition {DAYS[1]}" in watched.said()[1].message


def test_one_run_over_several_ticks_is_one_message_that_counts(watched: Watched) -> None:
    for number, day in enumerate(DAYS[:3]):
        watched.say("a", day, description=f"{number} rows were set aside")
        watched.tick()
    (one,) = watched.said()
    assert one.repeats == 2


def test_what_a_run_says_of_partitions_is_not_told_again_as_a_whole(watched: Watched) -> None:
    for partition in (DAYS[0], DAYS[1], None):
        watched.say("a", partition, metadata={"rejected": dg.MetadataValue.int(3)})
    watched.tick()
    (one,) = watched.said()
    assert one.repeats == 1 and f"2 partitions: {DAYS[0]}, {DAYS[1]}" in one.message and "rejected 6" in one.message


def test_a_partition_that_passes_makes_no_other_good(watched: Watched) -> None:
    watched.say("a", DAYS[0])
    watched.tick()
    watched.say("b", DAYS[1], passed=True)
    watched.tick()
    assert len(watched.said()) == 1
    watched.say("c", DAYS[0], passed=True)
    watched.tick()
    _, good = watched.said()
    assert good.heading == "curated/trips: check rejects is good again" and f"partition {DAYS[0]}" in good.message


def test_rows_that_no_file_can_hold_are_told_as_they_can_be(watched: Watched) -> None:
    rows = dg.MetadataValue.table([dg.TableRecord({"file": "a.csv", "line": 1, "reason": "\ud800 is half a sign \0"})])
    watched.say("a", metadata={"first_rejects": rows})
    watched.tick()
    (one,) = watched.said()
    assert "\\ud800 is half a sign" in Path(one.attachments[0]).read_text() and "\\ud800" in one.message
    assert watched.said("jarvis-error-notifications") == []


def test_more_evaluations_than_one_look_reads_are_told_by_the_next(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_alerts, "MOST_RECORDS", 3)
    watched.say("a", severity=ERROR, description="the oldest")
    for number in range(5):
        watched.say(f"b{number}", description="later")
    watched.tick()
    watched.tick()
    assert [one.repeats for one in watched.said()] == [0, 4] and "the oldest" in watched.said()[0].message


def test_a_check_that_no_run_evaluated_links_to_its_asset_and_is_told_each_time(watched: Watched) -> None:
    for description in ("one", "two"):
        watched.say("", description=description)
        watched.tick()
    assert [one.message.splitlines() for one in watched.said()] == [
        ["one", "http://127.0.0.1:3000/assets/curated/trips"], ["two", "http://127.0.0.1:3000/assets/curated/trips"],
    ]  # fmt: skip
