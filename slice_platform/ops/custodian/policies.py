"""Policies of Cloud Custodian as the platform reads them: c7n's own, with a severity and whether they may act."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from slice_platform.aws import AwsAccess
from slice_platform.errors import SettingsError
from slice_platform.ops.custodian.documents import checked, documents, entries
from slice_platform.yaml_lines import YamlFile


class Severity(StrEnum):
    """How bad it is; the words of Security Hub."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class PolicyMetadata(BaseModel):
    """`metadata` of a policy: what c7n passes over and the platform reads. Other keys are the author's own."""

    model_config = ConfigDict(extra="allow", frozen=True)

    severity: Severity = Severity.MEDIUM
    critical: bool = Field(default=False, description="Whether a sweep that applies carries out its actions.")


@dataclass(frozen=True)
class Policy:
    """One policy. `document` is its JSON, as c7n takes it."""

    name: str
    resource: str  # "aws.s3"
    severity: Severity
    is_critical: bool
    description: str
    document: str
    where: str  # "s3.yml:12"

    @property
    def actions(self) -> tuple[str, ...]:
        """The types of its actions, in order."""
        found = json.loads(self.document).get("actions") or []
        return tuple(str(one.get("type", "?")) if isinstance(one, dict) else str(one) for one in found)

    @property
    def may_act(self) -> bool:
        return self.is_critical and bool(self.actions)

    def restricted_to(self, id_key: str, resource_id: str) -> str:
        """The same policy for one resource alone, and no more than one: what was not planned is never touched."""
        document: dict[str, Any] = json.loads(self.document)
        only = {"type": "value", "key": id_key, "op": "eq", "value": resource_id}
        document["filters"] = [only, *(document.get("filters") or [])]
        document.pop("max-resources-percent", None)
        return json.dumps({**document, "max-resources": 1})


def read_policies(root: str, access: AwsAccess) -> tuple[Policy, ...]:
    """All policies below a folder or an S3 prefix, in the order of files and lines.

    Raises:
        SettingsError: there is no file.
        ContractError: a file or a policy is wrong; the message names file, line and policy.
    """
    found: dict[str, Policy] = {}
    for source in documents(root, access):
        for number, content in enumerate(entries(source, "policies")):
            one = _policy(source, number, content)
            if one.name in found:
                problem = f"the policy {one.name!r} stands in {found[one.name].where} already; names are unique"
                raise source.error(("policies", number, "name"), problem)
            found[one.name] = one
    return tuple(found.values())


def chosen(policies: Iterable[Policy], names: Iterable[str]) -> tuple[Policy, ...]:
    """The policies of these names; all, where none is named.

    Raises:
        SettingsError: there is no policy of a name.
    """
    known = {one.name: one for one in policies}
    wanted = list(names) or list(known)
    for name in wanted:
        if name not in known:
            raise SettingsError(f"Choosing policies: there is none called {name!r}; there are: {', '.join(known)}.")
    return tuple(one for name, one in known.items() if name in wanted)


def _policy(source: YamlFile, number: int, content: Any) -> Policy:
    place = ("policies", number)
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise source.error(place, f"expected a policy with a name, got {content!r}")
    name = content["name"]
    if not isinstance(content.get("resource"), str):
        raise source.error(place, f"the policy {name!r} names no resource, such as aws.s3")
    if "mode" in content:
        problem = f"the policy {name!r} brings a mode of its own; a sweep runs each policy itself, so leave it out"
        raise source.error((*place, "mode"), problem)
    about = checked(source, (*place, "metadata"), content.get("metadata") or {}, PolicyMetadata)
    resource = content["resource"] if "." in content["resource"] else f"aws.{content['resource']}"
    return Policy(
        name, resource, about.severity, about.critical, " ".join(str(content.get("description") or "").split()),
        json.dumps(content, default=str), f"{source.path}:{source.line(place)}",
    )  # fmt: skip
