"""The instances of a group are replaced by ones of a template version, and what became of that is told truly."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slice_platform.aws import code_of, of_aws
from slice_platform.errors import AwsUnavailable, ReleaseFailed
from slice_platform.ops.ami.account import Account, Group
from slice_platform.ops.ami.spec import Refresh

SUCCESSFUL, ROLLED_BACK, CANCELLED, TIMED_OUT = "Successful", "RollbackSuccessful", "Cancelled", "timed out"
_ONWARD = {"Pending", "InProgress", "Baking"}
_SEEN_SECONDS = 60.0  # EC2 may not show for a while what it has just begun
_ENDED = {SUCCESSFUL, ROLLED_BACK, CANCELLED, "Failed", "RollbackFailed"}


@dataclass(frozen=True)
class RefreshEnd:
    """How a refresh ended: EC2's own word, or that it took too long."""

    refresh_id: str
    status: str
    reason: str
    percent: int

    @property
    def is_success(self) -> bool:
        return self.status == SUCCESSFUL

    def __str__(self) -> str:
        return f"{self.status} at {self.percent} %{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class Refresher:
    """Refreshes one group."""

    account: Account
    group_name: str
    spec: Refresh
    tell: Callable[[str], None]

    def start(self, version: int) -> str:
        """A refresh to the version is under way; its id.

        One of another that is under way is waited for, so that two never mix. Idempotent: one that is under way to the
        same version is this one.

        Raises:
            ReleaseFailed: the group cannot be brought to a version, or the other refresh did not end in time.
        """
        wanted = self._wanted(self.account.group(self.group_name), version)
        deadline = time.monotonic() + self.spec.timeout_seconds
        while True:
            if (running := self._running()) is not None:
                if _leads_to(running, wanted):
                    return str(running["InstanceRefreshId"])
                self.tell(f"{self.group_name} is refreshed by another: {running['InstanceRefreshId']} is waited for")
                self._wait_for(str(running["InstanceRefreshId"]))
            elif (started := self._started(wanted)) is not None:
                return started
            elif time.monotonic() >= deadline:
                raise AwsUnavailable(
                    f"Could not start an instance refresh of {self.group_name!r}: EC2 says that one is in progress, "
                    "and shows none. The work can be repeated."
                )
            else:
                time.sleep(self.spec.poll_seconds)

    def check(self, template_id: str) -> None:
        """The group launches from this template, and can be brought to any version of it.

        Raises:
            ReleaseFailed: it does not, or cannot.
        """
        group = self.account.group(self.group_name)
        self._wanted(group, 0)
        if group.template_id != template_id:
            raise ReleaseFailed(
                f"Looking at the group {self.group_name!r}: it launches from the template {group.template_id!r}, and "
                f"launch_template is {template_id!r}. Mend launch_template or auto_scaling_group in defs.yaml."
            )

    def _started(self, wanted: dict[str, Any]) -> str | None:
        """Its id; None where another was faster, or ours runs whose answer was lost."""
        with of_aws("start an instance refresh of", self.group_name):
            try:
                return str(self.account.autoscaling.start_instance_refresh(**wanted)["InstanceRefreshId"])
            except Exception as error:
                if code_of(error) != "InstanceRefreshInProgress":
                    raise
        return None

    def follow(self, refresh_id: str) -> RefreshEnd:
        """How just this refresh ended. AWS being away for a while is waited out.

        One that takes longer than the time-out is cancelled, and has ended then.
        """
        end = self._until_ended(refresh_id)
        if end.status in _ENDED:
            return end
        self.tell(f"refresh {refresh_id} takes longer than {self.spec.timeout_seconds:g} s: it is cancelled")
        self._cancel()
        after = self._until_ended(refresh_id)
        why = f"it took longer than {self.spec.timeout_seconds:g} s, and was then {after.status}"
        return after if after.is_success else RefreshEnd(refresh_id, TIMED_OUT, why, after.percent)

    def stop(self) -> None:
        """No refresh of the group goes on: one that does, whoever began it, is cancelled, and has ended.

        Raises:
            ReleaseFailed: it did not end in time.
        """
        if (running := self._running()) is not None:
            self.tell(f"refresh {running['InstanceRefreshId']} of {self.group_name} is under way: it is cancelled")
            self._cancel()
            self._wait_for(str(running["InstanceRefreshId"]))

    def left_behind(self, image_id: str) -> list[str]:
        """Instances of the group that run another image."""
        members = self.account.group(self.group_name).instance_versions
        return [one.id for one in self.account.instances() if one.id in members and one.image_id != image_id]

    def _wanted(self, group: Group, version: int) -> dict[str, Any]:
        preferences: dict[str, Any] = {
            "MinHealthyPercentage": self.spec.min_healthy_percentage,
            "SkipMatching": self.spec.skip_matching,
            "InstanceWarmup": self.spec.instance_warmup,
            "BakeTime": self.spec.bake_time or None,
        }
        if self.spec.checkpoint_percentages:
            preferences["CheckpointPercentages"] = list(self.spec.checkpoint_percentages)
            preferences["CheckpointDelay"] = self.spec.checkpoint_delay
        wanted: dict[str, Any] = {
            "AutoScalingGroupName": self.group_name,
            "Preferences": {name: value for name, value in preferences.items() if value is not None},
        }
        if group.version == "$Default":  # which the version is by now
            return wanted
        if group.template_id is None or group.is_mixed:
            raise ReleaseFailed(
                f"Refreshing the group {self.group_name!r}: it has "
                + ("a launch configuration" if group.template_id is None else f"version {group.version!r} of a policy")
                + ", and cannot be brought to a version of a template. Have it use version $Default of the template."
            )
        template = {"LaunchTemplateId": group.template_id, "Version": str(version)}
        return {**wanted, "DesiredConfiguration": {"LaunchTemplate": template}}

    def _until_ended(self, refresh_id: str) -> RefreshEnd:
        began, told = time.monotonic(), ""
        deadline = began + self.spec.timeout_seconds
        while True:
            try:
                found = self._state(refresh_id)
            except AwsUnavailable as error:
                found = RefreshEnd(refresh_id, "unknown", str(error), 0)
            if found is None and time.monotonic() >= began + _SEEN_SECONDS:
                raise ReleaseFailed(
                    f"Following the refresh {refresh_id!r} of {self.group_name!r}: EC2 knows none of that id. Look at "
                    "the group, and release again."
                )
            now = found or RefreshEnd(refresh_id, "unknown", "EC2 does not show it yet", 0)
            if str(now) != told:
                told = str(now)
                self.tell(f"refresh {refresh_id} of {self.group_name}: {told}")
            if now.status in _ENDED or time.monotonic() >= deadline:
                return now
            time.sleep(self.spec.poll_seconds)

    def _state(self, refresh_id: str) -> RefreshEnd | None:
        """None where EC2 shows none of that id."""
        with of_aws("look at the instance refresh of", self.group_name):
            found = self.account.autoscaling.describe_instance_refreshes(
                AutoScalingGroupName=self.group_name, InstanceRefreshIds=[refresh_id]
            )["InstanceRefreshes"]
        if not found:
            return None
        one = found[0]
        return RefreshEnd(
            refresh_id, one["Status"], one.get("StatusReason", ""), int(one.get("PercentageComplete") or 0)
        )

    def _running(self) -> dict[str, Any] | None:
        """The refresh of the group that has not ended. EC2 tells the newest first, and there is one at a time."""
        with of_aws("look at the instance refreshes of", self.group_name):
            told = self.account.autoscaling.describe_instance_refreshes(AutoScalingGroupName=self.group_name)
        return next((one for one in told["InstanceRefreshes"] if one["Status"] not in _ENDED), None)

    def _wait_for(self, refresh_id: str) -> None:
        end = self._until_ended(refresh_id)
        if end.status not in _ENDED:
            raise ReleaseFailed(
                f"Refreshing the group {self.group_name!r}: another refresh, {refresh_id}, is still {end.status} after "
                f"{self.spec.timeout_seconds:g} s. Let it end or cancel it, and release again."
            )

    def _cancel(self) -> None:
        """It is cancelled, or has ended by itself."""
        with of_aws("cancel the instance refresh of", self.group_name):
            try:
                self.account.autoscaling.cancel_instance_refresh(AutoScalingGroupName=self.group_name)
            except Exception as error:
                if code_of(error) != "ActiveInstanceRefreshNotFound":
                    raise


def _leads_to(running: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Whether a refresh goes on, and not back, to the version that is wanted.

    Where both have none it is the default, as it was when each instance was launched: who follows looks at these.
    """
    if running["Status"] not in _ONWARD:
        return False
    found, asked = (one.get("DesiredConfiguration", {}) for one in (running, wanted))
    told = (found.get("LaunchTemplate", {}), asked.get("LaunchTemplate", {}))
    same = [(one.get("LaunchTemplateId"), one.get("Version")) for one in told]
    return bool("MixedInstancesPolicy" not in found and same[0] == same[1])
