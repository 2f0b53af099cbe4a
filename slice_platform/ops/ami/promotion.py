"""An image becomes the default of a launch template: a new version, made from the one that is the default now."""

import json
import re
import time
from dataclasses import dataclass

from slice_platform.aws import of_aws
from slice_platform.errors import AwsUnavailable, ReleaseFailed
from slice_platform.ops.ami.account import Account, TemplateVersion
from slice_platform.ops.fence import Hands
from slice_platform.ops.plan import Change

CREATE, SET_DEFAULT = "create", "set default"
_TEMPLATE = "launch template"
_MADE_BY = re.compile(r"release (?P<release>[0-9a-f]+) from (?P<source>\d+)")
_SEEN_SECONDS, _LOOK_SECONDS = 60.0, 2.0  # EC2 may not show for a while what it has just made


@dataclass(frozen=True)
class MadeBy:
    """Which release made a version, and from which one: what the description of the version says."""

    release: str
    source: int

    def __str__(self) -> str:
        return f"release {self.release} from {self.source}"


def made_by(version: TemplateVersion) -> MadeBy | None:
    """None where no release of ours made it."""
    found = _MADE_BY.fullmatch(version.description)
    return MadeBy(found["release"], int(found["source"])) if found else None


@dataclass(frozen=True)
class Promotion(Hands):
    """One image of one release on its way into one launch template."""

    account: Account
    template: str
    image_id: str
    release: str

    def changes(self, before: TemplateVersion) -> tuple[Change, ...]:
        """What has to be done; nothing where the version is there and the default."""
        made = self.version()
        if made is not None and made.is_default:
            return ()
        reason = f"{self.image_id} in place of {before.image_id}"
        create = Change(CREATE, f"{_TEMPLATE} version", f"of {self.template}", reason, removes=False)
        undo = json.dumps({"template": self.template, "default_version": before.number})
        number = made.number if made else "that is made"
        switch = Change(
            SET_DEFAULT, _TEMPLATE, self.template, f"version {number} in place of {before.number}", undo, removes=False
        )
        return (switch,) if made else (create, switch)

    def version(self) -> TemplateVersion | None:
        """The version of this promotion, if it was made already: it is the default, or was made from the default.

        One that was made from an earlier default lacks what was changed since, and is none.
        """
        every = self.account.versions(self.template)
        default = next((one for one in every if one.is_default), None)
        found = [one for one in every if default is not None and self._is_mine(one, default)]
        return found[-1] if found else None

    def _is_mine(self, version: TemplateVersion, default: TemplateVersion) -> bool:
        made = made_by(version)
        if made is None or (made.release, version.image_id) != (self.release, self.image_id):
            return False
        return version.is_default or made.source == default.number

    def act(self, change: Change) -> None:
        if change.verb == CREATE:
            self._create()
        else:
            set_default(self.account, self.template, self._seen().number)

    def _seen(self) -> TemplateVersion:
        """The version that was made, as soon as EC2 shows it."""
        deadline = time.monotonic() + _SEEN_SECONDS
        while (made := self.version()) is None:
            if time.monotonic() >= deadline:
                raise AwsUnavailable(
                    f"Looking for the version of {self.template!r} with {self.image_id!r}, which was made: EC2 does "
                    f"not show it after {_SEEN_SECONDS:g} s. The release can be repeated, and goes on from here."
                )
            time.sleep(_LOOK_SECONDS)
        return made

    def _create(self) -> None:
        """Safe to repeat: a version that is there already is not made again."""
        if self.version() is not None:
            return
        source = default_of(self.account, self.template).number
        with of_aws("make a version of the launch template", self.template):
            self.account.ec2.create_launch_template_version(
                LaunchTemplateName=self.template,
                SourceVersion=str(source),
                LaunchTemplateData={"ImageId": self.image_id},
                VersionDescription=str(MadeBy(self.release, source)),
                ClientToken=f"{self.release} {source} {self.image_id}",  # a lost answer makes no second version
            )


def default_of(account: Account, template: str) -> TemplateVersion:
    """The default version of a launch template.

    Raises:
        AccessRefused: there is no such template.
        ReleaseFailed: it has no default version, which EC2 does not let happen.
    """
    found = next((one for one in account.versions(template) if one.is_default), None)
    if found is None:
        raise ReleaseFailed(f"Looking at the launch template {template!r}: none of its versions is the default.")
    return found


def set_default(account: Account, template: str, number: int) -> None:
    """The version is the default of the template. Idempotent."""
    with of_aws("set the default version of the launch template", template):
        account.ec2.modify_launch_template(LaunchTemplateName=template, DefaultVersion=str(number))
