"""A CodeBuild project that runs packer: started once for a release, and followed to its end."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slice_platform.aws import client, of_aws
from slice_platform.errors import AwsUnavailable, ReleaseFailed, SettingsError
from slice_platform.ops.ami.account import Account
from slice_platform.ops.ami.packer_template import Marks
from slice_platform.ops.ami.spec import CodeBuild

IMAGE_VARIABLE = "AMI_ID"  # that the buildspec may export
_RELEASE_VARIABLE = "SLICE_RELEASE"
_IMAGE_ID = re.compile(r"ami-[0-9a-f]+")
_MOST_BUILDS = 100  # of the project, looked through for ours


@dataclass(frozen=True)
class CodeBuildRun:
    """The build of one release in one project."""

    account: Account
    spec: CodeBuild
    marks: Marks

    def validate(self) -> str:
        """The project is there.

        Raises:
            SettingsError: it is not.
        """
        with of_aws("look at the CodeBuild project", self.spec.project):
            found = self._builds.batch_get_projects(names=[self.spec.project])["projects"]
        if not found:
            raise SettingsError(
                f"Looking for the CodeBuild project {self.spec.project!r} in {self.account.region}: there is none. "
                "Mend codebuild.project, or check the account and AWS_REGION."
            )
        return f"the CodeBuild project {self.spec.project} is there"

    def run(self, tell: Callable[[str], None], has_image: Callable[[str | None], bool]) -> str | None:
        """The build has succeeded; the image that it exports as AMI_ID, if it does.

        One of this release that was started before is followed in place of another, unless its image is gone by now:
        that `has_image` tells, of what a build exports.

        Raises:
            ReleaseFailed: it failed, or took too long and was stopped, or exports what is no image.
        """
        mine = self._ours()
        build = next((one for one in mine if _may_give(one, has_image)), None) or self._start(len(mine))
        tell(f"CodeBuild {build['id']} is followed")
        deadline, phase = time.monotonic() + self.spec.timeout_seconds, ""
        while build["buildStatus"] == "IN_PROGRESS":
            if time.monotonic() > deadline:
                self._stop(build["id"])
            time.sleep(self.spec.poll_seconds)
            build = self._look(build["id"]) or build
            if build.get("currentPhase", "") != phase:
                phase = build.get("currentPhase", "")
                tell(f"CodeBuild {build['id']}: {phase}")
        if build["buildStatus"] != "SUCCEEDED":
            raise ReleaseFailed(
                f"CodeBuild {build['id']} ended as {build['buildStatus']}. Its log: "
                f"{build.get('logs', {}).get('deepLink', 'see the project')}. Nothing was promoted; release again."
            )
        image = _exported(build)
        if image is not None and not _IMAGE_ID.fullmatch(image):
            raise ReleaseFailed(
                f"CodeBuild {build['id']} exports {IMAGE_VARIABLE} as {image!r}, expected is the id of an image, "
                "such as 'ami-0123456789abcdef0', without the region. Mend the buildspec, and release again."
            )
        return image

    @property
    def _builds(self) -> Any:
        return client("codebuild", self.account.access)

    def _start(self, earlier: int) -> dict[str, Any]:
        given = {_RELEASE_VARIABLE: self.marks.release, "COMMIT": self.marks.commit, "BRANCH": self.marks.branch}
        variables = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in given.items()]
        with of_aws("start the CodeBuild project", self.spec.project):
            started: dict[str, Any] = self._builds.start_build(
                projectName=self.spec.project,
                environmentVariablesOverride=variables,
                sourceVersion=self.marks.commit,
                idempotencyToken=f"{self.marks.release}-{earlier}",  # a lost answer starts no second build
            )["build"]
        return started

    def _ours(self) -> list[dict[str, Any]]:
        """The builds of this release, the newest first."""
        with of_aws("list the builds of", self.spec.project):
            ids = self._builds.list_builds_for_project(projectName=self.spec.project)["ids"][:_MOST_BUILDS]
            found = self._builds.batch_get_builds(ids=ids)["builds"] if ids else []
        return [one for one in found if _is_of(one, self.marks.release)]

    def _look(self, build_id: str) -> dict[str, Any] | None:
        """Its state now; None where AWS does not say for the moment."""
        try:
            with of_aws("look at the build", build_id):
                found: list[dict[str, Any]] = self._builds.batch_get_builds(ids=[build_id])["builds"]
        except AwsUnavailable:
            return None
        return found[0] if found else None

    def _stop(self, build_id: str) -> None:
        with of_aws("stop the build", build_id):
            self._builds.stop_build(id=build_id)
        raise ReleaseFailed(
            f"CodeBuild {build_id} took longer than {self.spec.timeout_seconds:g} s and was stopped. Nothing was "
            "promoted; raise codebuild.timeout_seconds, or release again."
        )


def _is_of(build: dict[str, Any], release: str) -> bool:
    variables = build.get("environment", {}).get("environmentVariables", [])
    return any(one["name"] == _RELEASE_VARIABLE and one["value"] == release for one in variables)


def _may_give(build: dict[str, Any], has_image: Callable[[str | None], bool]) -> bool:
    """Whether it goes on, or has made an image that is still there."""
    is_done = build["buildStatus"] == "SUCCEEDED"
    return build["buildStatus"] == "IN_PROGRESS" or (is_done and has_image(_exported(build)))


def _exported(build: dict[str, Any]) -> str | None:
    found = (one["value"] for one in build.get("exportedEnvironmentVariables", []) if one["name"] == IMAGE_VARIABLE)
    return next(found, None) or None
