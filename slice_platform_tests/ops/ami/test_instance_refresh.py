"""The instances of a group are brought to a version, and what became of that is told truly."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from slice_platform.errors import AccessRefused, ReleaseFailed
from slice_platform.local.aws import LocalAws
from slice_platform.ops.ami import instance_refresh
from slice_platform.ops.ami.instance_refresh import RefreshEnd, Refresher
from slice_platform.ops.ami.releases import ReleaseState, Step
from slice_platform.ops.ami.rollout import Rollout
from slice_platform.ops.ami.spec import Refresh
from slice_platform_tests.ops.ami.aws_hooks import before, changed, refused
from slice_platform_tests.ops.ami.planted import COMMIT, Shop, plant
from slice_platform_tests.ops.ami.walker import Walker


def refresher(shop: Shop, **spec: Any) -> Refresher:
    chosen = Refresh.model_validate({"poll_seconds": 0, "timeout_seconds": 20, **spec})
    return Refresher(shop.account, "shop", chosen, shop.told.append)


def ended(shop: Shop, **spec: Any) -> RefreshEnd:
    one = refresher(shop, **spec)
    return one.follow(one.start(2))


def pinned(empty_aws: LocalAws, home: Path) -> Shop:
    """A group that has version 1 by its number, where 2 is the default."""
    return plant(empty_aws, home, version="1")


def refreshes(shop: Shop) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.autoscaling.describe_instance_refreshes(AutoScalingGroupName="shop")[
        "InstanceRefreshes"
    ]
    return found


def test_checkpoints_and_bake_time_reach_ec2_and_baking_is_waited_out(shop: Shop) -> None:
    wanted: dict[str, Any] = {
        "checkpoint_percentages": [50, 100],
        "checkpoint_delay": 3,
        "bake_time": 5,
        "instance_warmup": 7,
    }
    assert ended(shop, **wanted, skip_matching=False).is_success
    (refresh,) = refreshes(shop)
    preferences = refresh["Preferences"]
    assert (preferences["CheckpointPercentages"], preferences["CheckpointDelay"]) == ([50, 100], 3)
    assert (preferences["BakeTime"], preferences["InstanceWarmup"]) == (5, 7)
    assert any("Baking at 100 %" in line for line in shop.told)


def test_a_refresh_of_another_is_waited_for(empty_aws: LocalAws, tmp_path: Path) -> None:
    shop = pinned(empty_aws, tmp_path)
    theirs = shop.autoscaling.start_instance_refresh(AutoScalingGroupName="shop")["InstanceRefreshId"]
    assert ended(shop).is_success
    assert f"shop is refreshed by another: {theirs} is waited for" in shop.told
    assert [one["Status"] for one in refreshes(shop)] == ["Successful", "Successful"]


def test_a_refresh_of_another_that_does_not_end_is_told(empty_aws: LocalAws, tmp_path: Path) -> None:
    shop = pinned(empty_aws, tmp_path)
    shop.have_refresh("hang")
    shop.autoscaling.start_instance_refresh(AutoScalingGroupName="shop")
    with pytest.raises(ReleaseFailed, match="is still InProgress after 0.2 s. Let it end or cancel it, and release"):
        refresher(shop, timeout_seconds=0.2).start(2)


def test_one_who_was_faster_is_waited_for_as_well(empty_aws: LocalAws, tmp_path: Path) -> None:
    shop = pinned(empty_aws, tmp_path)

    def be_faster() -> None:
        shop.autoscaling.start_instance_refresh(AutoScalingGroupName="shop")

    with before(shop.account.access, "autoscaling", "StartInstanceRefresh", be_faster):
        assert ended(shop).is_success
    assert len(refreshes(shop)) == 2


def test_ones_own_refresh_that_is_under_way_is_followed(empty_aws: LocalAws, tmp_path: Path) -> None:
    shop = pinned(empty_aws, tmp_path)
    first = refresher(shop).start(2)
    assert refresher(shop).start(2) == first


def test_a_refresh_that_is_being_cancelled_is_not_taken_for_ones_own(shop: Shop) -> None:
    shop.have_refresh("hang")
    first = refresher(shop).start(2)
    shop.autoscaling.cancel_instance_refresh(AutoScalingGroupName="shop")
    shop.have_refresh("succeed")
    assert refresher(shop).start(2) != first


def test_a_refresh_that_ec2_does_not_show_yet_is_followed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = [True, True]

    def hide(told: dict[str, Any]) -> None:
        if hidden and hidden.pop():
            told["InstanceRefreshes"] = []

    one = refresher(shop)
    started = one.start(2)
    with changed(shop.account.access, "autoscaling", "DescribeInstanceRefreshes", hide):
        assert one.follow(started).is_success
    monkeypatch.setattr(instance_refresh, "_SEEN_SECONDS", 0.0)
    with pytest.raises(ReleaseFailed, match="EC2 knows none of that id. Look at the group"):
        one.follow("no-such-refresh")


@pytest.mark.parametrize(
    ("words", "status"),
    [("fail-at-50", "RollbackSuccessful"), ("fail-at-50 rollback-fails", "RollbackFailed")],
)
def test_a_rollback_by_ec2_itself_is_no_success(empty_aws: LocalAws, tmp_path: Path, words: str, status: str) -> None:
    shop = pinned(empty_aws, tmp_path)
    template = shop.default()["LaunchTemplateId"]
    desired = {"LaunchTemplate": {"LaunchTemplateId": template, "Version": "2"}}
    shop.have_refresh(words)
    started = shop.autoscaling.start_instance_refresh(
        AutoScalingGroupName="shop", DesiredConfiguration=desired, Preferences={"AutoRollback": True}
    )
    end = refresher(shop).follow(started["InstanceRefreshId"])
    assert (end.status, end.is_success) == (status, False)
    assert any("RollbackInProgress" in line for line in shop.told)


def test_instances_that_were_left_behind_are_refreshed_once_more(shop: Shop) -> None:
    """A refresh of another that began before the default was switched, and is taken for ours."""
    shop.autoscaling.start_instance_refresh(AutoScalingGroupName="shop")
    shop.ec2.modify_launch_template(LaunchTemplateName="shop", DefaultVersion="1")
    rollout = Rollout(shop.account, shop.service.spec, shop.told.append)
    assert rollout.to_version(1).is_success
    assert [one["Status"] for one in refreshes(shop)] == ["Successful", "Successful"]
    assert shop.running() == {shop.default()["LaunchTemplateData"]["ImageId"]}


def test_a_refresh_that_ec2_refuses_puts_the_version_before_back(shop: Shop) -> None:
    before_it, running = shop.default(), shop.running()
    with (
        refused(shop.account.access, "autoscaling", "StartInstanceRefresh", "ValidationError"),
        pytest.raises(ReleaseFailed, match="did not succeed: .*ValidationError.*Rolled back: version 2 is the default"),
    ):
        shop.release()
    assert (shop.default(), shop.running()) == (before_it, running)
    assert shop.known().state is ReleaseState.ROLLED_BACK
    Walker(shop.local).prove()


def test_a_group_of_another_template_is_told_before_anything_is_done(shop: Shop) -> None:
    (image,) = shop.images(commit="old1")
    shop.ec2.create_launch_template(LaunchTemplateName="api", LaunchTemplateData={"ImageId": image["ImageId"]})
    shop.spec["launch_template"] = "api"
    with pytest.raises(ReleaseFailed, match="it launches from the template 'lt-.*Mend launch_template or auto_scaling"):
        shop.release(until=Step.VALIDATE)
    assert shop.images(commit=COMMIT) == []


def test_a_version_of_a_policy_is_told_before_anything_is_done(shop: Shop) -> None:
    def mix(told: dict[str, Any]) -> None:
        for group in told["AutoScalingGroups"]:
            specification = {**group.pop("LaunchTemplate"), "Version": "2"}
            group["MixedInstancesPolicy"] = {"LaunchTemplate": {"LaunchTemplateSpecification": specification}}

    with (
        changed(shop.account.access, "autoscaling", "DescribeAutoScalingGroups", mix),
        pytest.raises(ReleaseFailed, match="it has version '2' of a policy, .*Have it use version \\$Default"),
    ):
        shop.release(until=Step.VALIDATE)


def test_a_right_that_is_missing_is_told(shop: Shop) -> None:
    with (
        refused(shop.account.access, "autoscaling", "StartInstanceRefresh", "AccessDenied"),
        pytest.raises(AccessRefused, match="Could not start an instance refresh of 'shop': .*AccessDenied"),
    ):
        refresher(shop).start(2)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"checkpoint_percentages": [20, 50]}, "expected to rise to 100"),
        ({"checkpoint_percentages": [50, 20, 100]}, "expected to rise to 100"),
        ({"checkpoint_percentages": [50, 100]}, "checkpoints and bake_time alone take 3600 s, expected is more"),
        ({"bake_time": 3600}, "checkpoints and bake_time alone take 3600 s"),
    ],
)
def test_a_refresh_that_could_never_end_well_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Refresh.model_validate(wrong)
