"""Images: launching from one, making one and taking one back, where moto is less strict than AWS, or does less."""

from collections.abc import Mapping
from typing import Any

from slice_platform.local.aws_moto import ec2_of, refuse_missing_image
from slice_platform.local.aws_overlay import Asked, Caller, Operations, Refused


def _run_instances(asked: Asked, caller: Caller) -> None:
    """Nothing is launched from an image that is deregistered, disabled or unknown; the rest is moto's."""
    ec2 = ec2_of(caller)
    image_id = asked.get("ImageId")
    if not image_id and (wanted := asked.get("LaunchTemplate")):
        image_id = ec2._get_template_from_args(wanted).image_id  # noqa: SLF001 -- as moto finds it
    if not image_id:
        raise Refused("MissingParameter", "The request must contain the parameter ImageId")
    refuse_missing_image(ec2, image_id)


def _create_image(asked: Asked, caller: Caller) -> Mapping[str, Any] | None:
    """The name is not taken, and snapshots get the tags that are meant for them; the rest is moto's."""
    ec2 = ec2_of(caller)
    taken = next((image for image in _own(ec2, caller) if image.name == asked["Name"]), None)
    if taken is not None:
        message = f"AMI name {asked['Name']} is already in use by AMI {taken.id}"
        raise Refused("InvalidAMIName.Duplicate", message)
    specified = asked.get("TagSpecifications", [])
    if not any(one["ResourceType"] == "snapshot" for one in specified):
        return None
    for_image = [one for one in specified if one["ResourceType"] != "snapshot"]
    image = ec2.create_image(asked["InstanceId"], asked["Name"], asked.get("Description", ""), for_image)
    for one in specified:
        if one["ResourceType"] == "snapshot":
            image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in one["Tags"]})
    return {"ImageId": image.id}


def _deregister_image(asked: Asked, caller: Caller) -> Mapping[str, Any] | None:
    """On request its snapshot goes as well; else it stays, and moto answers."""
    if not asked.get("DeleteAssociatedSnapshots"):
        return None
    ec2 = ec2_of(caller)
    image = ec2.amis.get(asked["ImageId"])
    ec2.deregister_image(asked["ImageId"])
    assert image is not None, "an unknown image is refused by moto"
    ec2.delete_snapshot(image.ebs_snapshot.id)
    return {"Return": True, "DeleteSnapshotResults": [{"SnapshotId": image.ebs_snapshot.id, "ReturnCode": "success"}]}


def _own(ec2: Any, caller: Caller) -> list[Any]:
    return [image for image in ec2.amis.values() if image.owner_id == caller.account]


OPERATIONS: Operations = {
    ("ec2", "RunInstances"): _run_instances,
    ("ec2", "CreateImage"): _create_image,
    ("ec2", "DeregisterImage"): _deregister_image,
}
