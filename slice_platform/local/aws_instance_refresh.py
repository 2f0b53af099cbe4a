"""Instance refreshes of auto-scaling groups, which moto lacks: the operations. `aws_refresh_course` is what happens.

A refresh goes one step at each poll (DescribeInstanceRefreshes) if `step_seconds` is 0, as tests want it, else one step
each so many seconds, whoever looks. What is written on the group decides how it ends: see `aws_refresh_course`.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from moto.autoscaling.models import autoscaling_backends

from slice_platform.local.aws_groups import Launch, wanted_launch
from slice_platform.local.aws_moto import LocalGroup, group_of
from slice_platform.local.aws_overlay import Asked, Caller, Operations, Refused
from slice_platform.local.aws_refresh_course import ACTIVE, Refresh

_FLOATING = ("$latest", "$default")


class InstanceRefreshes:
    """The operations, and how fast time goes in them."""

    def __init__(self, step_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._step_seconds, self._clock = step_seconds, clock

    @property
    def operations(self) -> Operations:
        return {
            ("autoscaling", "StartInstanceRefresh"): self._start,
            ("autoscaling", "DescribeInstanceRefreshes"): self._describe,
            ("autoscaling", "CancelInstanceRefresh"): self._cancel,
            ("autoscaling", "RollbackInstanceRefresh"): self._roll_back,
            ("autoscaling", "DescribeAutoScalingGroups"): self._only_catch_up,
            ("autoscaling", "DescribeAutoScalingInstances"): self._only_catch_up,
            ("ec2", "DescribeInstances"): self._only_catch_up,
        }

    def _start(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        """A refresh is pending.

        Raises:
            Refused: one goes on, or what is wanted cannot be launched, or could not be rolled back as asked.
        """
        group = self._group(asked, caller)
        if _active(group) is not None:
            raise Refused("InstanceRefreshInProgress", "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.")  # noqa: E501  # fmt: skip
        desired = asked.get("DesiredConfiguration")
        launch = _desired_launch(desired, caller) if desired else _own_launch(group)
        refresh = Refresh(group, launch, _own_launch(group), desired, dict(asked.get("Preferences", {})))
        refresh.stepped_at = self._clock()
        if refresh.rolls_back_itself and (reason := _irreversible(refresh)):
            raise Refused("ValidationError", f"AutoRollback cannot be used: {reason}")
        group.refreshes.append(refresh)
        return {"InstanceRefreshId": refresh.id}

    def _describe(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        """The newest first."""
        group = self._group(asked, caller)
        if not self._step_seconds and (active := _active(group)):
            active.poll()
        wanted = asked.get("InstanceRefreshIds")
        found = [one for one in reversed(group.refreshes) if not wanted or one.id in wanted]
        start, most = int(asked.get("NextToken") or 0), int(asked.get("MaxRecords") or 50)
        page = {"InstanceRefreshes": [one.described() for one in found[start : start + most]]}
        return {**page, "NextToken": str(start + most)} if start + most < len(found) else page

    def _cancel(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        active = _active(self._group(asked, caller))
        if active is None or active.status == "Cancelling":
            raise Refused("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found.")
        active.cancel()
        return {"InstanceRefreshId": active.id}

    def _roll_back(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        active = _active(self._group(asked, caller))
        if active is None or active.status in ("Cancelling", "RollbackInProgress"):
            raise Refused("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found.")
        if reason := _irreversible(active):
            raise Refused("IrreversibleInstanceRefresh", f"The Instance Refresh cannot be rolled back: {reason}")
        active.roll_back("Instance refresh rollback was requested by the user")
        return {"InstanceRefreshId": active.id}

    def _only_catch_up(self, _asked: Asked, caller: Caller) -> None:
        for name in autoscaling_backends[caller.account][caller.region].autoscaling_groups:
            self._catch_up(group_of(caller, name))

    def _group(self, asked: Asked, caller: Caller) -> LocalGroup:
        group = group_of(caller, asked["AutoScalingGroupName"])
        self._catch_up(group)
        return group

    def _catch_up(self, group: LocalGroup) -> None:
        """Take the steps for which the time has come."""
        now = self._clock()
        while self._step_seconds and (active := _active(group)) and active.stepped_at + self._step_seconds <= now:
            active.stepped_at += self._step_seconds
            active.step()


def _active(group: LocalGroup) -> Refresh | None:
    return next((one for one in group.refreshes if one.status in ACTIVE), None)


def _own_launch(group: LocalGroup) -> Launch:
    return Launch(group.launched_version, group.launch_template_version)


def _desired_launch(desired: Mapping[str, Any], caller: Caller) -> Launch:
    """What the group shall launch.

    Raises:
        Refused: there is no such version, or its image is gone, or it is no launch template.
    """
    if "LaunchTemplate" not in desired:
        raise Refused("ValidationError", "The local AWS knows desired configurations with a LaunchTemplate only.")
    return wanted_launch(desired["LaunchTemplate"], caller)


def _irreversible(refresh: Refresh) -> str | None:
    """Why AWS could not put the group back."""
    if refresh.desired is None:
        return "it has no desired configuration"
    if str(refresh.group.launch_template_version).lower() in _FLOATING:
        return f"the group uses the version {refresh.group.launch_template_version} of its launch template"
    return None
