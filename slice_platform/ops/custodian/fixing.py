"""The plan of what critical policies would change in one account and region, and the hands that change just that."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slice_platform.errors import SweepFailed
from slice_platform.ops.custodian.accounts import Target
from slice_platform.ops.custodian.findings import FindingKey, Look
from slice_platform.ops.custodian.looking import Swept
from slice_platform.ops.custodian.policies import Policy
from slice_platform.ops.custodian.runner import Custodian
from slice_platform.ops.custodian.standing import Diff, Standing
from slice_platform.ops.fence import Hands
from slice_platform.ops.plan import Change, Plan

JOB = "custodian_sweep"
_MOST_VERB = 50  # characters, as the journal keeps it


@dataclass(frozen=True)
class Fix:
    """One resource and the critical policies that it breaks, in their order."""

    resource_type: str
    resource_id: str
    policies: tuple[Policy, ...]
    since: str  # "new" or since when it is open
    before: str  # its JSON before anything is done

    def change(self) -> Change:
        actions = [action for policy in self.policies for action in policy.actions]
        names = ", ".join(policy.name for policy in self.policies)
        verb = actions[0] if len(actions) == 1 and len(actions[0]) <= _MOST_VERB else "fix"
        why = f"{names}, {self.since}" if verb != "fix" else f"{names} ({', '.join(actions)}), {self.since}"
        return Change(verb, kind_of(self.resource_type), self.resource_id, why, undo=self.before)


def kind_of(resource_type: str) -> str:
    """`s3 resource`: what the plan and the fence call things of a type."""
    return f"{resource_type.removeprefix('aws.')} resource"


def fixes_of(swept: Swept, looks: Iterable[Look], diff: Diff) -> tuple[Fix, ...]:
    """What may be fixed of these looks: of critical policies that act, not excepted, a resource once."""
    acting = {policy.name: policy for policy in swept.policies if policy.may_act}
    open_now = {one.key: one for one in (*diff.new, *diff.still_open)}
    new = {one.key for one in diff.new}
    found: dict[tuple[str, str], list[tuple[Policy, Standing]]] = {}
    for look in looks:
        for finding in look.findings:
            policy, standing = acting.get(finding.key.policy), open_now.get(finding.key)
            if policy is not None and standing is not None:
                found.setdefault((policy.resource, finding.key.resource_id), []).append((policy, standing))
    return tuple(
        Fix(kind, identity, tuple(policy for policy, _ in broken), _since(broken[0][1], new), _before(broken))
        for (kind, identity), broken in found.items()
    )


def plan_of(target: Target, fixes: Iterable[Fix], existing: Mapping[str, int]) -> Plan:
    """The changes, one for each resource; `existing` is how many there are of each type."""
    counts = {kind_of(resource): number for resource, number in existing.items()}
    return Plan(JOB, str(target), tuple(fix.change() for fix in fixes), counts)


@dataclass(frozen=True)
class FixingHands(Hands):
    """Lets c7n fix one resource at a time: its policies, with a filter for this one resource before their own.

    Their own filters are asked again in the same moment, so that what no longer breaks them is left alone.
    """

    custodian: Custodian
    target: Target
    swept: Swept
    fixes: Mapping[tuple[str, str], Fix]  # by kind and id, as changes name them

    def act(self, change: Change) -> None:
        """Raises SweepFailed where a policy did not run through."""
        fix = self.fixes[change.kind, change.resource]
        key = self.swept.kinds[fix.resource_type].id_key
        documents = {policy.name: policy.restricted_to(key, fix.resource_id) for policy in fix.policies}
        answers = self.custodian.run(self.target, documents, is_dry_run=False)
        failed = [f"{name}: {answer.error}" for name, answer in answers.items() if answer.error is not None]
        if failed:
            raise SweepFailed(
                f"Fixing {change.kind} {change.resource} in {self.target}: {'; '.join(failed)}. Look at the resource; "
                "what it was like before is in the journal: slice ops log."
            )


def _since(standing: Standing, new: set[FindingKey]) -> str:
    if standing.key in new or standing.opened_at is None:
        return "new"
    return f"open since {standing.opened_at:%Y-%m-%d}"


def _before(broken: list[tuple[Policy, Standing]]) -> str:
    """The resource as all of its policies saw it: c7n adds to it what a filter had to ask for."""
    merged: dict[str, object] = {}
    for _, standing in broken:
        merged |= json.loads(standing.finding.details)
    return json.dumps(merged, sort_keys=True)
