"""Old versions of a launch template and old images of a branch go, and the snapshots of these with them."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

from slice_platform.aws import code_of, of_aws
from slice_platform.errors import AwsUnavailable
from slice_platform.ops.ami.account import SERVICE_TAG, Account, Image
from slice_platform.ops.ami.pruning import (
    IMAGE,
    SNAPSHOT,
    VERSION,
    Stock,
    image_users,
    prune_changes,
    version_users,
)
from slice_platform.ops.ami.releases import JOB as RELEASE_JOB
from slice_platform.ops.ami.releases import Releases
from slice_platform.ops.ami.spec import Service
from slice_platform.ops.fence import Hands, Mandate, Outcome, carry_out
from slice_platform.ops.journal import Journal
from slice_platform.ops.plan import Change, Plan

JOB = "ami_prune"
_LET_GO_SECONDS, _LOOK_SECONDS = 60.0, 2.0


def prune(account: Account, service: Service, journal: Journal, mandate: Mandate) -> Outcome:
    """The branch has at most `keep_images` images and the template `keep_versions`, but for those in use.

    What an earlier plan was cut short at is finished.

    Raises:
        FenceRefused: more would go than the limits allow; nothing is gone.
        DatasetBusy: the service is being released, rolled back or pruned.
        AwsUnavailable, AccessRefused: AWS did not do it; what went before stays gone.
    """
    with journal.alone(RELEASE_JOB, service.name) if mandate.apply else nullcontext():
        return prune_alone(account, service, journal, mandate)


def prune_alone(account: Account, service: Service, journal: Journal, mandate: Mandate) -> Outcome:
    """As `prune`, by whoever holds the service alone."""
    spec, releases = service.spec, Releases(journal.db)
    target = f"{spec.launch_template}, branch {spec.branch} in {account.id}/{account.region}"
    stock = stock_of(account, service, releases, orphans=_orphans(journal, target))
    changes = prune_changes(stock, keep_images=spec.keep_images, keep_versions=spec.keep_versions)
    existing = {VERSION: len(stock.own_versions), IMAGE: len(stock.images), SNAPSHOT: len(stock.snapshots)}
    plan = Plan(JOB, target, changes, existing)
    return carry_out(plan, mandate, journal, _Pruner(account, service, releases))


def stock_of(account: Account, service: Service, releases: Releases, *, orphans: Iterable[str] = ()) -> Stock:
    """What there is now, read anew.

    Raises:
        AccessRefused: the launch template is not there.
    """
    spec, under_way = service.spec, releases.under_way(service.name)
    last = releases.last_promoted(service.name)
    versions = account.versions()
    if not any(one.template_name == spec.launch_template for one in versions):
        account.versions(spec.launch_template)  # EC2's own words for it
    images = [one for one in account.images(branch=spec.branch) if not _is_of_another(one, service.name)]
    left = frozenset(orphans)
    return Stock(
        template=spec.launch_template,
        images=images,
        versions=versions,
        groups=account.groups(),
        instances=account.instances(),
        snapshots=account.snapshots([*(one for image in images for one in image.snapshots), *left]),
        configurations=account.configured_images(),
        orphans=left,
        rollback_to=frozenset(one.previous_version for one in (*under_way, last) if one and one.previous_version),
        under_way=frozenset(one.image_id for one in under_way if one.image_id),
    )


def _is_of_another(image: Image, service: str) -> bool:
    """Whether another service, whose branch has the same name, made it."""
    return image.tags.get(SERVICE_TAG, service) != service


@dataclass(frozen=True)
class _Pruner(Hands):
    account: Account
    service: Service
    releases: Releases
    deregistered: set[str] = field(default_factory=set)  # by us; EC2 may show them for a while yet

    def users_of(self, change: Change) -> tuple[str, ...]:
        if change.kind == SNAPSHOT:
            holders = self.account.images_of_snapshot(change.resource)
            return tuple(one for one in holders if one not in self.deregistered)
        stock = stock_of(self.account, self.service, self.releases)
        if change.kind == IMAGE:
            return tuple(image_users(stock).get(change.resource, ()))
        return tuple(version_users(stock).get(_number(change), ()))

    def act(self, change: Change) -> None:
        if change.kind == VERSION:
            self._delete_version(change)
        elif change.kind == IMAGE:
            with of_aws("deregister", change.resource), _unless_gone("InvalidAMIID"):
                self.account.ec2.deregister_image(ImageId=change.resource)
            self.deregistered.add(change.resource)
        else:
            with of_aws("delete", change.resource), _unless_gone("InvalidSnapshot.NotFound"):
                self._delete_snapshot(change.resource)

    def _delete_snapshot(self, snapshot: str) -> None:
        """It is deleted, as soon as EC2 has let go of it: that it does a while after its image is deregistered."""
        deadline = time.monotonic() + _LET_GO_SECONDS
        while True:
            try:
                self.account.ec2.delete_snapshot(SnapshotId=snapshot)
            except Exception as error:
                if code_of(error) != "InvalidSnapshot.InUse" or time.monotonic() >= deadline:
                    raise
                time.sleep(_LOOK_SECONDS)
            else:
                return

    def _delete_version(self, change: Change) -> None:
        with of_aws("delete", change.resource):
            answer = self.account.ec2.delete_launch_template_versions(
                LaunchTemplateName=self.service.spec.launch_template, Versions=[str(_number(change))]
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
