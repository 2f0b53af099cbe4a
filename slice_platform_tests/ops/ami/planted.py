"""A small account with one service, and releases of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from slice_platform.aws import AwsAccess
from slice_platform.local.aws import ACCOUNT, REGION, LocalAws
from slice_platform.local.aws_moto import set_age
from slice_platform.local.aws_overlay import Caller
from slice_platform.ops.ami.account import Account
from slice_platform.ops.ami.prune import prune
from slice_platform.ops.ami.release import Releaser
from slice_platform.ops.ami.releases import STEPS, Release, Releases, Step, rollback_target
from slice_platform.ops.ami.rollout import rollback
from slice_platform.ops.ami.spec import ReleaseSpec, Service
from slice_platform.ops.fence import Limits, Mandate, Outcome
from slice_platform.ops.journal import Journal, open_journal
from slice_platform.settings import load_settings
from slice_platform_tests.tools import require_tool

COMMIT = "c0ffee0000000000000000000000000000000001"
OTHER_COMMIT = "c0ffee0000000000000000000000000000000002"
SUBNET = "10.9.0.0/24"


@dataclass
class Shop:
    """The service `shop` in an account, and where its releases keep what they know."""

    local: LocalAws
    home: Path
    told: list[str] = field(default_factory=list)
    spec: dict[str, Any] = field(default_factory=dict)  # beyond the usual, or in its place

    def __post_init__(self) -> None:
        self.ec2, self.autoscaling = self.local.client("ec2"), self.local.client("autoscaling")

    @property
    def account(self) -> Account:
        return Account(AwsAccess(self.local.endpoint_url, attempts=1))

    @property
    def service(self) -> Service:
        usual: dict[str, Any] = {
            "branch": "main",
            "launch_template": "shop",
            "auto_scaling_group": "shop",
            "packer": {"template": "packer.json"},
            "test": {"check": ["true"], "poll_seconds": 0, "timeout_seconds": 20},
            "refresh": {"poll_seconds": 0, "timeout_seconds": 20},
            "keep_images": 2,
            "keep_versions": 2,
            "limits": Limits(max_share=1.0, max_resources=100),
        }
        return Service("shop", ReleaseSpec.model_validate({**usual, **self.spec}), self.home)

    def journal(self) -> Any:
        return open_journal(load_settings(home=self.home, lock_timeout_seconds=30))

    def releaser(self, journal: Journal, commit: str = COMMIT, *, apply: bool = True) -> Releaser:
        mandate = self.mandate(apply=apply)
        return Releaser(self.service, commit, self.account, journal, mandate, self.home / "ami")

    def release(self, commit: str = COMMIT, *, apply: bool = True, until: Step = STEPS[-1]) -> list[Outcome | None]:
        """Every step, one after the other, and none after `until`."""
        with self.journal() as journal:
            releaser = self.releaser(journal, commit, apply=apply)
            return [releaser.do(step) for step in STEPS[: STEPS.index(until) + 1]]

    def do(self, step: Step, commit: str = COMMIT) -> Outcome | None:
        """One step, as a run that goes on at it does."""
        with self.journal() as journal:
            return self.releaser(journal, commit).do(step)

    def prune(self, *, apply: bool = True) -> Outcome:
        with self.journal() as journal:
            return prune(self.account, self.service, journal, self.mandate(apply=apply))

    def roll_back(self, to_version: int | None = None) -> Outcome:
        """To that version, or to where a rollback goes that names none."""
        with self.journal() as journal:
            to = to_version or rollback_target(Releases(journal.db), "shop", self.account.versions("shop"))
            return rollback(self.account, self.service, journal, self.mandate(), to_version=to)

    def mandate(self, *, apply: bool = True) -> Mandate:
        return Mandate("ann", apply, self.service.spec.limits, self.told.append)

    def release_then(self, mend: Callable[[], None], commit: str = COMMIT) -> None:
        """A release during which, once its refresh has ended, `mend` is called: before the way back begins."""
        self.when_told("the refresh did not succeed", mend)
        self.release(commit)

    def when_told(self, words: str, do: Callable[[], None]) -> None:
        """Once a line with these words is told, this is done."""
        told = self.told.append

        class Told(list[str]):
            def append(self, line: str) -> None:
                told(line)
                if words in line:
                    do()

        self.told = Told()

    def known(self, commit: str = COMMIT) -> Release:
        with self.journal() as journal:
            return Releases(journal.db).get("shop", "main", commit)

    def images(self, **tags: str) -> list[dict[str, Any]]:
        wanted = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        found: list[dict[str, Any]] = self.ec2.describe_images(Owners=["self"], Filters=wanted)["Images"]
        return found

    def default(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = self.ec2.describe_launch_template_versions(
            LaunchTemplateName="shop", Versions=["$Default"]
        )["LaunchTemplateVersions"]
        return found[0]

    def running(self) -> set[str]:
        """The images that the group's instances run."""
        (group,) = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["shop"])["AutoScalingGroups"]
        ids = [one["InstanceId"] for one in group["Instances"]]
        held = self.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return {each["ImageId"] for one in held for each in one["Instances"] if each["State"]["Name"] == "running"}

    def have_refresh(self, outcome: str) -> None:
        """From now on refreshes of the group end so: words of `slice_platform.local.aws_refresh_course`."""
        tag = {"ResourceId": "shop", "ResourceType": "auto-scaling-group", "Key": "slice:refresh", "Value": outcome}
        self.autoscaling.create_or_update_tags(Tags=[{**tag, "PropagateAtLaunch": False}])


