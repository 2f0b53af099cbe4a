"""What lies in the accounts of a fresh local AWS; docs/local_aws.md tells it."""

import os
import re
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from slice_platform.errors import SettingsError
from slice_platform.local.aws import OTHER_ROLE, LocalAws, running_local_aws
from slice_platform.local.aws_builds import Builds
from slice_platform.local.aws_groups import OPERATIONS as OF_GROUPS
from slice_platform.local.aws_images import OPERATIONS as OF_IMAGES
from slice_platform.local.aws_instance_refresh import InstanceRefreshes
from slice_platform.local.aws_launch_templates import OPERATIONS as OF_TEMPLATES
from slice_platform.settings import PACKAGE_DIR

PAGE = (PACKAGE_DIR.parent / "docs" / "local_aws.md").read_text(encoding="utf-8")


def tags(found: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}


def test_the_images_of_two_branches_have_ascending_dates(local_aws: LocalAws) -> None:
    images = local_aws.client("ec2").describe_images(Owners=["self"])["Images"]
    branches = Counter(tags(one).get("branch") for one in images)
    assert branches == {"main": 7, "release": 3, None: 1}
    main = sorted((one for one in images if tags(one).get("branch") == "main"), key=lambda one: str(one["Name"]))
    dates = [one["CreationDate"] for one in main]
    assert dates == sorted(dates) and len(set(dates)) == 7
    assert all(len(tags(one)["commit"]) == 40 and one["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] for one in main)


def test_the_group_runs_three_instances_of_the_default_version(local_aws: LocalAws) -> None:
    group = local_aws.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (group["AutoScalingGroupName"], group["MinSize"], group["DesiredCapacity"]) == ("web", 2, 3)
    assert [one["LaunchTemplate"]["Version"] for one in group["Instances"]] == ["2", "2", "2"]
    template = local_aws.client("ec2").describe_launch_templates()["LaunchTemplates"][0]
    assert (template["DefaultVersionNumber"], template["LatestVersionNumber"]) == (2, 3)


def test_an_instance_of_its_own_runs_from_the_oldest_image_of_main(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    wanted = ec2.describe_images(Filters=[{"Name": "name", "Values": ["platform-main-1"]}])["Images"][0]["ImageId"]
    found = ec2.describe_instances(Filters=[{"Name": "image-id", "Values": [wanted]}])["Reservations"]
    assert [tags(one)["Name"] for held in found for one in held["Instances"]] == ["batch"]


def test_some_things_are_not_in_order(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    instances = [one for held in ec2.describe_instances()["Reservations"] for one in held["Instances"]]
    assert [tags(one)["Name"] for one in instances if one["MetadataOptions"]["HttpTokens"] == "optional"] == ["legacy"]
    free = [one for one in ec2.describe_volumes()["Volumes"] if one["State"] == "available"]
    assert sorted((one["Encrypted"], "owner" in tags(one)) for one in free) == [
        (False, True),
        (True, False),
        (True, True),
    ]
    long_ago = datetime.now(UTC) - timedelta(days=399)
    snapshots = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    assert [one["Description"] for one in snapshots if one["StartTime"] < long_ago] == ["data, 400 days ago"]


def test_there_are_good_buckets_and_bad_ones(local_aws: LocalAws) -> None:
    s3 = local_aws.client("s3")
    names = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert names == {
        "slice-lake",
        "slice-pulse",
        "acme-reports",
        "acme-public-acl",
        "acme-public-policy",
        "acme-untagged",
    }
    assert all(s3.get_public_access_block(Bucket="slice-pulse")["PublicAccessBlockConfiguration"].values())
    everybody = "http://acs.amazonaws.com/groups/global/AllUsers"
    assert everybody in {one["Grantee"].get("URI") for one in s3.get_bucket_acl(Bucket="acme-public-acl")["Grants"]}
    assert '"Principal": "*"' in s3.get_bucket_policy(Bucket="acme-public-policy")["Policy"]
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket="acme-untagged")


def test_who_assumes_the_role_is_in_the_other_account(local_aws: LocalAws) -> None:
    assert local_aws.client("sts", role=OTHER_ROLE).get_caller_identity()["Account"] == "222222222222"
    ec2 = local_aws.client("ec2", role=OTHER_ROLE)
    ours = {one["ImageId"] for one in local_aws.client("ec2").describe_images(Owners=["self"])["Images"]}
    theirs = {one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]}
    assert theirs and not ours & theirs
    names = {one["Name"] for one in local_aws.client("s3", role=OTHER_ROLE).list_buckets()["Buckets"]}
    assert names == {"other-reports", "other-public-acl", "other-public-policy", "other-untagged"}


def test_the_operations_of_the_overlay_keep_the_accounts_apart(local_aws: LocalAws) -> None:
    other = local_aws.client("autoscaling", role=OTHER_ROLE)
    with pytest.raises(other.exceptions.ClientError, match="AutoScalingGroup 'web' not found"):
        other.start_instance_refresh(AutoScalingGroupName="web")


def test_the_environment_is_all_that_boto3_needs(local_aws: LocalAws) -> None:
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert boto3.client("s3").meta.region_name == "ap-south-1"


def test_a_proxy_of_the_machine_is_not_asked(local_aws: LocalAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("no_proxy", "intranet.example")
    for name, value in local_aws.environment.items():
        monkeypatch.setenv(name, value)
    assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intranet.example,127.0.0.1"


def test_what_is_kept_for_a_reset_is_not_what_tests_change(local_aws: LocalAws) -> None:
    """The accounts of two tests must not hold the same things."""
    ec2 = local_aws.client("ec2")
    for _ in range(2):
        image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["platform-main-7"]}])["Images"][0]
        assert "seen" not in tags(image)
        ec2.create_tags(Resources=[image["ImageId"]], Tags=[{"Key": "seen", "Value": "yes"}])
        local_aws.reset()


