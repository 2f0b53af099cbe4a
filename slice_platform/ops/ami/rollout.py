"""A version reaches the instances of a group, or the group is put back to the version before: one of the two."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

from slice_platform.errors import ReleaseFailed
from slice_platform.ops.ami.account import Account
from slice_platform.ops.ami.instance_refresh import ROLLED_BACK, RefreshEnd, Refresher
from slice_platform.ops.ami.promotion import default_of, set_default
from slice_platform.ops.ami.releases import JOB, Releases
from slice_platform.ops.ami.spec import ReleaseSpec, Service
from slice_platform.ops.fence import Hands, Mandate, Outcome, carry_out
from slice_platform.ops.journal import Journal
from slice_platform.ops.plan import Change, Plan

REFRESH_JOB, ROLLBACK_JOB = "ami_refresh", "ami_rollback"
_GROUP, _TEMPLATE = "auto-scaling group", "launch template"


@dataclass
class Rollout:
    """The group of one service on its way to one version. `on_start` is told the id of each refresh as it begins."""

    account: Account
    spec: ReleaseSpec
    tell: Callable[[str], None]
    on_start: Callable[[str], None] = field(default=lambda _id: None)

    @property
    def refresher(self) -> Refresher:
        return Refresher(self.account, self.spec.auto_scaling_group, self.spec.refresh, self.tell)

    def to_version(self, version: int, refresh_id: str | None = None) -> RefreshEnd:
        """How the refresh to the version ended; one with `refresh_id`, begun before, is followed first.

        A success is one where the instances run the version's image: where some do not, they are refreshed once more,
        and what still does not, as it is protected or stands by, is told.
        """
        end = self._once(version, refresh_id)
        image = self._image_of(version)
        if end.is_success and image and self.refresher.left_behind(image):
            end = self._once(version, None)
            if end.is_success and (left := self.refresher.left_behind(image)):
                self.tell(f"refresh {end.refresh_id}: {', '.join(left)} kept another image than {image}")
        return end

    def back_to(self, version: int, end: RefreshEnd | None) -> str:
        """The version is the default again and the group runs it; what was done, in a sentence.

        Raises:
            ReleaseFailed: the group could not be brought back; the message says how it stands.
        """
        set_default(self.account, self.spec.launch_template, version)
        if end is not None and end.status == ROLLED_BACK:
            return f"EC2 has put the instances back, and version {version} is the default again"
        back = self.to_version(version)
        if not back.is_success:
            raise ReleaseFailed(
                f"Putting {self.spec.auto_scaling_group!r} back to version {version} of "
                f"{self.spec.launch_template!r}: the refresh {back.refresh_id} ended as {back}. The version is the "
                "default again, so that new instances have it; instances that run another one stay. Look at the group."
            )
        return f"version {version} is the default again, and the group runs it (refresh {back.refresh_id})"

    def _once(self, version: int, refresh_id: str | None) -> RefreshEnd:
        if refresh_id is None:
            refresh_id = self.refresher.start(version)
            self.on_start(refresh_id)
        return self.refresher.follow(refresh_id)

    def _image_of(self, version: int) -> str | None:
        every = self.account.versions(self.spec.launch_template)
        return next((one.image_id for one in every if one.number == version), None)


@dataclass
class _Back(Hands):
    """Hands of a rollback that a person asks for."""

    rollout: Rollout
    version: int
    said: str = ""

    def act(self, change: Change) -> None:
        if change.kind == _TEMPLATE:
            set_default(self.rollout.account, self.rollout.spec.launch_template, self.version)
        else:
            self.rollout.refresher.stop()  # on its way to where nobody wants to be
            self.said = self.rollout.back_to(self.version, None)


def rollback(account: Account, service: Service, journal: Journal, mandate: Mandate, *, to_version: int) -> Outcome:
    """The version is the default of the launch template, and the group runs it; no release goes on from where it was.

    Raises:
        ReleaseFailed: there is no such version, or none that can be launched, or the group could not be brought to it.
        DatasetBusy: the service is being released, rolled back or pruned.
    """
    with journal.alone(JOB, service.name) if mandate.apply else nullcontext():
        _check_launchable(account, service.spec.launch_template, to_version)
        if mandate.apply:
            Releases(journal.db).supersede(service.name)
        return _roll_back(account, service.spec, journal, mandate, to_version)


def _check_launchable(account: Account, template: str, version: int) -> None:
    found = next((one for one in account.versions(template) if one.number == version), None)
    if found is None:
        raise ReleaseFailed(f"Rolling {template!r} back to version {version}: there is none. See `slice ami list`.")
    image = account.image(found.image_id) if found.image_id else None
    if found.image_id and (image is None or image.state != "available"):
        raise ReleaseFailed(
            f"Rolling {template!r} back to version {version}: its image {found.image_id!r} is "
            f"{image.state if image else 'gone'}, and nothing could be launched. Nothing was changed. See `slice ami "
            "list` for the others, or release its commit again."
        )


def _roll_back(account: Account, spec: ReleaseSpec, journal: Journal, mandate: Mandate, to_version: int) -> Outcome:
    now, template = default_of(account, spec.launch_template), spec.launch_template
    undo = json.dumps({"template": template, "default_version": now.number})
    reason = f"version {to_version} in place of {now.number}"
    changes = (
        Change("set default", _TEMPLATE, template, reason, undo, removes=False),
        Change(
            "refresh",
            _GROUP,
            spec.auto_scaling_group,
            f"to version {to_version}; one under way is cancelled",
            undo,
            removes=False,
        ),
    )
    target = f"{spec.auto_scaling_group} in {account.id}/{account.region}"
    hands = _Back(Rollout(account, spec, mandate.tell), to_version)
    return carry_out(Plan(ROLLBACK_JOB, target, changes), mandate, journal, hands)
