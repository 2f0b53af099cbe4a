"""Instance refreshes of the local AWS, by boto3 as production calls them. In tests each poll is a step."""

from typing import Any

import pytest

from slice_platform.local.aws import LocalAws
from slice_platform.local.aws_instance_refresh import InstanceRefreshes
from slice_platform.local.aws_overlay import Caller
from slice_platform.local.aws_refresh_course import OUTCOME_TAG

TO_3: dict[str, Any] = {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "3"}}


def group(local: LocalAws) -> dict[str, Any]:
    found: dict[str, Any] = local.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    return found


def versions(local: LocalAws) -> list[str]:
    return sorted(one["LaunchTemplate"]["Version"] for one in group(local)["Instances"])


def poll(local: LocalAws, times: int = 1) -> dict[str, Any]:
    for _ in range(times - 1):
        local.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="web")
    found: list[dict[str, Any]] = local.client("autoscaling").describe_instance_refreshes(AutoScalingGroupName="web")[
        "InstanceRefreshes"
    ]
    return found[0]


def until_it_ends(local: LocalAws) -> list[str]:
    """The statuses that a watcher sees, each once."""
    seen: list[str] = []
    while not seen or not seen[-1].endswith(("Successful", "Failed", "Cancelled")):
        if (status := poll(local)["Status"]) not in seen:
            seen.append(status)
    return seen


def start(local: LocalAws, **preferences: object) -> str:
    started: str = local.client("autoscaling").start_instance_refresh(
        AutoScalingGroupName="web", DesiredConfiguration=TO_3, Preferences=preferences
    )["InstanceRefreshId"]
    return started


def tell(local: LocalAws, outcome: str) -> None:
    tag = {"Key": OUTCOME_TAG, "Value": outcome, "ResourceId": "web", "ResourceType": "auto-scaling-group"}
    local.client("autoscaling").create_or_update_tags(Tags=[{**tag, "PropagateAtLaunch": False}])


def test_a_refresh_replaces_the_instances_one_by_one(local_aws: LocalAws) -> None:
    before = {one["InstanceId"] for one in group(local_aws)["Instances"]}
    started = start(local_aws, MinHealthyPercentage=50)
    course = [poll(local_aws) for _ in range(6)]
    assert [one["PercentageComplete"] for one in course] == [0, 0, 33, 66, 100, 100]
    assert [one["InstancesToUpdate"] for one in course] == [3, 3, 2, 1, 0, 0]
    assert [one["Status"] for one in course] == ["Pending", *["InProgress"] * 4, "Successful"]
    assert course[-1]["InstanceRefreshId"] == started and "EndTime" in course[-1]
    assert course[-1]["Preferences"] == {"MinHealthyPercentage": 50}
    assert versions(local_aws) == ["3", "3", "3"]
    ended = local_aws.client("ec2").describe_instances(InstanceIds=sorted(before))["Reservations"]
    assert {one["State"]["Name"] for held in ended for one in held["Instances"]} == {"terminated"}


def test_new_instances_have_the_image_of_the_wanted_version(local_aws: LocalAws) -> None:
    start(local_aws)
    until_it_ends(local_aws)
    ec2 = local_aws.client("ec2")
    wanted = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["3"])["LaunchTemplateVersions"]
    ids = [one["InstanceId"] for one in group(local_aws)["Instances"]]
    found = ec2.describe_instances(InstanceIds=ids)["Reservations"]
    images = {one["ImageId"] for held in found for one in held["Instances"]}
    assert images == {wanted[0]["LaunchTemplateData"]["ImageId"]}


def test_the_group_gets_the_desired_version_when_the_refresh_succeeds_and_not_before(local_aws: LocalAws) -> None:
    start(local_aws)
    poll(local_aws, times=3)
    assert group(local_aws)["LaunchTemplate"]["Version"] == "2"
    until_it_ends(local_aws)
    assert group(local_aws)["LaunchTemplate"]["Version"] == "3"


