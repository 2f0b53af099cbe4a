"""The image of a commit is built once: one that is there already is taken, whoever was cut short on the way to it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slice_platform.aws import of_aws
from slice_platform.errors import ReleaseFailed
from slice_platform.ops.ami.account import SERVICE_TAG, Account, Image
from slice_platform.ops.ami.codebuild import CodeBuildRun
from slice_platform.ops.ami.leftovers import delete_key, sweep
from slice_platform.ops.ami.packer import Packer
from slice_platform.ops.ami.packer_template import Marks
from slice_platform.ops.ami.spec import ReleaseSpec

_USABLE = ("available", "pending")
_TEN_MINUTES = {"Delay": 5, "MaxAttempts": 120}


@dataclass(frozen=True)
class ImageBuild:
    """The image of one commit of one service."""

    account: Account
    spec: ReleaseSpec
    marks: Marks
    packer: Packer | None
    tell: Callable[[str], None]

    @classmethod
    def of(
        cls, account: Account, spec: ReleaseSpec, marks: Marks, places: tuple[Path, Path], tell: Callable[[str], None]
    ) -> "ImageBuild":
        """`places` are the folder of the template, and the one that packer's output is kept in."""
        folder, work_dir = places
        endpoint = account.access.endpoint_url
        packer = Packer(spec.packer, folder, work_dir, endpoint) if spec.packer is not None else None
        return cls(account, spec, marks, packer, tell)

    def validate(self) -> str:
        """Whatever builds is there and accepts its template; what it said.

        Raises:
            SettingsError: it does not.
        """
        return self.packer.validate(self.marks) if self.packer else self._codebuild.validate()

    def find(self) -> Image | None:
        """The image of the commit, if one was made: as its tags say, whichever release made it."""
        wanted = {SERVICE_TAG: self.marks.service, "branch": self.marks.branch, "commit": self.marks.commit}
        found = [image for image in self.account.images(**wanted) if image.state in _USABLE]
        return found[-1] if found else None

    def run(self) -> str:
        """The image is there, available and tagged; its id. Nothing temporary is left.

        Raises:
            ReleaseFailed: it could not be built.
            AwsUnavailable, AccessRefused: AWS did not do what was asked.
        """
        if self.packer is None:
            exported = self._codebuild.run(self.tell, self._has_image)
            return self._ready(exported or self._tagged())
        assert self.spec.packer is not None
        with self.packer.alone(wait_seconds=self.spec.packer.timeout_seconds) as lock:
            made = self._made_before(self.packer)
            sweep(self.account, self.marks.service, self.tell)
            delete_key(self.account, self.marks.key_name)
            return self._ready(made or self.packer.run(self.marks, self.tell, lock=lock))

    @property
    def _codebuild(self) -> CodeBuildRun:
        assert self.spec.codebuild is not None
        return CodeBuildRun(self.account, self.spec.codebuild, self.marks)

    def _made_before(self, packer: Packer) -> str | None:
        """The image of a packer whose starter was killed; packer tags it last, so that it may lack its tags."""
        if (found := self.find()) is not None:
            return found.id
        begun = packer.image_of(self.marks)
        image = self.account.image(begun) if begun else None
        return image.id if image is not None and image.state in _USABLE else None

    def _tagged(self) -> str:
        found = self._by_tags()
        if found is None:
            raise ReleaseFailed(
                f"The build has succeeded, and no image has the tags branch {self.marks.branch!r} and "
                f"commit {self.marks.commit!r}. Have the template set them, or the buildspec export AMI_ID."
            )
        return found.id

    def _by_tags(self) -> Image | None:
        """The image of the commit; also one that lacks the tag of a service, but none that another service has."""
        found = self.account.images(branch=self.marks.branch, commit=self.marks.commit)
        free = [one for one in found if one.tags.get(SERVICE_TAG, self.marks.service) == self.marks.service]
        return next((one for one in reversed(free) if one.state in _USABLE), None)

    def _has_image(self, exported: str | None) -> bool:
        found = self.account.image(exported) if exported else self._by_tags()
        return found is not None and found.state in _USABLE

    def _ready(self, image_id: str) -> str:
        """It is available and has its tags."""
        with of_aws("wait for the image", image_id):
            self.account.ec2.get_waiter("image_available").wait(ImageIds=[image_id], WaiterConfig=_TEN_MINUTES)
        image = self.account.image(image_id)
        if image is None:
            raise ReleaseFailed(f"Looking at the image {image_id!r}, which was just built: it is gone. Release again.")
        tags = [{"Key": key, "Value": value} for key, value in self.marks.of_image().items()]
        with of_aws("tag", image_id):
            self.account.ec2.create_tags(Resources=[image_id, *image.snapshots], Tags=tags)
        return image_id
