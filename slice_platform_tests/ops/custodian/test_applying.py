"""Only what is critical, allowed and within the fence is changed, and the canary goes first."""

import json
import re
from dataclasses import replace
from datetime import date

import pytest

from slice_platform.ops.custodian.accounts import Account
from slice_platform.ops.custodian.exceptions import PolicyException
from slice_platform.ops.custodian.sweep import Book, Selection, SweepReport
from slice_platform.ops.fence import Limits, Mandate
from slice_platform.ops.journal import ActState, PlanState
from slice_platform_tests.ops.custodian.conftest import SweeperOf
from slice_platform_tests.ops.custodian.paper import CANARY, CLOSED, PROD, PaperCustodian, book, policy

PLENTY = Limits(max_resources=50, max_share=1)


def broken(*accounts: Account) -> PaperCustodian:
    return PaperCustodian({one.name: {"public": [f"{one.name}-a", f"{one.name}-b"]} for one in accounts})


def swept(
    sweeper_of: SweeperOf, custodian: PaperCustodian, of: Book, *, apply: bool = True, limits: Limits = PLENTY
) -> SweepReport:
    return sweeper_of(custodian).sweep(of, Mandate("ann", apply, limits))


def test_a_dry_run_plans_and_touches_nothing(sweeper_of: SweeperOf) -> None:
    told: list[str] = []
    custodian = broken(CANARY)
    report = sweeper_of(custodian).sweep(book(CANARY), Mandate("ann", tell=told.append))
    assert custodian.acted == [] and len(report.diff.new) == 2
    assert told == [
        "custodian_sweep of canary (111111111111) in ap-south-1: close 2 of 10 s3 resources",
        "  close s3 resource canary-a: public, new",
        "  close s3 resource canary-b: public, new",
    ]


def test_the_canary_goes_first_and_the_others_follow(sweeper_of: SweeperOf) -> None:
    custodian = broken(PROD, CANARY)
    report = swept(sweeper_of, custodian, book(PROD, CANARY))
    assert [account for account, _, _ in custodian.acted] == ["canary", "canary", "prod", "prod"]
    assert report.problems() == () and report.diff.new == ()
    (first, *_) = report.diff.fixed
    assert len(report.diff.fixed) == 4 and first.opened_at == first.closed_at == report.at


