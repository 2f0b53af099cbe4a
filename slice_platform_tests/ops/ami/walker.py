"""Walks through an account by itself and proves that it is consistent; knows nothing of what a release reported."""

from dataclasses import dataclass, field
from typing import Any

from slice_platform.local.aws import LocalAws

_GONE = ("terminated", "shutting-down")


@dataclass
class Walker:
    """The account as EC2 and Auto Scaling tell it now, read with clients of its own."""

    local: LocalAws
    images: dict[str, dict[str, Any]] = field(init=False)
    versions: list[dict[str, Any]] = field(init=False)
    instances: list[dict[str, Any]] = field(init=False)
    members: set[str] = field(init=False)
    snapshots: set[str] = field(init=False)
    leftovers: list[str] = field(init=False)

    def __post_init__(self) -> None:
        ec2, autoscaling = self.local.client("ec2"), self.local.client("autoscaling")
        self.images = {one["ImageId"]: one for one in ec2.describe_images(Owners=["self"])["Images"]}
        described = ec2.describe_launch_template_versions(LaunchTemplateName="shop")
        self.versions = described["LaunchTemplateVersions"]
        every = [each for one in ec2.describe_instances()["Reservations"] for each in one["Instances"]]
        self.instances = [one for one in every if one["State"]["Name"] not in _GONE]
        (group,) = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"]
        self.members = {one["InstanceId"] for one in group["Instances"]}
        self.snapshots = {one["SnapshotId"] for one in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
        groups = [one["GroupName"] for one in ec2.describe_security_groups()["SecurityGroups"]]
        keys = [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]]
        self.leftovers = [name for name in groups if name.startswith("packer")] + keys

    def default(self) -> str:
        (found,) = [one["LaunchTemplateData"]["ImageId"] for one in self.versions if one["DefaultVersion"]]
        return str(found)

    def prove(self, *, most_images: int = 1_000, group_runs: str | None = None) -> None:
        """Nothing that is in use is gone, nothing temporary is left, nothing has lost what it belongs to."""
        self.prove_everything_in_use_exists()
        self.prove_nothing_temporary_is_left()
        self.prove_each_commit_has_one_image()
        assert len(self._of_branch()) <= most_images
        assert len(self.members) == 2
        runs = {one["ImageId"] for one in self.instances if one["InstanceId"] in self.members}
        assert runs == {group_runs or self.default()}

    def prove_everything_in_use_exists(self) -> None:
        for version in self.versions:
            image = version["LaunchTemplateData"]["ImageId"]
            assert self.images[image]["State"] == "available", f"version {version['VersionNumber']}"
        assert {one["ImageId"] for one in self.instances} <= self.images.keys()
        held = {disk["Ebs"]["SnapshotId"] for one in self.images.values() for disk in one["BlockDeviceMappings"]}
        assert held <= self.snapshots

    def prove_nothing_temporary_is_left(self) -> None:
        held = {disk["Ebs"]["SnapshotId"] for one in self.images.values() for disk in one["BlockDeviceMappings"]}
        assert self.snapshots <= held, "snapshots without an image"
        assert {one["InstanceId"] for one in self.instances} <= self.members, "instances outside of the group"
        assert self.leftovers == []

    def prove_each_commit_has_one_image(self) -> None:
        commits = [_tag(one, "commit") for one in self._of_branch()]
        assert len(commits) == len(set(commits)), commits

    def _of_branch(self) -> list[dict[str, Any]]:
        return [one for one in self.images.values() if _tag(one, "branch") == "main"]


def _tag(one: dict[str, Any], key: str) -> str | None:
    return next((tag["Value"] for tag in one.get("Tags", []) if tag["Key"] == key), None)