def test_a_bake_time_is_a_state_of_its_own(local_aws: LocalAws) -> None:
    start(local_aws, BakeTime=60)
    assert until_it_ends(local_aws) == ["Pending", "InProgress", "Baking", "Successful"]


def test_a_group_on_latest_is_refreshed_to_the_latest_version(local_aws: LocalAws) -> None:
    """Of moto itself it would be the default version."""
    autoscaling = local_aws.client("autoscaling")
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"}
    )
    autoscaling.start_instance_refresh(AutoScalingGroupName="web")
    until_it_ends(local_aws)
    assert versions(local_aws) == ["3", "3", "3"]
    assert group(local_aws)["LaunchTemplate"]["Version"] == "$Latest"


def test_matching_instances_are_skipped_on_request(local_aws: LocalAws) -> None:
    before = {one["InstanceId"] for one in group(local_aws)["Instances"]}
    local_aws.client("autoscaling").start_instance_refresh(
        AutoScalingGroupName="web", Preferences={"SkipMatching": True}
    )
    assert until_it_ends(local_aws)[-1] == "Successful"
    assert {one["InstanceId"] for one in group(local_aws)["Instances"]} == before


def test_a_second_refresh_is_refused_while_one_goes_on(local_aws: LocalAws) -> None:
    autoscaling = local_aws.client("autoscaling")
    start(local_aws)
    with pytest.raises(autoscaling.exceptions.InstanceRefreshInProgressFault):
        start(local_aws)
    until_it_ends(local_aws)
    start(local_aws)
    assert len(autoscaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"]) == 2


def test_a_cancelled_refresh_leaves_what_it_did(local_aws: LocalAws) -> None:
    start(local_aws)
    poll(local_aws, times=3)
    local_aws.client("autoscaling").cancel_instance_refresh(AutoScalingGroupName="web")
    assert until_it_ends(local_aws)[-1] == "Cancelled"
    assert versions(local_aws) == ["2", "2", "3"]
    assert group(local_aws)["LaunchTemplate"]["Version"] == "2"


def test_a_rollback_replaces_what_was_launched(local_aws: LocalAws) -> None:
    start(local_aws)
    poll(local_aws, times=4)
    assert versions(local_aws) == ["2", "3", "3"]
    local_aws.client("autoscaling").rollback_instance_refresh(AutoScalingGroupName="web")
    going = poll(local_aws)
    assert going["Status"] == "RollbackInProgress"
    assert going["RollbackDetails"]["PercentageCompleteOnRollback"] == 66
    assert until_it_ends(local_aws)[-1] == "RollbackSuccessful"
    assert versions(local_aws) == ["2", "2", "2"]
    assert poll(local_aws)["PercentageComplete"] == 0


def test_a_refresh_without_a_desired_configuration_cannot_be_rolled_back(local_aws: LocalAws) -> None:
    autoscaling = local_aws.client("autoscaling")
    autoscaling.start_instance_refresh(AutoScalingGroupName="web")
    with pytest.raises(autoscaling.exceptions.IrreversibleInstanceRefreshFault):
        autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_a_group_on_a_floating_version_cannot_be_rolled_back(local_aws: LocalAws, version: str) -> None:
    autoscaling = local_aws.client("autoscaling")
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="web", LaunchTemplate={"LaunchTemplateName": "web", "Version": version}
    )
    with pytest.raises(autoscaling.exceptions.ClientError, match="AutoRollback cannot be used"):
        start(local_aws, AutoRollback=True)
    start(local_aws)
    with pytest.raises(autoscaling.exceptions.IrreversibleInstanceRefreshFault):
        autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")


@pytest.mark.parametrize("operation", ["cancel_instance_refresh", "rollback_instance_refresh"])
def test_what_has_ended_can_be_neither_cancelled_nor_rolled_back(local_aws: LocalAws, operation: str) -> None:
    autoscaling = local_aws.client("autoscaling")
    start(local_aws)
    until_it_ends(local_aws)
    with pytest.raises(autoscaling.exceptions.ActiveInstanceRefreshNotFoundFault):
        getattr(autoscaling, operation)(AutoScalingGroupName="web")


