"""An image becomes the default of a launch template: a new version, made from the one that is the default now."""

import json
from dataclasses import dataclass

from slice_platform.aws import of_aws
from slice_platform.errors import ReleaseFailed
from slice_platform.ops.ami.account import Account, TemplateVersion
from slice_platform.ops.plan import Change

CREATE, SET_DEFAULT = "create", "set default"
_TEMPLATE = "launch template"


@dataclass(frozen=True)
class Promotion:
    """One image on its way into one launch template. `label` tells its version from all others."""

    account: Account
    template: str
    image_id: str
    label: str

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
        """The version of this promotion, if it was made already."""
        found = [one for one in self.account.versions(self.template) if one.description == self.label]
        return found[-1] if found else None

    def users_of(self, change: Change) -> tuple[str, ...]:  # noqa: ARG002 -- of the fence: nothing is taken away
        return ()

    def act(self, change: Change) -> None:
        if change.verb == CREATE:
            self._create()
        else:
            made = self.version()
            assert made is not None
            set_default(self.account, self.template, made.number)

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
                VersionDescription=self.label,
                ClientToken=f"{self.label} from {source}",  # a lost answer makes no second version
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
