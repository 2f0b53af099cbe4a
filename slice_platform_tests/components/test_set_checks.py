"""Sets in Dagster: the sensor leaves incomplete ones alone, and an overdue one is told once and cleared once."""

from collections.abc import Callable

import dagster as dg
import pytest

from slice_platform.components.lake_dataset import LakeDataset, ingest_job
from slice_platform.components.landing_sensor import landing_sensor
from slice_platform.components.set_checks import SETS_COMPLETE
from slice_platform.lake.lake import Lake
from slice_platform_tests.components.test_landing_sensor import jobs, tick
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.set_fixtures import BROKEN, by_marker, in_landing, keys, mark, part, put

CHECK = dg.AssetCheckKey(dg.AssetKey(["raw", "feed"]), SETS_COMPLETE)
AN_INSTANT = 1e-9  # hours
Ticks = Callable[[], list[str | None]]


@pytest.fixture
def patient(make_lake: MakeLake, lake: Lake) -> Lake:
    """A lake with sets, which runs find through the environment (as `lake` has set it)."""
    return make_lake(by_marker())


@pytest.fixture
def impatient(make_lake: MakeLake, lake: Lake) -> Lake:
    return make_lake(by_marker(overdue_after_hours=AN_INSTANT))


def ticks_of(lake: Lake, instance: dg.DagsterInstance) -> Ticks:
    """One tick of the sensor, which remembers its cursor; returns the jobs it asked for."""
    sensor = landing_sensor([ingest_job(lake.datasets["feed"])], tick_seconds=5)
    cursor: list[str | None] = [None]

    def once() -> list[str | None]:
        result = tick(sensor, instance, cursor[0])
        cursor[0] = result.cursor
        return jobs(result)

    return once


def ingest(lake: Lake, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    """Run the job; what it told of the sets."""
    definitions = dg.build_defs_for_component(LakeDataset(lake.datasets["feed"]))
    result = definitions.resolve_job_def("ingest_feed").execute_in_process(instance=instance)
    assert result.success
    (told,) = [one for one in result.get_asset_check_evaluations() if one.asset_check_key == CHECK]
    return told


def test_an_incomplete_set_asks_for_no_run(patient: Lake, instance: dg.DagsterInstance) -> None:
    ticks = ticks_of(patient, instance)
    put(patient, a=part("a"))
    assert [ticks() for _ in range(3)] == [[], [], []]
    mark(patient)
    assert ticks() == ["ingest_feed"]


def test_a_set_that_waits_passes_and_is_listed(patient: Lake, instance: dg.DagsterInstance) -> None:
    put(patient, a=part("a"))
    told = ingest(patient, instance)
    assert told.passed and told.metadata["sets_waiting"].value == 1
    table = told.metadata["sets"].value
    assert isinstance(table, list) or "the marker _SUCCESS" in str(table)


def test_an_overdue_set_is_told_once_and_cleared_once(impatient: Lake, instance: dg.DagsterInstance) -> None:
    ticks = ticks_of(impatient, instance)
    put(impatient, a=part("a"))
    assert ticks() == ["ingest_feed"]
    told = ingest(impatient, instance)
    assert not told.passed and told.severity is dg.AssetCheckSeverity.ERROR
    assert str(told.description).endswith("overdue) waits for: the marker _SUCCESS")
    assert [ticks() for _ in range(3)] == [[], [], []]
    mark(impatient)
    assert ticks() == ["ingest_feed"]
    assert ingest(impatient, instance).passed
    assert (ticks(), keys(impatient)) == ([], ["a"])


def test_an_alert_whose_run_died_is_asked_for_again_and_not_at_every_tick(
    impatient: Lake, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = ticks_of(impatient, instance)
    put(impatient, a=part("a"))
    assert [ticks(), ticks()] == [["ingest_feed"], []]
    monkeypatch.setattr("slice_platform.components.asked.FIRST_WAIT_SECONDS", 0)
    assert ticks() == ["ingest_feed"]


def test_an_overdue_set_that_is_taken_away_by_hand_is_cleared(impatient: Lake, instance: dg.DagsterInstance) -> None:
    ticks = ticks_of(impatient, instance)
    put(impatient, a=part("a"))
    ticks()
    ingest(impatient, instance)
    impatient.store.remove("landing/feed/march/a.jsonl")
    assert ticks() == ["ingest_feed"]
    assert ingest(impatient, instance).passed
    assert ticks() == []


def test_more_that_is_missing_is_told_anew(impatient: Lake, instance: dg.DagsterInstance) -> None:
    ticks = ticks_of(impatient, instance)
    put(impatient, a=part("a"))
    ticks()
    ingest(impatient, instance)
    impatient.store.write("landing/feed/april/b.jsonl", part("b"))
    assert ticks() == ["ingest_feed"]
    assert "'april'" in str(ingest(impatient, instance).description)


def test_a_refused_set_is_told_at_once_and_its_received_files_ask_for_no_run(
    patient: Lake, instance: dg.DagsterInstance
) -> None:
    ticks = ticks_of(patient, instance)
    put(patient, a=part("a"), b=BROKEN)
    mark(patient)
    assert ticks() == ["ingest_feed"]
    told = ingest(patient, instance)
    assert not told.passed and "march/b.jsonl: rejects: 1 of 1 rows rejected" in str(told.description)
    assert [ticks() for _ in range(3)] == [[], [], []]
    put(patient, b=part("b"))
    mark(patient)
    assert ticks() == ["ingest_feed"]
    assert ingest(patient, instance).passed and keys(patient) == ["a", "b"] and in_landing(patient) == []


def test_the_check_can_be_run_by_hand(impatient: Lake, instance: dg.DagsterInstance) -> None:
    put(impatient, a=part("a"))
    definitions = dg.build_defs_for_component(LakeDataset(impatient.datasets["feed"]))
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.get_subset(asset_selection=set(), asset_check_selection={CHECK}).execute_in_process(instance=instance)
    (told,) = result.get_asset_check_evaluations()
    assert result.success and not told.passed
    assert ticks_of(impatient, instance)() == []


def test_a_dataset_without_sets_has_no_such_check(lake: Lake) -> None:
    definitions = dg.build_defs_for_component(LakeDataset(lake.datasets["trips"]))
    names = {key.name for one in definitions.asset_checks or [] for key in one.check_keys}
    assert SETS_COMPLETE not in names and "pristine" in names
