"""Critical findings are fixed, account by account: the canaries first, and the others only if those are mended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from slice_platform.errors import FenceRefused, SliceError, SweepFailed
from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.findings import Finding, Look
from slice_platform.ops.custodian.fixing import JOB, Fix, FixingHands, fixes_of, kind_of, plan_of
from slice_platform.ops.custodian.looking import Swept, count, look_at
from slice_platform.ops.custodian.runner import Custodian
from slice_platform.ops.custodian.standing import Diff
from slice_platform.ops.fence import Mandate, Outcome, carry_out
from slice_platform.ops.journal import Journal


@dataclass(frozen=True)
class Applied:
    """What became of the critical findings of one account and region."""

    target: Target
    planned: int  # resources
    outcome: Outcome | None = None  # None: nothing was begun there
    looks: tuple[Look, ...] = ()  # of the planned policies after it
    unfixed: tuple[Finding, ...] = ()
    problem: str | None = None  # why it was not done, or not to the end
    note: str | None = None  # why nothing was meant to be done

    @property
    def went_well(self) -> bool:
        return self.problem is None

    @property
    def said(self) -> str | None:
        """What was done, or why nothing was meant to be; a problem is told elsewhere."""
        if self.outcome is None:
            return self.note
        return f"done: {self.outcome.summary()}" if self.outcome.was_applied else self.outcome.summary()


@dataclass(frozen=True)
class Applier:
    """Carries out the plans of one sweep, each within the fence.

    `known` are all accounts there are, `named` the numbers of those that somebody asked for by name.
    """

    custodian: Custodian
    swept: Swept
    journal: Journal
    mandate: Mandate
    known: tuple[Account, ...]
    named: frozenset[str] = frozenset()

    def apply(self, looks: Mapping[Target, tuple[Look, ...]], diff: Diff) -> list[Applied]:
        """What was done in each place that has something to fix.

        One place never keeps another from being worked on, unless it is a canary.
        """
        wanted = {target: fixes_of(self.swept, each, diff) for target, each in looks.items()}
        ordered = sorted((one for one in wanted if wanted[one]), key=lambda one: not one.account.canary)
        done: list[Applied] = []
        for target in ordered:
            done.append(self._one(target, wanted[target], self._held_back(target, looks, done)))
        return done

    def _one(self, target: Target, fixes: tuple[Fix, ...], held: str | None) -> Applied:
        begun = Applied(target, len(fixes))
        if not target.account.allow_actions:
            why = _refused(target, "allow_list", "allow_actions is off for this account in accounts.yaml")
            was_asked_for = self.mandate.apply and target.account.account_id in self.named
            return replace(begun, problem=why) if was_asked_for else replace(begun, note=why)
        if held is not None:
            return replace(begun, problem=held)
        try:
            outcome = self._carried_out(target, fixes)
        except FenceRefused as refused:
            if not self.mandate.apply:  # it would be refused: that is what a dry run is for
                return replace(begun, note=str(refused))
            return replace(begun, problem=str(refused))
        except SliceError as error:
            begun = replace(begun, problem=str(error))
            return self._looked_again(begun, fixes) if self.mandate.apply else begun
        begun = replace(begun, outcome=outcome)
        return self._looked_again(begun, fixes) if self.mandate.apply else begun

    def _carried_out(self, target: Target, fixes: tuple[Fix, ...]) -> Outcome:
        existing = {}
        for resource, number in count(self.custodian, target, {fix.resource_type for fix in fixes}).items():
            if isinstance(number, str):
                raise SweepFailed(f"Counting {kind_of(resource)}s in {target}: {number}. Nothing was changed there.")
            existing[resource] = number
        by_name = {(kind_of(fix.resource_type), fix.resource_id): fix for fix in fixes}
        hands = FixingHands(self.custodian, target, self.swept, by_name)
        return carry_out(plan_of(target, fixes, existing), self.mandate, self.journal, hands)

    def _looked_again(self, begun: Applied, fixes: tuple[Fix, ...]) -> Applied:
        """A second look, after the acts: what they were for must not be found any more."""
        names = {policy.name for fix in fixes for policy in fix.policies}
        policies = [policy for policy in self.swept.policies if policy.name in names]
        looks = look_at(self.custodian, begun.target, policies, self.swept)
        planned = {(policy.name, fix.resource_id) for fix in fixes for policy in fix.policies}
        unfixed = tuple(
            one for look in looks for one in look.findings if (one.key.policy, one.key.resource_id) in planned
        )
        unsure = [f"{look.scope.policy}: {look.error}" for look in looks if look.error is not None]
        problem = begun.problem
        if problem is None and (unfixed or unsure):
            told = "; ".join([*(f"still found: {one}" for one in unfixed), *unsure])
            problem = f"A second look at {begun.target} does not show it fixed: {told}."
        return replace(begun, looks=looks, unfixed=unfixed, problem=problem)

    def _held_back(
        self, target: Target, looks: Mapping[Target, tuple[Look, ...]], done: Iterable[Applied]
    ) -> str | None:
        """Why this place has to wait for a canary; None where it need not."""
        if not self.mandate.apply:
            return None
        for one in done:  # also another region of the canary itself
            if one.target.account.canary and not one.went_well:
                return _refused(target, "canary", f"it did not go well in the canary {one.target}: {one.problem}")
        allowed = [one.account_id for one in self.known if one.allow_actions]
        if target.account.canary or allowed == [target.account.account_id]:
            return None
        why = self._without_canary(looks)
        return None if why is None else _refused(target, "canary", why)

    def _without_canary(self, looks: Mapping[Target, tuple[Look, ...]]) -> str | None:
        """Why no canary could show how it goes; None where each was looked at as a whole."""
        canaries, seen = [one for one in self.known if one.canary], {one.account.account_id for one in looks}
        if not canaries:
            return "no account of accounts.yaml is a canary: mark one"
        for canary in canaries:
            if canary.account_id not in seen:
                return f"the canary {canary} is not part of this sweep: name it, too"
        for place in (one for one in looks if one.account.canary):
            if failed := [look for look in looks[place] if look.error is not None]:
                return f"the canary {place} could not be looked at: {failed[0].error}"
        return None


def _refused(target: Target, rule: str, why: str) -> str:
    return f"{JOB} of {target}: refused by the rule {rule}: {why}. Nothing was changed there."
