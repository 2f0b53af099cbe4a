"""Nothing is changed without a plan, a yes and a record; what breaks a rule is refused by its name."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from slice_platform.errors import AccessRefused, DatasetBusy, FenceRefused
from slice_platform.ops.fence import Limits, Mandate, Outcome, carry_out, check, refused
from slice_platform.ops.journal import ActState, Journal, PlanState, open_journal
from slice_platform.ops.plan import Change, Plan
from slice_platform.settings import load_settings

GONE = Change("delete", "file", "a.yml", "its service is gone", undo='{"content": "x"}')
OTHER = replace(GONE, resource="b.yml")
NEW = Change("write", "file", "c.yml", "it is new", removes=False)


def plan(*changes: Change, of: int = 10) -> Plan:
    return Plan("tidy", "shelf", changes, {"file": of})


@dataclass
class Shelf:
    """Hands that remember what they did, and what the journal said at that moment."""

    journal: Journal
    users: dict[str, tuple[str, ...]] = field(default_factory=dict)
    broken: str | None = None
    acted: list[tuple[str, ActState]] = field(default_factory=list)

    def users_of(self, change: Change) -> tuple[str, ...]:
        return self.users.get(change.resource, ())

    def act(self, change: Change) -> None:
        newest = self.journal.latest(most=1)[0]
        states = {act.change.resource: act.state for act in self.journal.acts(newest.id)}
        if change.resource == self.broken:
            raise AccessRefused("no right to do so")
        self.acted.append((change.resource, states[change.resource]))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(load_settings(home=tmp_path, lock_timeout_seconds=0)) as opened:
        yield opened


def carried_out(journal: Journal, shelf: Shelf, *changes: Change, apply: bool = True, told: list[str]) -> Outcome:
    return carry_out(plan(*changes), Mandate("ann", apply, tell=told.append), journal, shelf)


def test_a_dry_run_tells_the_plan_and_touches_nothing(journal: Journal) -> None:
    told: list[str] = []
    outcome = carried_out(journal, shelf := Shelf(journal), GONE, NEW, apply=False, told=told)
    assert shelf.acted == []
    assert told[0] == "tidy of shelf: delete 1 of 10 files, write 1 of 10 files"
    assert told[1] == "  delete file a.yml: its service is gone"
    assert outcome.state is PlanState.PLANNED and "nothing was changed" in outcome.summary()
    assert [act.state for act in journal.acts(outcome.plan_id)] == [ActState.PLANNED] * 2


def test_each_act_is_written_down_with_its_undo_record_before_it_happens(journal: Journal) -> None:
    outcome = carried_out(journal, shelf := Shelf(journal), GONE, NEW, told=[])
    assert shelf.acted == [("a.yml", ActState.BEGUN), ("c.yml", ActState.BEGUN)]
    kept = journal.acts(outcome.plan_id)
    assert [(act.change, act.state) for act in kept] == [(GONE, ActState.DONE), (NEW, ActState.DONE)]
    row = journal.plan(outcome.plan_id)
    assert (row.actor, row.state, row.error) == ("ann", PlanState.DONE, None)


def test_what_came_into_use_since_the_plan_is_left(journal: Journal) -> None:
    shelf = Shelf(journal, users={"a.yml": ("heartbeat",)})
    told: list[str] = []
    outcome = carried_out(journal, shelf, GONE, OTHER, told=told)
    assert [resource for resource, _ in shelf.acted] == ["b.yml"]
    assert outcome.skipped == (GONE,) and "1 left, in use by now" in outcome.summary()
    assert "left file a.yml: it is in use by heartbeat by now" in told


def test_a_failing_act_ends_the_plan_and_both_are_on_record(journal: Journal) -> None:
    with pytest.raises(AccessRefused):
        carried_out(journal, Shelf(journal, broken="b.yml"), GONE, OTHER, NEW, told=[])
    row = journal.latest()[0]
    assert (row.state, row.error) == (PlanState.FAILED, "no right to do so")
    assert [act.state for act in journal.acts(row.id)] == [ActState.DONE, ActState.FAILED, ActState.PLANNED]
    assert journal.unfinished("tidy", "shelf") == [OTHER, NEW]
    carried_out(journal, Shelf(journal), OTHER, NEW, told=[])
    assert journal.unfinished("tidy", "shelf") == []


@pytest.mark.parametrize(
    ("of", "limits", "rule"),
    [
        (10, Limits(max_resources=1), "max_resources"),
        (3, Limits(), "max_share"),
        (1, Limits(), "known_total"),
    ],
)
def test_a_plan_that_takes_too_much_is_refused_by_the_name_of_the_rule(of: int, limits: Limits, rule: str) -> None:
    with pytest.raises(FenceRefused, match=f"refused by the rule {rule}: .*Nothing was changed") as refused:
        check(plan(GONE, OTHER, of=of), limits)
    assert refused.value.rule == rule


def test_a_refusal_is_on_record_and_nothing_was_touched(journal: Journal) -> None:
    shelf = Shelf(journal)
    with pytest.raises(FenceRefused, match="refused by the rule max_resources"):
        carry_out(plan(GONE, OTHER), Mandate("ann", apply=True, limits=Limits(max_resources=1)), journal, shelf)
    row = journal.latest()[0]
    assert shelf.acted == []
    assert row.state is PlanState.REFUSED and "max_resources" in str(row.error)


def test_what_adds_and_changes_counts_against_no_limit() -> None:
    check(Plan("tidy", "shelf", tuple(replace(NEW, resource=str(n)) for n in range(99))), Limits(max_resources=0))


def test_one_target_is_worked_on_by_one_process_at_a_time(journal: Journal) -> None:
    with (
        journal.alone("tidy", "shelf"),
        journal.alone("tidy", "other shelf"),
        pytest.raises(DatasetBusy, match="tidy of shelf: another process works on it"),
        journal.alone("tidy", "shelf"),
    ):
        pytest.fail("two processes have it")


def test_a_refusal_by_a_rule_of_the_job_is_on_record_like_any_other(journal: Journal) -> None:
    error = refused(plan(GONE), Mandate("ann", apply=True), journal, rule="canary", why="the canary is ill")
    assert error.rule == "canary" and "refused by the rule canary: the canary is ill. Nothing was changed" in str(error)
    row = journal.latest()[0]
    assert (row.state, row.actor, row.error) == (PlanState.REFUSED, "ann", str(error))
