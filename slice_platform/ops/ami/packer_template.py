"""A packer template as the release builds it: the user's own, with the tags by which its image is found again."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slice_platform.errors import SettingsError
from slice_platform.ops.ami.account import RELEASE_TAG, ROLE_TAG, SERVICE_TAG

ENDPOINT = "custom_endpoint_ec2"
BUILDER = "builder"


@dataclass(frozen=True)
class Marks:
    """What an image and everything made on the way to it carries."""

    release: str
    service: str
    branch: str
    commit: str

    @property
    def key_name(self) -> str:
        """Of the key pair that packer makes and deletes: a packer that was killed leaves it."""
        return f"slice-{self.release}"

    def of_image(self) -> dict[str, str]:
        return {**self._common(), "branch": self.branch, "commit": self.commit}

    def of_instance(self, role: str) -> dict[str, str]:
        return {**self._common(), ROLE_TAG: role}

    def _common(self) -> dict[str, str]:
        return {RELEASE_TAG: self.release, SERVICE_TAG: self.service}


def read_template(path: Path) -> dict[str, Any]:
    """The template, parsed.

    Raises:
        SettingsError: it is not there, no JSON, or builds no EBS-backed image.
    """
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
        builders = [one["type"] for one in parsed["builders"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"Reading packer's template {str(path)!r}: {type(error).__name__}: {error}. Expected is JSON with a list "
            "`builders` of objects that have a `type`; try `packer validate` on it."
        ) from error
    if builders != ["amazon-ebs"]:
        raise SettingsError(
            f"Reading packer's template {str(path)!r}: its builders are {builders!r}, expected is one of the type "
            "'amazon-ebs', which makes the one image that is released."
        )
    return dict(parsed)


def marked(template: dict[str, Any], marks: Marks, *, endpoint_url: str | None, variables: Collection[str] = ()) -> str:
    """The template as JSON, with the tags of the release and, for a local AWS, its endpoint.

    Packer does not heed AWS_ENDPOINT_URL: a template that does not name the endpoint would build in AWS itself. Those
    `variables` are taken from the environment, as `variable_in_environment` names them: their values may be nobody's
    business, and stand neither in a file nor among the arguments of a process.
    """
    given = {name: f"{{{{env `{variable_in_environment(name)}`}}}}" for name in variables}
    (builder,) = template["builders"]
    added: dict[str, object] = {
        "tags": {**builder.get("tags", {}), **marks.of_image()},
        "snapshot_tags": {**builder.get("snapshot_tags", {}), **marks.of_image()},
        "run_tags": {**builder.get("run_tags", {}), **marks.of_instance(BUILDER)},
    }
    if "ssh_keypair_name" not in builder:
        added["temporary_key_pair_name"] = marks.key_name
    if endpoint_url:
        added[ENDPOINT] = endpoint_url
    declared = {**template.get("variables", {}), **given}
    return json.dumps({**template, "variables": declared, "builders": [{**builder, **added}]}, indent=2)


def variable_in_environment(name: str) -> str:
    return f"SLICE_PACKER_{name}"
