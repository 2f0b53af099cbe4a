"""c7n in this process: what it says of policies, and how it names resources. Nothing here goes to the network.

c7n is imported late: it comes with the extra `custodian`, and loading definitions must not need it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from slice_platform.errors import ContractError, SettingsError
from slice_platform.ops.custodian.policies import Policy

_NOWHERE = "us-east-1"  # a region has to be named; no call goes there


@dataclass(frozen=True)
class ResourceKind:
    """How c7n names the resources of a type: keys of their JSON."""

    resource: str  # "aws.s3"
    id_key: str
    name_key: str
    is_regional: bool  # else one look per account sees all of them


# c7n lists the buckets of all regions from each of them.
_SEEN_FROM_EVERYWHERE = {"aws.s3"}


def require_c7n() -> None:
    """Raises SettingsError, naming the extra, where c7n is not installed."""
    if find_spec("c7n") is None:
        raise SettingsError(
            "Sweeping accounts needs Cloud Custodian, which is not installed here. Install the platform with the extra "
            "`custodian`: pip install 'slice_platform[custodian]', or requirements/custodian.lock."
        )


def validate(policies: Iterable[Policy]) -> None:
    """c7n takes each of the policies: schema, filters, actions.

    Raises:
        SettingsError: c7n is not installed.
        ContractError: it refuses some; the message names file, line and policy of each, in c7n's words.
    """
    require_c7n()
    from c7n.exceptions import PolicyValidationError  # noqa: PLC0415

    problems = []
    for policy in policies:
        try:
            _loaded(json.loads(policy.document)).validate()
        except PolicyValidationError as error:
            problems.append(f"{policy.where}: policy {policy.name}: {_without_schema(str(error))}")
    if problems:
        raise ContractError("\n".join(problems))


def kinds_of(policies: Iterable[Policy]) -> Mapping[str, ResourceKind]:
    """How resources of each type are named, of policies that are valid."""
    return {resource: _kind(resource) for resource in sorted({one.resource for one in policies})}


def arn_of(resource: str, found: Mapping[str, Any], account_id: str, region: str) -> str | None:
    """The ARN of a resource as c7n wrote it; None where its type has none."""
    try:
        return str(_manager(resource, account_id, region).get_arns([found])[0])
    except (KeyError, TypeError, ValueError):
        return None


@lru_cache(maxsize=256)
def _manager(resource: str, account_id: str, region: str) -> Any:
    return _loaded({"name": "arn", "resource": resource}, account_id, region).resource_manager


def _without_schema(said: str) -> str:
    """c7n's words on one line, without the pages of JSON schema that it quotes."""
    return re.sub(r"Failed validating .* On instance", "On instance", " ".join(said.split()))


def _kind(resource: str) -> ResourceKind:
    model = _loaded({"name": "kind", "resource": resource}).resource_manager.get_model()
    is_regional = not getattr(model, "global_resource", False) and resource not in _SEEN_FROM_EVERYWHERE
    return ResourceKind(resource, str(model.id), str(getattr(model, "name", None) or model.id), is_regional)


def _loaded(document: Mapping[str, Any], account_id: str = "000000000000", region: str = _NOWHERE) -> Any:
    """A policy as c7n has it in memory."""
    import c7n.resources.aws  # noqa: PLC0415
    from c7n.config import Config  # noqa: PLC0415
    from c7n.loader import PolicyLoader  # noqa: PLC0415

    assert c7n.resources.aws  # importing it makes the provider known
    options = Config.empty(region=region, regions=[region], account_id=account_id, cache=None, cache_period=0)
    (policy,) = PolicyLoader(options).load_data({"policies": [dict(document)]}, "memory://policy.yml")
    return policy
