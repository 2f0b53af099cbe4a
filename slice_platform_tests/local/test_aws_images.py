"""Images of the local AWS: what moto answers unlike AWS."""

import pytest

from slice_platform.local.aws import LocalAws


def test_nothing_is_launched_from_an_image_that_is_gone(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    ec2.deregister_image(ImageId=image)
    assert image not in {one["ImageId"] for one in ec2.describe_images(Owners=["self"])["Images"]}
    for asked in (image, "ami-0123456789abcdef0"):
        with pytest.raises(ec2.exceptions.ClientError, match="does not exist") as refused:
            ec2.run_instances(ImageId=asked, MinCount=1, MaxCount=1)
        assert refused.value.response["Error"]["Code"] == "InvalidAMIID.NotFound"


def test_the_snapshot_of_an_image_goes_after_the_image_and_not_before(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    image = ec2.describe_images(Owners=["self"])["Images"][0]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        ec2.delete_snapshot(SnapshotId=snapshot)
    assert refused.value.response["Error"]["Code"] == "InvalidSnapshot.InUse"
    ec2.deregister_image(ImageId=image["ImageId"])
    ec2.delete_snapshot(SnapshotId=snapshot)


def test_a_name_belongs_to_one_image_and_snapshots_are_tagged_with_it(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    tags = [{"ResourceType": kind, "Tags": [{"Key": "kind", "Value": kind}]} for kind in ("image", "snapshot")]
    made = ec2.create_image(InstanceId=instance, Name="mine", TagSpecifications=tags)["ImageId"]
    image = ec2.describe_images(ImageIds=[made])["Images"][0]
    snapshots = ec2.describe_snapshots(SnapshotIds=[image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]])["Snapshots"]
    assert [one["Tags"][0]["Value"] for one in (image, snapshots[0])] == ["image", "snapshot"]
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        ec2.create_image(InstanceId=instance, Name="mine")
    assert refused.value.response["Error"]["Code"] == "InvalidAMIName.Duplicate"


def test_an_image_takes_its_snapshot_with_it_on_request(local_aws: LocalAws) -> None:
    ec2 = local_aws.client("ec2")
    image = ec2.describe_images(Owners=["self"])["Images"][0]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    answer = ec2.deregister_image(ImageId=image["ImageId"], DeleteAssociatedSnapshots=True)
    assert answer["DeleteSnapshotResults"] == [{"SnapshotId": snapshot, "ReturnCode": "success"}]
    with pytest.raises(ec2.exceptions.ClientError, match="InvalidSnapshot.NotFound"):
        ec2.describe_snapshots(SnapshotIds=[snapshot])
    with pytest.raises(ec2.exceptions.ClientError, match="InvalidAMIID.Unavailable"):
        ec2.deregister_image(ImageId=image["ImageId"], DeleteAssociatedSnapshots=True)


def gone_image_of_version_2(local: LocalAws) -> None:
    ec2 = local.client("ec2")
    version = ec2.describe_launch_template_versions(LaunchTemplateName="web", Versions=["2"])["LaunchTemplateVersions"]
    ec2.deregister_image(ImageId=version[0]["LaunchTemplateData"]["ImageId"])


def test_a_group_whose_image_is_gone_stays_too_small(local_aws: LocalAws) -> None:
    autoscaling = local_aws.client("autoscaling")
    gone_image_of_version_2(local_aws)
    autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)
    first = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"][0]["InstanceId"]
    local_aws.client("ec2").terminate_instances(InstanceIds=[first])
    found = autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert (found["DesiredCapacity"], len(found["Instances"])) == (5, 2)


@pytest.mark.parametrize("operation", ["create_auto_scaling_group", "update_auto_scaling_group"])
def test_no_group_gets_a_template_whose_image_is_gone(local_aws: LocalAws, operation: str) -> None:
    autoscaling = local_aws.client("autoscaling")
    gone_image_of_version_2(local_aws)
    with pytest.raises(autoscaling.exceptions.ClientError, match="valid fully-formed launch template"):
        getattr(autoscaling, operation)(
            AutoScalingGroupName="web",
            MinSize=1,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"},
        )


def test_an_instance_gets_what_its_launch_template_says(local_aws: LocalAws) -> None:
    made = local_aws.client("ec2").run_instances(
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "3"}, MinCount=1, MaxCount=1
    )["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert (tags["Name"], tags["aws:ec2launchtemplate:version"]) == ("web", "3")
    assert [group["GroupName"] for group in made["SecurityGroups"]] == ["web"]
