"""The course of one instance refresh: it really terminates instances of moto's and launches others, one at a step.

Pending, InProgress, perhaps Baking, Successful; or Cancelling, Cancelled; or RollbackInProgress, RollbackSuccessful. A
tag `slice:refresh` on the group, with these words in it, has it end otherwise, and is read anew at each step:
    fail-at-50      fails, or rolls back where AutoRollback is on, once it is complete by 50 % (any number)
    hang            stays InProgress
    rollback-fails  ends with RollbackFailed
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.core.exceptions import ServiceException

from slice_platform.local.aws_groups import Launch
from slice_platform.local.aws_moto import LocalGroup

OUTCOME_TAG = "slice:refresh"
ACTIVE = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")


@dataclass
class Refresh:
    """One refresh of `group` from `before` to `after`."""

    group: LocalGroup
    after: Launch
    before: Launch
    desired: Mapping[str, Any] | None
    preferences: dict[str, Any]
    stepped_at: float = 0.0
    id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "Pending"
    reason: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    percentage: int = 0
    rollback: dict[str, Any] | None = None
    _polled: bool = False
    _waiting: list[str] = field(init=False)  # instances to replace
    _total: int = field(init=False)
    _done: list[str] = field(default_factory=list)  # instances that replaced one

    def __post_init__(self) -> None:
        skips = self.preferences.get("SkipMatching", False)
        self._waiting = [
            state.instance_id
            for state in self.group.instance_states
            if not (skips and _is_of(state.launch_template, self.after))
        ]
        self._total = len(self._waiting)

    @property
    def rolls_back_itself(self) -> bool:
        return bool(self.preferences.get("AutoRollback", False))

    def poll(self) -> None:
        """A step, but the first who asks sees how it begins."""
        if self._polled:
            self.step()
        self._polled = True

    def step(self) -> None:
        match self.status:
            case "Pending":
                self.status, self.percentage = "InProgress", 0 if self._total else 100
            case "InProgress":
                self._go_on()
            case "Baking":
                self._succeed()
            case "Cancelling":
                self._end("Cancelled", "Cancelled by user.")
            case "RollbackInProgress":
                self._go_back()

    def cancel(self) -> None:
        self.status = "Cancelling"

    def roll_back(self, reason: str) -> None:
        """From here on the instances that were launched are replaced by such as there were before."""
        self.rollback = {
            "RollbackReason": reason,
            "RollbackStartTime": datetime.now(UTC),
            "PercentageCompleteOnRollback": self.percentage,
            "InstancesToUpdateOnRollback": len(self._waiting),
        }
        self.status, self._waiting, self._done = "RollbackInProgress", self._done, []

    def described(self) -> dict[str, Any]:
        told = {
            "InstanceRefreshId": self.id, "AutoScalingGroupName": self.group.name, "Status": self.status,
            "StartTime": self.started_at, "PercentageComplete": self.percentage, "Strategy": "Rolling",
            "InstancesToUpdate": len(self._waiting), "Preferences": self.preferences,
            "StatusReason": self.reason, "EndTime": self.ended_at, "DesiredConfiguration": self.desired,
            "RollbackDetails": self.rollback,
        }  # fmt: skip
        return {name: value for name, value in told.items() if value is not None}

    def _go_on(self) -> None:
        if "hang" in self._words:
            return
        if (limit := self._fails_at) is not None and self.percentage >= limit:
            self._fail(f"The local AWS was told to fail at {limit} % by the tag {OUTCOME_TAG}.")
        elif self._waiting:
            self._replace_one(self.after)
            self.percentage = 100 * (self._total - len(self._waiting)) // self._total
        elif self.preferences.get("BakeTime"):
            self.status = "Baking"
        else:
            self._succeed()

    def _go_back(self) -> None:
        """The percentage goes back to zero, as with AWS."""
        if "rollback-fails" in self._words:
            self._end("RollbackFailed", f"The local AWS was told to fail by the tag {OUTCOME_TAG}.")
        elif self._waiting:
            self._replace_one(self.before)
            if self.status == "RollbackInProgress":
                self.percentage = 100 * len(self._waiting) // self._total
        else:
            self._end("RollbackSuccessful", "Instance refresh was rolled back.")

    def _replace_one(self, launch: Launch) -> None:
        old, known = self._waiting[0], {state.instance_id for state in self.group.instance_states}
        try:
            if old in known:  # somebody else may have ended it, and the group replaced it
                self.group.launch(launch.version, 1)
        except ServiceException as refused:
            self._fail(f"{refused.message}. Launching EC2 instance failed.")
            return
        if old in known:
            self.group.terminate(old)
        self._done += [one.instance_id for one in self.group.instance_states if one.instance_id not in known]
        self._waiting.pop(0)

    def _fail(self, reason: str) -> None:
        if self.status == "RollbackInProgress":
            self._end("RollbackFailed", reason)
        elif self.rolls_back_itself:
            self.roll_back(reason)
        else:
            self._end("Failed", reason)

    def _succeed(self) -> None:
        """The group launches from now on what it was refreshed to."""
        if self.desired is not None:
            self.group.ec2_launch_template = self.after.version.template
            self.group.launch_template_version = self.after.asked
            self.group.provided_launch_template_version = self.after.asked
        self._end("Successful", None)

    def _end(self, status: str, reason: str | None) -> None:
        self.status, self.reason, self.ended_at = status, reason, datetime.now(UTC)

    @property
    def _words(self) -> list[str]:
        return [word for tag in self.group.tags if tag["Key"] == OUTCOME_TAG for word in tag["Value"].split()]

    @property
    def _fails_at(self) -> int | None:
        found = [match[1] for word in self._words if (match := re.fullmatch(r"fail-at-(\d+)", word))]
        return int(found[0]) if found else None


def _is_of(found: Mapping[str, Any] | None, launch: Launch) -> bool:
    wanted = (launch.version.template.id, str(launch.version.number))
    return found is not None and (found["LaunchTemplateId"], found["Version"]) == wanted
