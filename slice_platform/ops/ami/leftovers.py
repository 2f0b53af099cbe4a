"""What a run that was killed may have left: instances of packer and of tests, packer's key pair and security group."""

from collections.abc import Callable, Sequence
from typing import Any

from slice_platform.aws import of_aws
from slice_platform.ops.ami.account import ROLE_TAG, SERVICE_TAG, Account, Instance

_FIVE_MINUTES = {"Delay": 5, "MaxAttempts": 60}
_PACKERS = "packer_"  # security groups that packer makes for one build are called so


def sweep(account: Account, service: str, tell: Callable[[str], None]) -> None:
    """No temporary instance of the service is left, nor what packer had made for it.

    The caller holds the service alone: nobody builds or tests now. Idempotent.
    """
    left = [one for one in account.instances(**{SERVICE_TAG: service}) if ROLE_TAG in one.tags]
    for instance in left:
        tell(f"a run that was cut short left {instance.id} ({instance.tags[ROLE_TAG]}): it is terminated")
    groups = _groups_of_packer(account, left)
    terminate(account, left)
    for group in groups:
        with of_aws("delete the security group", group):
            account.ec2.delete_security_group(GroupId=group)


def delete_key(account: Account, name: str) -> None:
    """There is no key pair of that name."""
    with of_aws("delete the key pair", name):
        account.ec2.delete_key_pair(KeyName=name)  # EC2 takes it well where there is none


def terminate(account: Account, instances: Sequence[Instance]) -> None:
    """They are gone, or about to be."""
    if not instances:
        return
    ids = [one.id for one in instances]
    with of_aws("terminate", ", ".join(ids)):
        account.ec2.terminate_instances(InstanceIds=ids)
        account.ec2.get_waiter("instance_terminated").wait(
            InstanceIds=ids, WaiterConfig={"Delay": 5, "MaxAttempts": 60}
        )


def _groups_of_packer(account: Account, instances: Sequence[Instance]) -> list[str]:
    ids = [one.id for one in instances]
    if not ids:
        return []
    with of_aws("look at", ", ".join(ids)):
        held: list[dict[str, Any]] = account.ec2.describe_instances(InstanceIds=ids)["Reservations"]
    groups = [group for one in held for each in one["Instances"] for group in each.get("SecurityGroups", [])]
    return sorted({group["GroupId"] for group in groups if group["GroupName"].startswith(_PACKERS)})
