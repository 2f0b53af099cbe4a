"""Network, images, launch template, group and instances of the seeded accounts, by boto3 as anybody would make them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha1
from typing import Any

from slice_platform.local.aws_moto import set_age
from slice_platform.local.aws_overlay import Caller
from slice_platform.local.aws_seed_storage import OWNED, tags_of

BASE_IMAGE, TEMPLATE, GROUP = "ubuntu-base", "web", "web"


@dataclass(frozen=True)
class Network:
    """The one network of an account."""

    subnets: tuple[str, ...]
    closed_group: str
    open_group: str  # lets the whole world in by ssh


def seed_network(ec2: Any) -> Network:
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = tuple(
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{number}.0/24", AvailabilityZone=f"ap-south-1{zone}")["Subnet"][
            "SubnetId"
        ]
        for number, zone in enumerate("ab")
    )
    closed = _security_group(ec2, vpc, "web", 443, "10.20.0.0/16")
    opened = _security_group(ec2, vpc, "open-ssh", 22, "0.0.0.0/0")
    ec2.create_tags(Resources=[vpc, *subnets, closed], Tags=tags_of(Name="platform", **OWNED))
    return Network(subnets, closed, opened)


def _security_group(ec2: Any, vpc: str, name: str, port: int, source: str) -> str:
    group: str = ec2.create_security_group(GroupName=name, Description=f"port {port} from {source}", VpcId=vpc)[
        "GroupId"
    ]
    rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": source}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    return group


def seed_images(ec2: Any, caller: Caller, days_by_branch: Mapping[str, Sequence[int]]) -> dict[str, list[str]]:
    """The images of each branch, the oldest first, and the one that packer starts from."""
    _seed_image(ec2, caller, BASE_IMAGE, 90, {"Name": BASE_IMAGE})
    made: dict[str, list[str]] = {}
    for branch, ages_days in days_by_branch.items():
        for number, age_days in enumerate(ages_days, start=1):
            commit = sha1(f"{branch} {number}".encode(), usedforsecurity=False).hexdigest()
            name = f"platform-{branch}-{number}"
            tags = {"Name": name, "branch": branch, "commit": commit, **OWNED}
            made.setdefault(branch, []).append(_seed_image(ec2, caller, name, age_days, tags))
    return made


def _seed_image(ec2: Any, caller: Caller, name: str, age_days: int, tags: Mapping[str, str]) -> str:
    image: str = ec2.register_image(Name=name, RootDeviceName="/dev/sda1", Architecture="x86_64")["ImageId"]
    described = ec2.describe_images(ImageIds=[image])["Images"][0]
    snapshot = described["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    ec2.create_tags(Resources=[image, snapshot], Tags=tags_of(**tags))
    set_age(caller, image, timedelta(days=age_days))
    return image


def seed_template(ec2: Any, network: Network, images: Sequence[str]) -> None:
    """One version for each image; the second is the default, so that there is one to go back to and one to go on to."""
    first, *others = images
    instance_tags = {"ResourceType": "instance", "Tags": tags_of(Name="web", **OWNED)}
    data = {
        "ImageId": first,
        "InstanceType": "t3.small",
        "SecurityGroupIds": [network.closed_group],
        "MetadataOptions": {"HttpTokens": "required"},
        "TagSpecifications": [instance_tags],
    }
    ec2.create_launch_template(LaunchTemplateName=TEMPLATE, VersionDescription="platform-main", LaunchTemplateData=data)
    for image in others:
        ec2.create_launch_template_version(
            LaunchTemplateName=TEMPLATE, SourceVersion="$Latest", LaunchTemplateData={"ImageId": image}
        )
    ec2.modify_launch_template(LaunchTemplateName=TEMPLATE, DefaultVersion="2")


def seed_group(autoscaling: Any, network: Network) -> None:
    """Three instances of version 2. By its number: a group on `$Latest` or `$Default` cannot be rolled back."""
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP,
        MinSize=2,
        MaxSize=6,
        DesiredCapacity=3,
        LaunchTemplate={"LaunchTemplateName": TEMPLATE, "Version": "2"},
        VPCZoneIdentifier=",".join(network.subnets),
        Tags=[{**tag, "PropagateAtLaunch": False} for tag in tags_of(**OWNED)],
    )


def seed_instance(ec2: Any, image: str, security_group: str, *, tokens: str = "required", **tags: str) -> str:
    made = ec2.run_instances(
        ImageId=image,
        MinCount=1,
        MaxCount=1,
        InstanceType="t3.micro",
        SecurityGroupIds=[security_group],
        MetadataOptions={"HttpTokens": tokens},
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags_of(**tags)}],
    )
    instance: str = made["Instances"][0]["InstanceId"]
    return instance
