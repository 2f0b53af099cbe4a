"""Old versions of a launch template and old images of a branch go, and the snapshots of these with them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slice_platform.aws import code_of, of_aws
from slice_platform.errors import AwsUnavailable
from slice_platform.ops.ami.account import Account
from slice_platform.ops.ami.pruning import (
    IMAGE,
    SNAPSHOT,
    VERSION,
    Stock,
    image_users,
    prune_changes,
    version_users,
)
from slice_platform.ops.ami.spec import ReleaseSpec
from slice_platform.ops.fence import Mandate, Outcome, carry_out
from slice_platform.ops.journal import Journal
from slice_platform.ops.plan import Change, Plan

JOB = "ami_prune"


def prune(
    account: Account, spec: ReleaseSpec, journal: Journal, mandate: Mandate, *, rollback_to: int | None = None
) -> Outcome:
    """The branch has at most `keep_images` images and the template `keep_versions`, but for those in use.

    What an earlier plan was cut short at is finished.

    Raises:
        FenceRefused: more would go than the limits allow; nothing is gone.
        AwsUnavailable, AccessRefused: AWS did not do it; what went before stays gone.
    """
    target = f"{spec.launch_template}, branch {spec.branch} in {account.id()}/{account.region}"
    stock = stock_of(account, spec, rollback_to=rollback_to, orphans=_orphans(journal, target))
    changes = prune_changes(stock, keep_images=spec.keep_images, keep_versions=spec.keep_versions)
    existing = {VERSION: len(stock.own_versions), IMAGE: len(stock.images), SNAPSHOT: len(stock.snapshots)}
    plan = Plan(JOB, target, changes, existing)
    return carry_out(plan, mandate, journal, _Pruner(account, spec, rollback_to))


def stock_of(
    account: Account, spec: ReleaseSpec, *, rollback_to: int | None = None, orphans: Iterable[str] = ()
) -> Stock:
    """What there is now, read anew.

    Raises:
        AccessRefused: the launch template is not there.
    """
    versions = account.versions()
    if not any(one.template_name == spec.launch_template for one in versions):
        account.versions(spec.launch_template)  # EC2's own words for it
    images, left = account.images(branch=spec.branch), frozenset(orphans)
    return Stock(
        template=spec.launch_template,
        images=images,
        versions=versions,
        groups=account.groups(),
        instances=account.instances(),
        snapshots=account.snapshots([*(one for image in images for one in image.snapshots), *left]),
        configurations=account.configured_images(),
        orphans=left,
        rollback_to=rollback_to,
    )


@dataclass(frozen=True)
class _Pruner:
    account: Account
    spec: ReleaseSpec
    rollback_to: int | None

    def users_of(self, change: Change) -> tuple[str, ...]:
        if change.kind == SNAPSHOT:
            return tuple(self.account.images_of_snapshot(change.resource))
        stock = stock_of(self.account, self.spec, rollback_to=self.rollback_to)
        if change.kind == IMAGE:
            return tuple(image_users(stock).get(change.resource, ()))
        return tuple(version_users(stock).get(_number(change), ()))

    def act(self, change: Change) -> None:
        if change.kind == VERSION:
            self._delete_version(change)
        elif change.kind == IMAGE:
            with of_aws("deregister", change.resource), _unless_gone("InvalidAMIID"):
                self.account.ec2.deregister_image(ImageId=change.resource)
        else:
            with of_aws("delete", change.resource), _unless_gone("InvalidSnapshot.NotFound"):
                self.account.ec2.delete_snapshot(SnapshotId=change.resource)

    def _delete_version(self, change: Change) -> None:
        with of_aws("delete", change.resource):
            answer = self.account.ec2.delete_launch_template_versions(
                LaunchTemplateName=self.spec.launch_template, Versions=[str(_number(change))]
            )
        for failed in answer.get("UnsuccessfullyDeletedLaunchTemplateVersions", []):
            error = failed["ResponseError"]
            if error["Code"] not in ("launchTemplateVersionDoesNotExist", "launchTemplateIdDoesNotExist"):
                raise AwsUnavailable(f"Could not delete {change.resource!r}: {error['Code']}: {error.get('Message')}.")


def _number(change: Change) -> int:
    return int(change.resource.rsplit(":", 1)[-1])


def _orphans(journal: Journal, target: str) -> list[str]:
    return [change.resource for change in journal.unfinished(JOB, target) if change.kind == SNAPSHOT]


@contextmanager
def _unless_gone(code: str) -> Iterator[None]:
    """What is gone already is no error."""
    try:
        yield
    except Exception as error:
        if not code_of(error).startswith(code):
            raise
