"""The one fence before everything that changes or deletes.

A plan comes first and by itself does nothing. Whoever wants it done says so; then the rules below are asked, and each
act is written down, with what is needed to undo it, before it happens. Whoever plans leaves out what is in use, and
before each act it is asked once more: what came into use meanwhile stays.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from slice_platform.errors import FenceRefused
from slice_platform.ops.journal import Journal, PlanState
from slice_platform.ops.plan import Change, Plan


class Limits(BaseModel):
    """How much one plan may take away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_resources: int = Field(default=20, ge=0, description="Most things that one plan removes.")
    max_share: float = Field(default=0.5, ge=0, le=1, description="Most of what exists of a kind that it removes.")

    def but(self, max_resources: int | None, max_share: float | None) -> "Limits":
        """These limits, where a run or a command says no other."""
        chosen = {"max_resources": max_resources, "max_share": max_share}
        return Limits.model_validate({**self.model_dump(), **{k: v for k, v in chosen.items() if v is not None}})


def _tell_nobody(_line: str) -> None:
    return None


@dataclass(frozen=True)
class Mandate:
    """Who wants a plan carried out, whether it shall be at all, and how much it may take away."""

    actor: str
    apply: bool = False
    limits: Limits = field(default_factory=Limits)
    tell: Callable[[str], None] = _tell_nobody  # a line at a time, for the log of a run or a terminal


class Hands(Protocol):
    """Does what a plan says, one change at a time."""

    def users_of(self, change: Change) -> tuple[str, ...]:  # noqa: ARG002 -- for those who look
        """Who uses the thing now; asked right before it is taken away. Nobody, where nothing can be in use."""
        return ()

    def act(self, change: Change) -> None:
        """The change is made. Safe to repeat: what was done already is no error."""


@dataclass(frozen=True)
class Outcome:
    """What became of a plan that the fence let through; `skipped` came into use between plan and act."""

    plan: Plan
    plan_id: int
    state: PlanState
    done: tuple[Change, ...] = ()
    skipped: tuple[Change, ...] = ()

    @property
    def was_applied(self) -> bool:
        return self.state is PlanState.DONE

    def summary(self) -> str:
        """One line: what was done, or would be."""
        if not self.plan.changes:
            return "nothing to do"
        if not self.was_applied:
            return f"dry run, nothing was changed: would {self.plan.summary()}"
        return f"{self.plan.summary()}{f'; {len(self.skipped)} left, in use by now' if self.skipped else ''}"


def check(plan: Plan, limits: Limits) -> None:
    """The plan may be carried out.

    Raises:
        FenceRefused: it breaks a rule, which the error names.
    """
    removed = plan.removals
    if (total := removed.total()) > limits.max_resources:
        raise _refusal(plan, "max_resources", f"it removes {total} things, allowed are {limits.max_resources}")
    for kind, count in removed.items():
        existing = plan.existing.get(kind)
        if existing is None or existing < count:
            raise _refusal(
                plan, "known_total", f"it removes {count} of kind {kind!r}, and {existing!r} are said to exist"
            )
        if count > limits.max_share * existing:
            share = f"{count} of {existing} {kind}s, {count / existing:.0%}"
            raise _refusal(plan, "max_share", f"it removes {share}; allowed is {limits.max_share:.0%}")


def carry_out(plan: Plan, mandate: Mandate, journal: Journal, hands: Hands) -> Outcome:
    """Every change is made, in order; where the mandate does not say `apply`, none.

    Plan, acts and outcome are in the journal, each act before it is made. The first that fails ends the work: what
    was done stays done, and the next plan starts from what is there.

    Raises:
        FenceRefused: the plan breaks a rule, and nothing was changed.
        SliceError: a change failed.
    """
    for line in plan.lines():
        mandate.tell(line)
    plan_id = journal.open(plan, actor=mandate.actor, is_dry_run=not mandate.apply)
    try:
        check(plan, mandate.limits)
    except FenceRefused as error:
        journal.close(plan_id, PlanState.REFUSED, str(error))
        raise
    if not mandate.apply:
        journal.close(plan_id, PlanState.PLANNED)
        return Outcome(plan, plan_id, PlanState.PLANNED)
    return _act(plan, plan_id, journal, hands, mandate.tell)


def refused(plan: Plan, mandate: Mandate, journal: Journal, *, rule: str, why: str) -> FenceRefused:
    """The error of a plan that a rule of its own job refuses; like any other refusal it is in the journal."""
    error = _refusal(plan, rule, why)
    journal.close(journal.open(plan, actor=mandate.actor, is_dry_run=False), PlanState.REFUSED, str(error))
    return error


def _act(plan: Plan, plan_id: int, journal: Journal, hands: Hands, tell: Callable[[str], None]) -> Outcome:
    done: list[Change] = []
    skipped: list[Change] = []
    for number, change in enumerate(plan.changes):
        with journal.failing(plan_id, number):
            if change.removes and (users := hands.users_of(change)):
                journal.skip(plan_id, number, f"in use by {', '.join(users)}")
                tell(f"left {change.kind} {change.resource}: it is in use by {', '.join(users)} by now")
                skipped.append(change)
                continue
            journal.begin(plan_id, number)
            hands.act(change)
            journal.end(plan_id, number)
        done.append(change)
        tell(f"done: {change.verb} {change.kind} {change.resource}")
    journal.close(plan_id, PlanState.DONE)
    return Outcome(plan, plan_id, PlanState.DONE, tuple(done), tuple(skipped))


def _refusal(plan: Plan, rule: str, why: str) -> FenceRefused:
    return FenceRefused(
        f"{plan.job} of {plan.target}: refused by the rule {rule}: {why}. Nothing was changed. Look at the plan; "
        + _WAYS_ON.get(rule, "where it is right, mend what keeps it."),
        rule=rule,
    )


_WAYS_ON = {
    "max_resources": "where it is right, allow more with max_resources (--max-resources).",
    "max_share": "where it is right, allow more with max_share (--max-share).",
}
