"""An image proves itself on one instance before anything else uses it; the instance is gone afterwards, always."""

import http.client
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from slice_platform.aws import of_aws
from slice_platform.errors import ReleaseFailed
from slice_platform.ops.ami.account import ROLE_TAG, SERVICE_TAG, Account, Instance
from slice_platform.ops.ami.leftovers import terminate
from slice_platform.ops.ami.packer_template import Marks
from slice_platform.ops.ami.spec import ImageTest

TESTED = "image-test"
_Found = TypeVar("_Found")
_URL_SECONDS = 5.0
_MOST_OUTPUT = 2_000


@dataclass(frozen=True)
class ImageTrial:
    """One image of one release on trial."""

    account: Account
    spec: ImageTest
    marks: Marks
    tell: Callable[[str], None]

    def run(self, image_id: str) -> None:
        """The image is well: an instance of it ran, and answered. No instance of the trial is left.

        Raises:
            ReleaseFailed: it did not run, or did not answer well, in time.
            AwsUnavailable, AccessRefused: AWS did not do what was asked; an instance that could not be terminated is
                terminated by the next trial or sweep.
        """
        with self._instance(image_id) as instance:
            self.tell(f"test: {instance.id} of {image_id} is launched")
            running = self._until("run", lambda: self._running(instance.id))
            if self.spec.check is not None:
                self._check(self.spec.check, running)
            else:
                url = str(self.spec.health_url).format(private_ip=running.private_ip, public_ip=running.public_ip)
                self._until(f"answer at {url}", lambda: _answers(url))
        self.tell(f"test: {image_id} is well; its instance is terminated")

    @contextmanager
    def _instance(self, image_id: str) -> Iterator[Instance]:
        mine: list[Instance] = []  # EC2 may not show it by its tags yet
        try:
            with of_aws("launch an instance of", image_id):
                (launched,) = self.account.ec2.run_instances(**self._wanted(image_id))["Instances"]
            ours = Instance(launched["InstanceId"], image_id, "pending", {}, None, None)
            mine = [ours]
            yield ours
        finally:  # by their tag: also one of a launch whose answer was lost, or of a run that was killed
            left = self._left()
            terminate(self.account, [*left, *(one for one in mine if one.id not in {each.id for each in left})])

    def _left(self) -> list[Instance]:
        """Every test instance of the service: whoever tests holds it alone."""
        return self.account.instances(**{SERVICE_TAG: self.marks.service, ROLE_TAG: TESTED})

    def _wanted(self, image_id: str) -> dict[str, object]:
        tags = [{"Key": key, "Value": value} for key, value in self.marks.of_instance(TESTED).items()]
        network = {"SubnetId": self.spec.subnet_id, "SecurityGroupIds": list(self.spec.security_group_ids)}
        return {
            "ImageId": image_id,
            "InstanceType": self.spec.instance_type,
            "MinCount": 1,
            "MaxCount": 1,
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
            **{name: value for name, value in network.items() if value},
        }

    def _running(self, instance_id: str) -> Instance | None:
        found = [one for one in self._left() if one.id == instance_id]
        if found and found[0].state == "running":
            return found[0]
        return None

    def _until(self, what: str, look: Callable[[], _Found | None]) -> _Found:
        """What `look` finds, in time."""
        deadline = time.monotonic() + self.spec.timeout_seconds
        while (found := look()) is None:
            if time.monotonic() >= deadline:
                raise ReleaseFailed(
                    f"Testing the image: after {self.spec.timeout_seconds:g} s its instance does not {what}. Nothing "
                    "uses the image. Look at the image's boot, or raise test.timeout_seconds."
                )
            time.sleep(self.spec.poll_seconds)
        return found

    def _check(self, command: tuple[str, ...], instance: Instance) -> None:
        facts = {
            "INSTANCE_ID": instance.id,
            "IMAGE_ID": instance.image_id,
            "PRIVATE_IP": instance.private_ip or "",
            "PUBLIC_IP": instance.public_ip or "",
        }
        try:
            code, output = _ran(command, {**os.environ, **facts}, self.spec.timeout_seconds)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReleaseFailed(
                f"Testing the image with {command!r}: {error}. Nothing uses the image. Mend test.check, or raise "
                "test.timeout_seconds."
            ) from error
        said = output.strip()[-_MOST_OUTPUT:]
        if said:
            self.tell(said)
        if code != 0:
            raise ReleaseFailed(
                f"Testing the image with {command!r}: it exited with {code}: {said!r}. Nothing uses the "
                "image. Mend what it found, and release again."
            )


def _ran(command: tuple[str, ...], environment: dict[str, str], timeout_seconds: float) -> tuple[int, str]:
    """Its exit code and what it said; one that is late is killed with all that it started.

    Raises:
        OSError: there is no such program.
        TimeoutExpired: it was late.
    """
    process = subprocess.Popen(  # noqa: S603 -- the user's own command, of the YAML of the release
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=timeout_seconds)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # what the command started holds our pipe, and would be waited for
        process.communicate()
        raise
    return process.returncode, output


def _answers(url: str) -> int | None:
    """Its status where that is a good one."""
    try:
        with urllib.request.urlopen(url, timeout=_URL_SECONDS) as answer:  # noqa: S310 -- the user's own URL
            return int(answer.status)
    except (OSError, http.client.HTTPException):  # no answer, one from 400 on, or none that is HTTP
        return None
