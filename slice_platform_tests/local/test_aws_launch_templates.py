"""Launch templates of the local AWS: what moto answers unlike AWS."""

import base64
from typing import Any

import pytest

from slice_platform.local.aws import LocalAws


def version(local: LocalAws, number: str) -> dict[str, Any]:
    found: dict[str, Any] = local.client("ec2").describe_launch_template_versions(
        LaunchTemplateName="web", Versions=[number]
    )["LaunchTemplateVersions"][0]
    return found


@pytest.mark.parametrize(("source", "number"), [("1", "1"), ("$Default", "2"), ("$Latest", "3")])
def test_a_new_version_has_what_its_source_has_and_the_given_over_it(
    local_aws: LocalAws, source: str, number: str
) -> None:
    wanted = {**version(local_aws, number)["LaunchTemplateData"], "InstanceType": "m7i.large"}
    made = local_aws.client("ec2").create_launch_template_version(
        LaunchTemplateName="web",
        SourceVersion=source,
        VersionDescription="larger",
        LaunchTemplateData={"InstanceType": "m7i.large"},
    )["LaunchTemplateVersion"]
    assert made["LaunchTemplateData"] == wanted
    assert (made["VersionNumber"], made["VersionDescription"], made["DefaultVersion"]) == (4, "larger", False)


def test_without_a_source_a_version_has_the_given_alone(local_aws: LocalAws) -> None:
    script = base64.b64encode(b"#!/bin/sh").decode()
    local_aws.client("ec2").create_launch_template_version(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": "ami-1", "UserData": script}
    )
    assert version(local_aws, "$Latest")["LaunchTemplateData"] == {"ImageId": "ami-1", "UserData": script}


def test_the_same_token_makes_one_version(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    made = [
        ec2.create_launch_template_version(
            LaunchTemplateName="web",
            SourceVersion="2",
            ClientToken="release-7",
            LaunchTemplateData={"ImageId": "ami-1"},
        )["LaunchTemplateVersion"]["VersionNumber"]
        for _ in range(2)
    ]
    assert made == [4, 4]


def test_an_unknown_source_version_is_refused(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        ec2.create_launch_template_version(LaunchTemplateName="web", SourceVersion="9", LaunchTemplateData={})
    assert refused.value.response["Error"]["Code"] == "InvalidLaunchTemplateId.VersionNotFound"


def test_versions_are_deleted_each_with_its_own_outcome(local_aws: LocalAws) -> None:
    answer = local_aws.client("ec2").delete_launch_template_versions(LaunchTemplateName="web", Versions=["1", "2", "9"])
    deleted = answer["SuccessfullyDeletedLaunchTemplateVersions"]
    kept = answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in deleted] == [1]
    assert [(one["VersionNumber"], one["ResponseError"]["Code"]) for one in kept] == [
        (2, "unexpectedError"),  # the default
        (9, "launchTemplateVersionDoesNotExist"),
    ]


def test_numbers_stay_when_versions_go_and_are_never_given_again(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    third = version(local_aws, "3")["LaunchTemplateData"]
    ec2.delete_launch_template_versions(LaunchTemplateName="web", Versions=["1"])
    assert version(local_aws, "3")["LaunchTemplateData"] == third
    ec2.delete_launch_template_versions(LaunchTemplateName="web", Versions=["3"])
    made = ec2.create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="2", LaunchTemplateData={"ImageId": "ami-1"}
    )
    assert made["LaunchTemplateVersion"]["VersionNumber"] == 4
    listed = ec2.describe_launch_template_versions(LaunchTemplateName="web")["LaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in listed] == [4, 2]
    assert ec2.describe_launch_templates()["LaunchTemplates"][0]["LatestVersionNumber"] == 4


def test_more_versions_than_a_page_holds_are_all_listed(local_aws: LocalAws) -> None:
    """Of moto itself it would be 15, and no word that there are more."""
    ec2 = local_aws.client("ec2")
    for _ in range(20):
        ec2.create_launch_template_version(LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={})
    assert len(ec2.describe_launch_template_versions(LaunchTemplateName="web")["LaunchTemplateVersions"]) == 23
    pages = ec2.get_paginator("describe_launch_template_versions").paginate(
        LaunchTemplateName="web", PaginationConfig={"PageSize": 10}
    )
    assert [len(page["LaunchTemplateVersions"]) for page in pages] == [10, 10, 3]


def test_a_new_default_does_not_change_what_running_instances_are_of(local_aws: LocalAws) -> None:
    local_aws.client("ec2").modify_launch_template(LaunchTemplateName="web", DefaultVersion="3")
    found = local_aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    assert {one["LaunchTemplate"]["Version"] for one in found} == {"2"}


def test_a_group_on_latest_launches_the_latest_version(local_aws: LocalAws) -> None:
    autoscaling = local_aws.client("autoscaling")
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="web",
        DesiredCapacity=4,
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"},
    )
    found = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]
    assert sorted(one["LaunchTemplate"]["Version"] for one in found) == ["2", "2", "2", "3"]
