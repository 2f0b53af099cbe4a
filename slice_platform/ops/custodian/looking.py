"""The finding pass: every policy is asked in every account and region, and nothing is changed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.findings import Look, Scope, finding_of, scope_of
from slice_platform.ops.custodian.library import ResourceKind
from slice_platform.ops.custodian.policies import Policy
from slice_platform.ops.custodian.runner import Answer, Custodian

_AT_ONCE = 2  # processes of c7n, each of which asks AWS with several threads


@dataclass(frozen=True)
class Swept:
    """What is swept, read and checked: policies, accounts, and how c7n names what the policies are about."""

    policies: tuple[Policy, ...]
    accounts: tuple[Account, ...]
    kinds: Mapping[str, ResourceKind]

    def targets(self) -> Iterator[Target]:
        yield from (Target(account, region) for account in self.accounts for region in account.regions)

    def policies_of(self, target: Target) -> tuple[Policy, ...]:
        """The policies that are asked there: what has no region is asked once per account."""
        return tuple(one for one in self.policies if target.sees_global or self.kind(one).is_regional)

    def kind(self, policy: Policy) -> ResourceKind:
        return self.kinds[policy.resource]

    def scopes(self) -> frozenset[Scope]:
        return frozenset(
            scope_of(policy, target, self.kind(policy))
            for target in self.targets()
            for policy in self.policies_of(target)
        )


def look_everywhere(custodian: Custodian, swept: Swept) -> dict[Target, tuple[Look, ...]]:
    """A look for each policy in each account and region; what fails in one of them leaves the others be.

    Whoever is interrupted leaves no process behind.
    """
    targets = tuple(swept.targets())
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            looks = pool.map(lambda target: look_at(custodian, target, swept.policies_of(target), swept), targets)
            return dict(zip(targets, looks, strict=True))
        except BaseException:  # a run that is terminated must not wait for accounts
            pool.shutdown(wait=False, cancel_futures=True)
            custodian.end()
            raise


def look_at(custodian: Custodian, target: Target, policies: Sequence[Policy], swept: Swept) -> tuple[Look, ...]:
    """What these policies find in one account and region now."""
    answers = custodian.run(target, {one.name: one.document for one in policies}, is_dry_run=True)
    return tuple(_look(policy, target, swept.kind(policy), answers[policy.name]) for policy in policies)


def count(custodian: Custodian, target: Target, resources: Iterable[str]) -> Mapping[str, int | str]:
    """How many resources of each type there are, by policies that leave none out; of a failure its error."""
    names = {resource: f"count-{resource.replace('.', '-')}" for resource in resources}
    documents = {name: json.dumps(_all_of(resource, name)) for resource, name in names.items()}
    answers = custodian.run(target, documents, is_dry_run=True)
    return {resource: _counted(answers[name]) for resource, name in names.items()}


def _all_of(resource: str, name: str) -> dict[str, object]:
    """A policy that every resource of the type breaks. Of buckets c7n would ask for ten documents each."""
    query = {"query": [{"augment-keys": "none"}]} if resource == "aws.s3" else {}
    return {"name": name, "resource": resource, **query}


def _counted(answer: Answer) -> int | str:
    return len(answer.resources) if answer.resources is not None else str(answer.error)


def _look(policy: Policy, target: Target, kind: ResourceKind, answer: Answer) -> Look:
    found = () if answer.resources is None else answer.resources
    return Look(
        scope_of(policy, target, kind), target.account.name, policy.severity, policy.resource,
        tuple(finding_of(policy, target, kind, one) for one in found), answer.error,
    )  # fmt: skip
