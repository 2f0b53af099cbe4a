"""Pulse in Dagster: from a file in git to Heartbeat's directory, and who is told of what."""

import json
import time
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.jarvis import TOLD_TAG
from slice_platform.ops.journal import PlanState, open_journal
from slice_platform.ops.pulse.manifest import MANIFEST, manifest_of, monitors_key
from slice_platform.settings import load_settings
from slice_platform.store import Store
from slice_platform_tests.components.pulse_deployment import Deployment, deployed, told
from slice_platform_tests.ops.pulse.monitors import BROKEN, http

TWO = {"cart.yml": http("cart"), "shop.yml": http("shop")}


@pytest.fixture
def pulse(tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    return deployed(tmp_path, instance, monkeypatch)


def upload(files: dict[str, str]) -> None:
    """Past the publisher, as somebody may do it by hand."""
    store = Store(load_settings().pulse_root)
    for name, text in files.items():
        store.write(monitors_key(name), text.encode())
    store.write(MANIFEST, manifest_of({name: text.encode() for name, text in files.items()}).text().encode())


def test_a_published_monitor_is_in_heartbeats_directory_within_a_minute(pulse: Deployment) -> None:
    begun = time.monotonic()
    assert pulse.publish(TWO).success
    (run,) = pulse.settle()
    took = time.monotonic() - begun
    assert run.success and pulse.there() == TWO
    # The daemon adds a tick and the start of a run.
    assert took + pulse.spec.tick_seconds < 60


def test_a_run_without_apply_plans_and_changes_nothing(pulse: Deployment) -> None:
    pulse.write(TWO)
    assert pulse.run("pulse_publish", "publish_monitors").success
    assert pulse.tick() == [] and told() == []
    with open_journal(load_settings()) as journal:
        assert [row.state for row in journal.latest()] == [PlanState.PLANNED]


def test_the_sensor_asks_once_and_again_only_when_something_is_behind(pulse: Deployment) -> None:
    assert pulse.tick() == []  # nothing was ever published
    pulse.publish(TWO)
    (request,) = pulse.tick()
    assert request.run_config["ops"]["sync_monitors"]["config"]["apply"] is True
    assert pulse.tick() == []  # it was asked for
    pulse.cursor = None
    assert [run.success for run in pulse.settle()] == [True]
    assert pulse.tick() == []
    (pulse.heartbeat / "cart.yml").unlink()
    pulse.settle()
    assert pulse.there() == TWO and pulse.tick() == []
    (pulse.heartbeat / "cart.yml").unlink()
    assert len(pulse.tick()) == 1  # what comes back to a state that it had is asked for at once


def test_who_did_what_is_in_the_journal_and_in_slack(pulse: Deployment) -> None:
    pulse.publish(TWO)
    (run,) = pulse.settle()
    with open_journal(load_settings()) as journal:
        newest = journal.latest()[0]
        assert (newest.job, newest.state) == ("pulse_sync", PlanState.DONE)
        assert newest.actor == f"sensor pulse_sensor, run {run.run_id}"
    published, synced = told()
    assert published.startswith("pulse_publish of ") and "write monitor file cart.yml: it is new" in published
    assert "write 2 monitor files, by sensor pulse_sensor" in synced and run.run_id in synced


def test_a_bad_file_fails_the_run_after_the_good_ones_and_is_told_once(pulse: Deployment) -> None:
    pulse.publish(TWO)
    pulse.settle()
    edited = http("shop", "http://127.0.0.1:2/")
    upload({"cart.yml": BROKEN, "shop.yml": edited})
    (run,) = pulse.settle()
    assert not run.success and pulse.there() == {"cart.yml": TWO["cart.yml"], "shop.yml": edited}
    assert "cart.yml:2: the file: not valid YAML" in str(run.get_step_failure_events()[0].step_failure_data)
    assert pulse.instance.get_run_by_id(run.run_id).tags[TOLD_TAG] == "true"  # type: ignore[union-attr]
    assert pulse.tick() == []  # it is not tried again until another version comes
    pulse.run("pulse_sync", "sync_monitors", apply=True)
    assert [one.splitlines()[0] for one in told()].count(
        f"pulse_sync of {pulse.heartbeat}: a file of monitors wrong"
    ) == 1


def test_a_publish_of_a_bad_file_fails_after_the_good_ones(pulse: Deployment) -> None:
    run = pulse.publish({"cart.yml": BROKEN, "shop.yml": http("shop")})
    assert not run.success
    pulse.settle()
    assert pulse.there() == {"shop.yml": http("shop")}
    assert any("cart.yml:2" in one for one in told())


def test_a_mass_delete_is_refused_told_by_its_rule_and_can_be_allowed(pulse: Deployment) -> None:
    pulse.publish(TWO)
    pulse.settle()
    refused = pulse.publish({})
    assert not refused.success and "refused by the rule max_share" in str(refused.get_step_failure_events()[0])
    assert any(one.startswith("pulse_publish: refused by the rule max_share") for one in told())
    assert pulse.there() == TWO
    assert pulse.publish({}, max_share=1.0).success
    assert [run.success for run in pulse.settle()] == [False] and pulse.there() == TWO  # each end has its own fence
    assert pulse.run("pulse_sync", "sync_monitors", apply=True, max_share=1.0).success and pulse.there() == {}


def test_a_manifest_that_cannot_be_read_is_asked_for_so_that_people_learn_of_it(pulse: Deployment) -> None:
    pulse.publish(TWO)
    pulse.settle()
    Store(load_settings().pulse_root).write(MANIFEST, b"{")
    (run,) = pulse.settle()
    assert "Nothing is changed by it. Publish again" in str(run.get_step_failure_events()[0])
    assert pulse.there() == TWO and pulse.tick() == []  # again, ever more rarely


def test_limits_are_those_of_the_component(
    tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = deployed(tmp_path, instance, monkeypatch, limits={"max_resources": 0})
    strict.publish(TWO)
    run = strict.publish({"shop.yml": TWO["shop.yml"]})
    assert "refused by the rule max_resources" in str(run.get_step_failure_events()[0])


def test_a_sync_of_nothing_published_tells_what_to_do(pulse: Deployment) -> None:
    run = pulse.run("pulse_sync", "sync_monitors", apply=True)
    assert "slice pulse publish --apply" in str(run.get_step_failure_events()[0])


def test_the_changes_and_their_undo_are_on_the_page_of_the_run(pulse: Deployment) -> None:
    run = pulse.publish(TWO)
    (output,) = [one.step_output_data for one in run.all_events if one.is_successful_output]
    assert output.metadata["outcome"].value == "write 2 monitor files, write 1 manifest"
    pulse.publish({"shop.yml": TWO["shop.yml"]})
    with open_journal(load_settings()) as journal:
        deleted = next(act for act in journal.acts(journal.latest()[0].id) if act.change.verb == "delete")
    assert json.loads(deleted.change.undo)["content"] == TWO["cart.yml"]