def plant(local: LocalAws, home: Path, *, version: str = "$Default", old_images: int = 2) -> Shop:
    """Images of earlier commits, a template whose default has the newest of them, and two instances of that."""
    require_tool("packer")
    shop = Shop(local, home)
    base = shop.ec2.register_image(Name="base", RootDeviceName="/dev/sda1")["ImageId"]
    images = [_old_image(shop.ec2, number, age_days=old_images - number) for number in range(old_images)]
    vpc = shop.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = shop.ec2.create_subnet(VpcId=vpc, CidrBlock=SUBNET)["Subnet"]["SubnetId"]
    data = {"ImageId": images[0], "InstanceType": "t3.small"}
    shop.ec2.create_launch_template(LaunchTemplateName="shop", LaunchTemplateData=data)
    for image in images[1:]:
        shop.ec2.create_launch_template_version(
            LaunchTemplateName="shop", SourceVersion="$Latest", LaunchTemplateData={"ImageId": image}
        )
    shop.ec2.modify_launch_template(LaunchTemplateName="shop", DefaultVersion=str(old_images))
    shop.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="shop", MinSize=1, MaxSize=4, DesiredCapacity=2, VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateName": "shop", "Version": version},
    )  # fmt: skip
    home.joinpath("packer.json").write_text(json.dumps(packer_template(base)), encoding="utf-8")
    return shop


def packer_template(base: str) -> dict[str, Any]:
    builder = {
        "type": "amazon-ebs",
        "region": "{{user `aws_region`}}",
        "instance_type": "t3.medium",
        "communicator": "none",
        "ami_name": "shop {{user `commit`}} {{uuid}}",
        "source_ami": base,
        "tags": {"timestamp": "{{timestamp}}", "branch": "of the template"},
    }
    return {"variables": {"aws_region": "{{env `AWS_REGION`}}", "commit": ""}, "builders": [builder]}


def _old_image(ec2: Any, number: int, *, age_days: int) -> str:
    image: str = ec2.register_image(Name=f"shop old {number}", RootDeviceName="/dev/sda1")["ImageId"]
    (described,) = ec2.describe_images(ImageIds=[image])["Images"]
    snapshots = [one["Ebs"]["SnapshotId"] for one in described["BlockDeviceMappings"]]
    tags = [{"Key": "branch", "Value": "main"}, {"Key": "commit", "Value": f"old{number}"}]
    ec2.create_tags(Resources=[image, *snapshots], Tags=tags)
    set_age(Caller(ACCOUNT, REGION), image, timedelta(days=age_days))
    return image
