"""moto's classes whose mistakes matter here, mended: what it makes from `install` on, in this process, is of these.

A version of a launch template keeps its number when others go, and an instance of an auto-scaling group is, and says
that it is, of the version that it was launched from, whatever became the default since.
"""

import os
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

from moto.autoscaling import models as autoscaling_models
from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup, InstanceState, autoscaling_backends
from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models import amis as image_models
from moto.ec2.models import instances as instance_models
from moto.ec2.models import launch_templates as launch_template_models
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion

from slice_platform.local.aws_overlay import Caller, Refused

TEMPLATE_TAG, VERSION_TAG = "aws:ec2launchtemplate:id", "aws:ec2launchtemplate:version"  # as AWS sets them


def install() -> None:
    """From here on moto makes the classes below."""
    # 1284 images of others: they cost half a second in each account and region, and are no part of an account.
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    replaced: tuple[tuple[Any, str, type], ...] = (
        (image_models, "Ami", LocalImage),
        (instance_models, "Instance", LocalInstance),
        (launch_template_models, "LaunchTemplate", LocalLaunchTemplate),
        (autoscaling_models, "FakeAutoScalingGroup", LocalGroup),
        (autoscaling_models, "InstanceState", LocalInstanceState),
    )
    for module, name, mended in replaced:
        setattr(module, name, mended)


def ec2_of(caller: Caller) -> EC2Backend:
    return ec2_backends[caller.account][caller.region]


def group_of(caller: Caller, name: str) -> "LocalGroup":
    """The group of that name.

    Raises:
        Refused: there is none of that name.
    """
    group = autoscaling_backends[caller.account][caller.region].autoscaling_groups.get(name)
    if not isinstance(group, LocalGroup):
        raise Refused("ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


class LocalImage(Ami):
    """On a disk of its own, as images are today; packer takes no other for its source."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"root_device_type": "ebs", "architecture": "x86_64", **options})


class LocalInstance(Instance):
    """Its metadata options are those of its launch template, unless it was given others."""

    def __init__(self, ec2_backend: EC2Backend, *args: Any, **options: Any) -> None:
        if not options.get("metadata_options") and (template := options.get("launch_template")):
            version = ec2_backend._get_template_from_args(template)  # noqa: SLF001 -- as moto finds it
            options["metadata_options"] = version.data.get("MetadataOptions", {})
        super().__init__(ec2_backend, *args, **options)


class LocalLaunchTemplate(LaunchTemplate):
    """A number is given once, also when its version was deleted."""

    _given = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        self.made_by_token: dict[str, LaunchTemplateVersion] = {}
        super().__init__(*args, **options)

    def create_version(self, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
        self._given += 1
        version = LaunchTemplateVersion(self, self._given, data, description)
        self.versions.append(version)
        return version

    def get_version(self, num: Any) -> LaunchTemplateVersion:
        wanted = {"$latest": self.latest_version_number, "$default": self.default_version_number}.get(
            str(num).lower(), num
        )
        for version in self.versions:
            if str(version.number) == str(wanted):
                return version
        raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=num)

    def default_version(self) -> LaunchTemplateVersion:
        return self.get_version(self.default_version_number)


class LocalInstanceState(InstanceState):
    """An instance as its group sees it."""

    @property
    def launch_template(self) -> dict[str, Any] | None:
        tags = {tag["key"]: tag["value"] for tag in self.instance.get_tags()}
        template = self.auto_scaling_group.ec2_backend.launch_templates.get(tags.get(TEMPLATE_TAG))
        if template is None:
            return super().launch_template
        return {
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Version": tags[VERSION_TAG],
        }


class LocalGroup(FakeAutoScalingGroup):
    """A group that launches what its template says, and remembers its instance refreshes, the oldest first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.refreshes: list[Any] = []
        super().__init__(*args, **options)

    @property
    def launched_version(self) -> LaunchTemplateVersion:
        """What a new instance is launched from: `$Latest` and `$Default` resolved."""
        if self.ec2_launch_template is None:
            raise Refused("ValidationError", f"The group '{self.name}' has no launch template.")
        return self.ec2_launch_template.get_version(self.launch_template_version)

    def replace_autoscaling_group_instances(self, count_needed: int, propagated_tags: dict[str, str]) -> None:
        if self.ec2_launch_template is None:
            super().replace_autoscaling_group_instances(count_needed, propagated_tags)
            return
        with suppress(Refused):  # AWS tells of it among the activities of the group, which stays too small
            self.launch(self.launched_version, count_needed)

    def launch(self, version: LaunchTemplateVersion, count: int) -> None:
        """So many more instances of that version run in the group.

        Raises:
            Refused: its image is not there, or not available.
        """
        refuse_missing_image(self.autoscaling_backend.ec2_backend, version.image_id)
        tags = {
            **self.get_propagated_tags(), **version.instance_tags, ASG_NAME_TAG: self.name,
            TEMPLATE_TAG: version.template.id, VERSION_TAG: str(version.number),
        }  # fmt: skip
        reservation = self.autoscaling_backend.ec2_backend.run_instances(
            version.image_id,
            count,
            version.user_data,
            version.security_groups,
            instance_type=version.instance_type or "m1.small",
            is_instance_type_default=False,
            tags={"instance": tags},
            placement=random.choice(self.availability_zones),  # noqa: S311 -- as moto chooses
            launch_template={"LaunchTemplateId": version.template.id, "Version": str(version.number)},
            subnet_id=self.vpc_zone_identifier.split(",")[0] if self.vpc_zone_identifier else None,
        )
        for instance in reservation.instances:
            instance.autoscaling_group = self  # type: ignore[attr-defined]  # as moto ties them
            protected = self.new_instances_protected_from_scale_in
            self.instance_states.append(LocalInstanceState(instance, protected_from_scale_in=protected))

    def terminate(self, instance_id: str) -> None:
        """The instance ends, and nothing takes its place."""
        self.instance_states = [state for state in self.instance_states if state.instance_id != instance_id]
        self.autoscaling_backend.ec2_backend.terminate_instances([instance_id])


def refuse_missing_image(ec2: EC2Backend, image_id: str) -> None:
    """Return if instances can be launched from the image.

    Raises:
        Refused: there is no such image, or it is not available.
    """
    image = ec2.amis.get(image_id)
    if image is None:
        raise Refused("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    if image.state != "available":
        raise Refused("InvalidAMIID.Unavailable", f"The image id '[{image_id}]' is no longer available")


def set_age(caller: Caller, resource_id: str, age: timedelta) -> None:
    """From here on the image with its snapshot, the snapshot, volume or instance was made so long ago."""
    ec2, made_at = ec2_of(caller), utcnow() - age
    if image := ec2.amis.get(resource_id):
        image.creation_date = image.ebs_snapshot.start_time = made_at
    elif snapshot := ec2.snapshots.get(resource_id):
        snapshot.start_time = made_at
    elif volume := ec2.volumes.get(resource_id):
        volume.create_time = made_at
    else:
        ec2.get_instance(resource_id).launch_time = made_at
