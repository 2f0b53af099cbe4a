"""What an AWS account has of images, templates and groups, as far as a release needs to know it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from slice_platform.aws import AwsAccess, client, code_of, of_aws
from slice_platform.errors import AccessRefused

RELEASE_TAG, SERVICE_TAG, ROLE_TAG = "slice:release", "slice:service", "slice:role"
_MOST_FILTER_VALUES = 200  # that EC2 takes in one filter
_GONE_STATES = ("shutting-down", "terminated")


@dataclass(frozen=True)
class Image:
    """An image of this account. `facts` is what EC2 tells of it, as JSON."""

    id: str
    name: str
    state: str  # available, pending, failed
    created_at: datetime
    tags: Mapping[str, str]
    snapshots: tuple[str, ...]
    facts: str
    is_protected: bool = False  # from being deregistered

    @property
    def commit(self) -> str | None:
        return self.tags.get("commit")


@dataclass(frozen=True)
class TemplateVersion:
    """One version of a launch template; `facts` is its data, as JSON."""

    template_id: str
    template_name: str
    number: int
    image_id: str | None
    is_default: bool
    description: str
    facts: str


@dataclass(frozen=True)
class Instance:
    """An instance that is not gone, running or stopped."""

    id: str
    image_id: str
    state: str
    tags: Mapping[str, str]
    private_ip: str | None
    public_ip: str | None


@dataclass(frozen=True)
class Group:
    """An auto-scaling group. `version` is what it says itself: a number, $Default or $Latest."""

    name: str
    template_id: str | None
    version: str | None
    instance_versions: Mapping[str, str]  # instance -> number of the version it was launched from
    is_mixed: bool = False  # by a policy of mixed instances
    overrides: tuple[tuple[str, str], ...] = ()  # of that policy: other templates, and their versions
    override_images: tuple[str, ...] = ()  # and images


class Account:
    """Reads one account in one region. Every call is paged to its end, or fails."""

    def __init__(self, access: AwsAccess) -> None:
        self.access = access
        self.ec2, self.autoscaling = client("ec2", access), client("autoscaling", access)

    @cached_property
    def id(self) -> str:
        """The number of the account."""
        with of_aws("ask for", "the account"):
            return str(client("sts", self.access).get_caller_identity()["Account"])

    @property
    def region(self) -> str:
        return str(self.ec2.meta.region_name)

    def images(self, **tags: str) -> list[Image]:
        """Own images with these tags, the oldest first."""
        wanted = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        with of_aws("list", "images"):
            pages = self._pages(self.ec2, "describe_images", Owners=["self"], Filters=wanted)
            found = [_image(one) for page in pages for one in page["Images"]]
        return sorted(found, key=lambda image: (image.created_at, image.id))

    def images_of_snapshot(self, snapshot: str) -> list[str]:
        """Ids of own images that have the snapshot."""
        return [image.id for image in self.images() if snapshot in image.snapshots]

    def image(self, image_id: str) -> Image | None:
        with of_aws("look at", image_id):
            try:
                found = self.ec2.describe_images(ImageIds=[image_id])["Images"]
            except Exception as error:
                if code_of(error).startswith("InvalidAMIID"):
                    return None
                raise
        return _image(found[0]) if found else None

    def snapshots(self, ids: Iterable[str]) -> dict[str, str]:
        """Those of the snapshots that exist and are ours -> what EC2 tells of them, as JSON."""
        wanted = sorted(set(ids))
        found: dict[str, str] = {}
        for start in range(0, len(wanted), _MOST_FILTER_VALUES):
            filters = [{"Name": "snapshot-id", "Values": wanted[start : start + _MOST_FILTER_VALUES]}]
            with of_aws("list", "snapshots"):
                pages = self._pages(self.ec2, "describe_snapshots", OwnerIds=["self"], Filters=filters)
                found |= {one["SnapshotId"]: _facts(one) for page in pages for one in page["Snapshots"]}
        return found

    def versions(self, template: str | None = None) -> list[TemplateVersion]:
        """Versions of one launch template by its name, or of all, the oldest first.

        Raises:
            AccessRefused: there is no such template.
        """
        if template is not None:
            return self._versions_of(template)
        names = sorted(one["LaunchTemplateName"] for one in self._templates())
        return [version for name in names for version in self._versions_of(name, may_be_gone=True)]

    def _versions_of(self, template: str, *, may_be_gone: bool = False) -> list[TemplateVersion]:
        with of_aws("look at the launch template", template):
            # An image that a template names by a parameter of SSM is told as the image that this means now.
            asked = {"LaunchTemplateName": template, "ResolveAlias": True}
            try:
                pages = list(self._pages(self.ec2, "describe_launch_template_versions", **asked))
            except Exception as error:
                if may_be_gone and code_of(error) == "InvalidLaunchTemplateName.NotFoundException":
                    return []  # deleted since it was listed
                raise
        found = [_version(one) for page in pages for one in page["LaunchTemplateVersions"]]
        return sorted(found, key=lambda version: version.number)

    def instances(self, **tags: str) -> list[Instance]:
        """Instances with these tags that are not gone."""
        wanted = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        with of_aws("list", "instances"):
            pages = self._pages(self.ec2, "describe_instances", Filters=wanted)
            every = [one for page in pages for held in page["Reservations"] for one in held["Instances"]]
        return [_instance(one) for one in every if one["State"]["Name"] not in _GONE_STATES]

    def groups(self) -> list[Group]:
        with of_aws("list", "auto-scaling groups"):
            pages = self._pages(self.autoscaling, "describe_auto_scaling_groups")
            return [_group(one) for page in pages for one in page["AutoScalingGroups"]]

    def group(self, name: str) -> Group:
        """Raises AccessRefused where there is no such group."""
        found = next((group for group in self.groups() if group.name == name), None)
        if found is None:
            raise AccessRefused(
                f"Looking for the auto-scaling group {name!r} in {self.region}: there is none. Mend "
                "auto_scaling_group, or check the account and AWS_REGION."
            )
        return found

    def configured_images(self) -> dict[str, str]:
        """Launch configurations, which older groups have in place of a template -> their image."""
        with of_aws("list", "launch configurations"):
            pages = self._pages(self.autoscaling, "describe_launch_configurations")
            every = [one for page in pages for one in page["LaunchConfigurations"]]
        return {one["LaunchConfigurationName"]: one["ImageId"] for one in every}

    def _templates(self) -> list[dict[str, Any]]:
        with of_aws("list", "launch templates"):
            pages = self._pages(self.ec2, "describe_launch_templates")
            return [one for page in pages for one in page["LaunchTemplates"]]

    @staticmethod
    def _pages(service: Any, call: str, **asked: object) -> Iterator[dict[str, Any]]:
        yield from service.get_paginator(call).paginate(**asked)


def tags_of(told: Mapping[str, Any]) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in told.get("Tags", [])}


def _facts(told: Mapping[str, Any]) -> str:
    return json.dumps(told, default=str, sort_keys=True)


def _image(told: Mapping[str, Any]) -> Image:
    disks = [one.get("Ebs", {}) for one in told.get("BlockDeviceMappings", [])]
    return Image(
        id=told["ImageId"],
        name=told.get("Name", ""),
        state=told["State"],
        created_at=datetime.fromisoformat(told["CreationDate"]),
        tags=tags_of(told),
        snapshots=tuple(one["SnapshotId"] for one in disks if "SnapshotId" in one),
        facts=_facts(told),
        is_protected=str(told.get("DeregistrationProtection", "")).startswith("enabled"),
    )


def _version(told: Mapping[str, Any]) -> TemplateVersion:
    return TemplateVersion(
        template_id=told["LaunchTemplateId"],
        template_name=told["LaunchTemplateName"],
        number=int(told["VersionNumber"]),
        image_id=told["LaunchTemplateData"].get("ImageId"),
        is_default=bool(told["DefaultVersion"]),
        description=told.get("VersionDescription", ""),
        facts=_facts(told["LaunchTemplateData"]),
    )


def _instance(told: Mapping[str, Any]) -> Instance:
    return Instance(
        id=told["InstanceId"],
        image_id=told["ImageId"],
        state=told["State"]["Name"],
        tags=tags_of(told),
        private_ip=told.get("PrivateIpAddress"),
        public_ip=told.get("PublicIpAddress"),
    )


def _group(told: Mapping[str, Any]) -> Group:
    policy = told.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    mixed, overrides = policy.get("LaunchTemplateSpecification", {}), policy.get("Overrides", [])
    others = [one["LaunchTemplateSpecification"] for one in overrides if one.get("LaunchTemplateSpecification")]
    template = told.get("LaunchTemplate") or mixed
    launched = {
        one["InstanceId"]: str(one["LaunchTemplate"].get("Version", ""))
        for one in told.get("Instances", [])
        if one.get("LaunchTemplate")
    }
    return Group(
        name=told["AutoScalingGroupName"],
        template_id=template.get("LaunchTemplateId"),
        version=template.get("Version") or ("$Default" if template else None),
        instance_versions=launched,
        is_mixed=bool(mixed),
        overrides=tuple((one.get("LaunchTemplateId", ""), one.get("Version") or "$Default") for one in others),
        override_images=tuple(one["ImageId"] for one in overrides if one.get("ImageId")),
    )