def test_a_tag_has_a_refresh_fail_where_it_says(local_aws: LocalAws) -> None:
    tell(local_aws, "fail-at-50")
    start(local_aws)
    assert until_it_ends(local_aws) == ["Pending", "InProgress", "Failed"]
    found = poll(local_aws)
    assert found["PercentageComplete"] == 66 and OUTCOME_TAG in found["StatusReason"]
    assert versions(local_aws) == ["2", "3", "3"]


def test_a_failed_refresh_rolls_back_by_itself_if_asked_to(local_aws: LocalAws) -> None:
    tell(local_aws, "fail-at-30")
    start(local_aws, AutoRollback=True)
    assert until_it_ends(local_aws)[-2:] == ["RollbackInProgress", "RollbackSuccessful"]
    assert versions(local_aws) == ["2", "2", "2"]


def test_a_tag_has_a_rollback_fail(local_aws: LocalAws) -> None:
    tell(local_aws, "fail-at-30 rollback-fails")
    start(local_aws, AutoRollback=True)
    assert until_it_ends(local_aws)[-1] == "RollbackFailed"
    assert versions(local_aws) == ["2", "2", "3"]


def test_a_tag_has_a_refresh_hang_until_it_is_taken_away(local_aws: LocalAws) -> None:
    tell(local_aws, "hang")
    start(local_aws)
    assert {poll(local_aws, times=5)["Status"] for _ in range(3)} == {"InProgress"}
    tell(local_aws, "")
    assert until_it_ends(local_aws)[-1] == "Successful"


def test_an_image_that_goes_away_under_way_fails_the_refresh(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    start(local_aws)
    poll(local_aws, times=3)
    wanted = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["3"])["LaunchTemplateVersions"]
    ec2.deregister_image(ImageId=wanted[0]["LaunchTemplateData"]["ImageId"])
    assert until_it_ends(local_aws)[-1] == "Failed"
    assert "does not exist" in poll(local_aws)["StatusReason"]


@pytest.mark.parametrize("template", [{"LaunchTemplateName": "web", "Version": "9"}, {"LaunchTemplateName": "none"}])
def test_a_refresh_to_what_cannot_be_launched_is_refused(local_aws: LocalAws, template: dict[str, str]) -> None:
    autoscaling = local_aws.client("autoscaling")
    with pytest.raises(autoscaling.exceptions.ClientError, match="valid fully-formed launch template") as refused:
        autoscaling.start_instance_refresh(
            AutoScalingGroupName="web", DesiredConfiguration={"LaunchTemplate": template}
        )
    assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_an_unknown_group_is_refused(local_aws: LocalAws) -> None:
    autoscaling = local_aws.client("autoscaling")
    with pytest.raises(autoscaling.exceptions.ClientError, match="AutoScalingGroup 'none' not found"):
        autoscaling.describe_instance_refreshes(AutoScalingGroupName="none")


def test_with_a_pace_a_refresh_goes_on_by_time_whoever_looks(local_aws: LocalAws) -> None:
    now = [100.0]
    operations = InstanceRefreshes(step_seconds=2, clock=lambda: now[0]).operations
    caller, web = Caller("123456789012", "ap-south-1"), {"AutoScalingGroupName": "web"}
    operations["autoscaling", "StartInstanceRefresh"]({**web, "DesiredConfiguration": TO_3}, caller)
    seen = []
    for seconds in (0, 1, 1, 2, 6):
        now[0] += seconds
        answer = operations["autoscaling", "DescribeInstanceRefreshes"](web, caller)
        assert answer is not None
        seen.append((answer["InstanceRefreshes"][0]["Status"], answer["InstanceRefreshes"][0]["PercentageComplete"]))
    assert seen == [("Pending", 0), ("Pending", 0), ("InProgress", 0), ("InProgress", 33), ("Successful", 100)]