def test_what_was_found_and_fixed_in_one_sweep_is_in_the_journal_with_what_it_was(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(broken(CANARY))
    sweeper.sweep(book(CANARY), Mandate("ann", apply=True, limits=PLENTY))
    (row,) = sweeper.journal.latest()
    assert (row.state, row.actor) == (PlanState.DONE, "ann")
    acts = sweeper.journal.acts(row.id)
    assert {act.state for act in acts} == {ActState.DONE}
    assert json.loads(acts[0].change.undo) == {"Name": "canary-a", "InstanceId": "canary-a", "Tags": []}


def test_policies_that_are_not_critical_change_nothing(sweeper_of: SweeperOf) -> None:
    custodian = PaperCustodian({"canary": {"untagged": ["a"]}})
    report = swept(sweeper_of, custodian, book(CANARY))
    assert custodian.acted == [] and report.applied == () and len(report.diff.new) == 1


def test_a_bucket_that_breaks_two_policies_counts_once_and_both_are_carried_out(sweeper_of: SweeperOf) -> None:
    custodian = PaperCustodian({"canary": {"public": ["a"], "naked": ["a"]}}, total=1)
    both = replace(book(CANARY), policies=(policy("public"), policy("naked")))
    report = swept(sweeper_of, custodian, both, limits=Limits(max_resources=1, max_share=1))
    assert custodian.acted == [("canary", "public", "a"), ("canary", "naked", "a")]
    assert report.problems() == () and report.applied[0].planned == 1


@pytest.mark.parametrize(
    ("limits", "rule"), [(Limits(max_resources=1), "max_resources"), (Limits(max_share=0.1), "max_share")]
)
def test_what_is_too_much_is_refused_by_name_and_nothing_is_touched(
    sweeper_of: SweeperOf, limits: Limits, rule: str
) -> None:
    custodian = broken(CANARY)
    report = swept(sweeper_of, custodian, book(CANARY), limits=limits)
    assert custodian.acted == [] and len(report.diff.new) == 2
    assert f"refused by the rule {rule}" in report.problems()[0]


def test_a_dry_run_that_would_be_refused_says_so_and_is_no_failure(sweeper_of: SweeperOf) -> None:
    report = swept(sweeper_of, broken(CANARY), book(CANARY), apply=False, limits=Limits(max_resources=1))
    assert report.problems() == ()
    assert "refused by the rule max_resources" in str(report.applied[0].note)


def test_an_account_that_is_not_on_the_allow_list_is_left_alone(sweeper_of: SweeperOf) -> None:
    custodian = broken(CANARY, CLOSED)
    report = swept(sweeper_of, custodian, book(CANARY, CLOSED))
    assert {account for account, _, _ in custodian.acted} == {"canary"} and report.problems() == ()
    assert "refused by the rule allow_list" in str(report.applied[1].note)


def test_to_ask_for_such_an_account_by_name_is_refused(sweeper_of: SweeperOf) -> None:
    custodian = broken(CLOSED)
    report = sweeper_of(custodian).sweep(book(CANARY, CLOSED), Mandate("ann", apply=True), Selection(("closed",)))
    assert custodian.acted == [] and "refused by the rule allow_list" in report.problems()[0]


def test_where_the_canary_is_not_mended_the_others_stay_untouched(sweeper_of: SweeperOf) -> None:
    custodian = replace(broken(CANARY, PROD), stubborn={"canary-b"})
    report = swept(sweeper_of, custodian, book(CANARY, PROD))
    assert {account for account, _, _ in custodian.acted} == {"canary"}
    canary, prod = report.problems()
    assert "does not show it fixed: still found: public: canary-b" in canary
    assert "refused by the rule canary: it did not go well in the canary" in prod
    assert {one.key.resource_id for one in report.diff.new} == {"canary-b", "prod-a", "prod-b"}


def test_another_region_of_a_canary_that_is_not_mended_stays_untouched_as_well(sweeper_of: SweeperOf) -> None:
    """Machines have regions, unlike buckets: paper finds the same ones in each."""
    two = CANARY.model_copy(update={"regions": ("ap-south-1", "eu-west-1")})
    custodian = PaperCustodian({"canary": {"public": ["a"]}}, stubborn={"a"})
    machines = replace(policy("public"), resource="aws.ec2")
    report = swept(sweeper_of, custodian, replace(book(two), policies=(machines,)))
    first, second = report.problems()
    assert "does not show it fixed" in first and "refused by the rule canary" in second
    assert len(custodian.acted) == 1


def test_where_the_canary_cannot_be_looked_at_the_others_stay_untouched(sweeper_of: SweeperOf) -> None:
    custodian = replace(broken(PROD), failing={("canary", "public")})
    report = swept(sweeper_of, custodian, book(CANARY, PROD))
    assert custodian.acted == []
    assert any("refused by the rule canary" in one and "AccessDenied" in one for one in report.problems())


@pytest.mark.parametrize(
    ("accounts", "chosen", "said"),
    [
        ((CANARY, PROD), ("prod",), "the canary canary .* is not part of this sweep"),
        ((PROD, PROD.model_copy(update={"name": "more", "account_id": "4" * 12})), (), "mark one"),
    ],
)
def test_without_its_canary_nothing_is_changed(
    sweeper_of: SweeperOf, accounts: tuple[Account, ...], chosen: tuple[str, ...], said: str
) -> None:
    custodian = broken(PROD)
    mandate = Mandate("ann", apply=True, limits=PLENTY)
    report = sweeper_of(custodian).sweep(book(*accounts), mandate, Selection(chosen))
    assert custodian.acted == []
    (problem,) = report.problems()
    assert "refused by the rule canary" in problem and re.search(said, problem)


def test_one_account_alone_needs_no_canary(sweeper_of: SweeperOf) -> None:
    custodian = broken(PROD)
    assert swept(sweeper_of, custodian, book(PROD, CLOSED)).problems() == ()
    assert len(custodian.acted) == 2


def test_what_is_excepted_is_never_changed(sweeper_of: SweeperOf) -> None:
    custodian = broken(CANARY)
    excuse = PolicyException(policy="public", resource="*-a", owner="web", until=date(9999, 1, 1), reason="a web site")
    report = swept(sweeper_of, custodian, replace(book(CANARY), exceptions=(excuse,)))
    assert custodian.acted == [("canary", "public", "canary-b")]
    assert [one.key.resource_id for one in report.diff.excepted] == ["canary-a"]


def test_a_fix_that_fails_is_a_problem_and_what_follows_is_left(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(replace(broken(CANARY), cannot_act=True))
    report = sweeper.sweep(book(CANARY), Mandate("ann", apply=True, limits=PLENTY))
    (problem,) = report.problems()
    assert "Fixing s3 resource canary-a" in problem and "AccessDenied" in problem
    row = sweeper.journal.latest()[0]
    assert row.state is PlanState.FAILED
    assert [act.state for act in sweeper.journal.acts(row.id)] == [ActState.FAILED, ActState.PLANNED]