def test_a_reset_gives_fresh_accounts_and_on_request_empty_ones(local_aws: LocalAws) -> None:
    local_aws.client("s3").create_bucket(
        Bucket="scratch", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    local_aws.reset()
    assert "scratch" not in {one["Name"] for one in local_aws.client("s3").list_buckets()["Buckets"]}
    local_aws.reset(seeded=False)
    assert local_aws.client("s3").list_buckets()["Buckets"] == []


def test_a_port_that_is_taken_is_told(local_aws: LocalAws) -> None:
    with (
        pytest.raises(SettingsError, match=f"on port {local_aws.port} of 127.0.0.1"),
        running_local_aws(local_aws.port),
    ):
        pytest.fail("it must not start")


def test_the_page_names_every_bucket_and_image(local_aws: LocalAws) -> None:
    buckets = [
        one["Name"]
        for role in (None, OTHER_ROLE)
        for one in local_aws.client("s3", role=role).list_buckets()["Buckets"]
    ]
    images = [one["Name"] for one in local_aws.client("ec2").describe_images(Owners=["self"])["Images"]]
    ranges = {re.sub(r"-\d+$", "-1", name) for name in images}
    assert [name for name in (*buckets, *ranges) if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_operation_of_the_overlay() -> None:
    refreshes, builds = InstanceRefreshes(0).operations, Builds(0).operations
    names = {name for _, name in (*OF_GROUPS, *OF_IMAGES, *OF_TEMPLATES, *refreshes, *builds)}
    assert {name for name in names if f"`{name}`" not in PAGE} == set()


def test_what_is_there_at_the_start_has_the_same_ids_in_every_process(local_aws: LocalAws) -> None:
    """A sweep after a restart knows again what it found before."""
    code = """
from slice_platform.local.aws import running_local_aws
with running_local_aws() as local:
    ec2 = local.client("ec2")
    print(*sorted(one["VolumeId"] for one in ec2.describe_volumes()["Volumes"]))
    print(*sorted(one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    volumes, images = done.stdout.splitlines()
    ec2 = local_aws.client("ec2")
    assert volumes.split() == sorted(one["VolumeId"] for one in ec2.describe_volumes()["Volumes"])
    assert images.split() == sorted(one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"])
    made = ec2.create_volume(AvailabilityZone="ap-south-1a", Size=1)["VolumeId"]
    assert made not in volumes.split()
