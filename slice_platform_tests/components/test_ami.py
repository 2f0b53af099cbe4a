"""Releases in Dagster: each step of its own, planned by default, told in Slack, and put back where it fails."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.ami import prune_job, release_job, rollback_job
from slice_platform.local.aws import LocalAws
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.ops.ami.releases import ReleaseState
from slice_platform_tests.ops.ami.planted import COMMIT, Shop, plant
from slice_platform_tests.ops.ami.walker import Walker
from slice_platform_tests.slack import FakeSlack, running_slack


@pytest.fixture
def shop(empty_aws: LocalAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("SLICE_HOME", str(tmp_path))
    return plant(empty_aws, tmp_path)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    with running_slack("platform-ops") as started:
        monkeypatch.setenv("SLICE_SLACK_TOKEN", started.token)
        monkeypatch.setenv("SLICE_SLACK_BASE_URL", started.url)
        yield started


def run(job: dg.JobDefinition, instance: dg.DagsterInstance, **config: object) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(run_config=config, instance=instance, raise_on_error=False, tags={"user": "ann"})


def released(shop: Shop, **config: object) -> tuple[dg.ExecuteInProcessResult, dict[str, str]]:
    """A run of the release, and what each step reported as its outcome."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(release_job(shop.service), instance, commit=COMMIT, **config)
        outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
        told = {one.step_output_handle.step_key: str(one.metadata["outcome"].value) for one in outputs}
    return result, told


def in_slack(slack: FakeSlack) -> list[str]:
    with open_jarvis() as jarvis:
        jarvis.deliver(seconds=10)
    return [message.text for message in slack.messages("platform-ops")]


def test_without_a_yes_every_step_is_planned_and_nobody_is_told(shop: Shop, slack: FakeSlack) -> None:
    before = shop.default()
    result, told = released(shop)
    assert result.success and shop.default() == before
    assert told["build"] == "dry run, nothing was changed: would build 1 image"
    assert told["refresh"] == "dry run, nothing was changed: would refresh 1 auto-scaling group"
    assert in_slack(slack) == []


def test_a_release_is_six_steps_and_is_told_with_who_asked_for_it(shop: Shop, slack: FakeSlack) -> None:
    result, told = released(shop, apply=True)
    assert result.success
    assert list(told) == ["validate", "build", "test", "promote", "refresh", "prune"]
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}
    messages = in_slack(slack)
    assert any("ami_build of shop@c0ffee000000 in 123456789012/ap-south-1: done" in text for text in messages)
    assert all(f"by user ann, run {result.run_id}" in text for text in messages)
    with shop.journal() as journal:
        assert {row.actor for row in journal.latest()} == {f"user ann, run {result.run_id}"}


def test_the_plan_and_its_changes_are_on_the_page_of_the_run(shop: Shop) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(prune_job(shop.service), instance, apply=True)
        (output,) = [event for event in result.all_events if event.is_successful_output]
    shown = output.step_output_data.metadata
    assert shown["plan"].value == "nothing to do" and "changes" not in shown
    shop.spec.update(keep_images=2, keep_versions=2)
    result, _ = released(shop, apply=True)
    assert result.success
    (output,) = [one for one in result.all_events if one.is_successful_output and one.step_key == "refresh"]
    table = output.step_output_data.metadata["changes"].value
    assert [record.data["kind"] for record in table.records] == ["auto-scaling group"]  # type: ignore[union-attr]


def test_a_release_that_is_put_back_fails_its_run_and_says_so(shop: Shop, slack: FakeSlack) -> None:
    shop.spec["refresh"] = {"poll_seconds": 0, "timeout_seconds": 0.5}
    before = shop.running()
    shop.have_refresh("fail-at-50")
    result, _ = released(shop, apply=True)
    assert not result.success
    assert shop.known().state is ReleaseState.ROLLING_BACK
    shop.have_refresh("succeed")
    result, _ = released(shop, apply=True)
    assert not result.success and "Rolled back: version 2 is the default again" in reason_of(result)
    assert shop.running() == before
    assert any("Rolled back: version 2" in text for text in in_slack(slack))
    Walker(shop.local).prove()


def test_a_rollback_goes_to_the_version_before_the_last_release(shop: Shop) -> None:
    before = shop.running()
    released(shop, apply=True)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(rollback_job(shop.service), instance, apply=True).success
    assert shop.running() == before
    Walker(shop.local).prove()


def test_the_fence_of_the_launchpad_is_heeded(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> None:
    shop = plant(empty_aws, tmp_path_factory.mktemp("shop"), old_images=6)
    with dg.DagsterInstance.ephemeral() as instance:
        refused = run(prune_job(shop.service), instance, apply=True, max_resources=1)
        assert not refused.success and "refused by the rule max_resources" in reason_of(refused)
        assert len(shop.images()) == 7
        assert run(prune_job(shop.service), instance, apply=True).success
    Walker(shop.local).prove(most_images=2)


def test_dagster_lets_every_run_last_as_long_as_its_own_time_outs(shop: Shop) -> None:
    shop.spec["refresh"] = {"timeout_seconds": 7200}
    for job in (release_job(shop.service), rollback_job(shop.service), prune_job(shop.service)):
        assert int(job.tags["dagster/max_runtime"]) > 3600 + 4 * 7200


def reason_of(result: dg.ExecuteInProcessResult) -> str:
    (event,) = result.get_step_failure_events()
    found = event.step_failure_data.user_failure_data
    assert found is not None
    return str(found.description)
