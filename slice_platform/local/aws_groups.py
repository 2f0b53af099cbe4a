"""What auto-scaling groups launch: told when a group is made or changed, as AWS does, and moto does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion

from slice_platform.local.aws_moto import ec2_of, refuse_missing_image
from slice_platform.local.aws_overlay import Asked, Caller, Operations, Refused


@dataclass(frozen=True)
class Launch:
    """What instances are launched from: the version, and as what the group will have it (`$Latest`, or a number)."""

    version: LaunchTemplateVersion
    asked: str


def wanted_launch(wanted: Mapping[str, Any], caller: Caller) -> Launch:
    """What a specification of a launch template means now.

    Raises:
        Refused: there is no such version, or its image is gone.
    """
    ec2 = ec2_of(caller)
    try:
        template: LaunchTemplate = (
            ec2.get_launch_template(wanted["LaunchTemplateId"])
            if wanted.get("LaunchTemplateId")
            else ec2.get_launch_template_by_name(wanted.get("LaunchTemplateName", ""))
        )
        asked = wanted.get("Version") or "$Default"
        version = template.get_version(asked)
        refuse_missing_image(ec2, version.image_id)
    except ServiceException as refused:
        message = f"You must use a valid fully-formed launch template. {refused.message}"
        raise Refused("ValidationError", message) from refused
    return Launch(version, asked)


def _check_template(asked: Asked, caller: Caller) -> None:
    """A group gets no template that it could not launch; the rest is moto's."""
    if wanted := asked.get("LaunchTemplate"):
        wanted_launch(wanted, caller)


OPERATIONS: Operations = {
    ("autoscaling", "CreateAutoScalingGroup"): _check_template,
    ("autoscaling", "UpdateAutoScalingGroup"): _check_template,
}
