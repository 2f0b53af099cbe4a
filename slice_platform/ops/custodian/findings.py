"""What a sweep finds: resources that break a policy, and which policies could be asked at all."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from slice_platform.ops.custodian.accounts import Target
from slice_platform.ops.custodian.library import ResourceKind, arn_of
from slice_platform.ops.custodian.policies import Policy, Severity

GLOBAL = "global"  # the region of what has none


class Scope(NamedTuple):
    """A policy where it was asked: it is answered there as a whole, or not at all."""

    policy: str
    account_id: str
    region: str  # or GLOBAL


class FindingKey(NamedTuple):
    """What makes two findings of two sweeps the same one."""

    policy: str
    account_id: str
    region: str
    resource_id: str

    @property
    def scope(self) -> Scope:
        return Scope(self.policy, self.account_id, self.region)


@dataclass(frozen=True)
class Finding:
    """A resource that breaks a policy. `details` is its JSON as c7n saw it, and enough to know what it was like."""

    key: FindingKey
    account_name: str
    severity: Severity
    resource_type: str
    resource_name: str
    arn: str | None
    tags: str  # JSON: name -> value
    details: str

    def __str__(self) -> str:
        policy, account, region, resource = self.key
        return f"{policy}: {resource} in {self.account_name} ({account}), {region}"


@dataclass(frozen=True)
class Look:
    """A policy was asked in an account and region. With `error` it was not answered, and nothing is known."""

    scope: Scope
    account_name: str
    severity: Severity
    resource_type: str
    findings: tuple[Finding, ...] = ()
    error: str | None = None


def scope_of(policy: Policy, target: Target, kind: ResourceKind) -> Scope:
    return Scope(policy.name, target.account.account_id, target.region if kind.is_regional else GLOBAL)


def is_of(scope: Scope, target: Target) -> bool:
    """Whether it was asked there: what has no region is asked in the first region of its account."""
    regions = (target.region, GLOBAL) if target.sees_global else (target.region,)
    return scope.account_id == target.account.account_id and scope.region in regions


def finding_of(policy: Policy, target: Target, kind: ResourceKind, resource: str) -> Finding:
    """The finding that a resource, in the JSON of c7n, is."""
    found: Mapping[str, Any] = json.loads(resource)
    identity = str(found[kind.id_key])
    return Finding(
        key=FindingKey(*scope_of(policy, target, kind), identity),
        account_name=target.account.name,
        severity=policy.severity,
        resource_type=policy.resource,
        resource_name=_name(found, kind) or identity,
        arn=arn_of(policy.resource, found, target.account.account_id, target.region),
        tags=json.dumps(_tags(found), sort_keys=True),
        details=resource,
    )


def _name(found: Mapping[str, Any], kind: ResourceKind) -> str:
    return _tags(found).get("Name") or str(found.get(kind.name_key) or "")


def _tags(found: Mapping[str, Any]) -> dict[str, str]:
    tags = found.get("Tags") or []
    return {str(one["Key"]): str(one.get("Value", "")) for one in tags if isinstance(one, dict) and "Key" in one}
