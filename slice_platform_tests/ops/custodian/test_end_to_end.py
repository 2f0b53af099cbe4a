"""The real c7n over four accounts on the loopback: two answer, one refuses its role, one never says a word."""

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.fixing import Fix, FixingHands
from slice_platform.ops.custodian.library import kinds_of
from slice_platform.ops.custodian.looking import Swept
from slice_platform.ops.custodian.policies import read_policies
from slice_platform.ops.custodian.runner import Answer, CustodianProcess
from slice_platform.ops.custodian.standing import Status
from slice_platform.ops.custodian.state import open_state
from slice_platform.ops.custodian.sweep import Book, Selection, Sweeper, SweepReport
from slice_platform.ops.fence import Mandate
from slice_platform.ops.journal import ActState, Journal, open_journal
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.cloud import CREDENTIALS
from slice_platform_tests.ops.custodian.aws_accounts import OTHER, OWN, REFUSING, REGION, SILENT, Accounts, role
from slice_platform_tests.ops.custodian.planting import is_public, make_public, plant_buckets

POLICIES = tuple(
    one for one in read_policies(str(PACKAGE_DIR / "defs" / "custodian" / "policies"), AwsAccess())
    if one.resource in ("aws.s3", "aws.security-group")
)  # fmt: skip
CRITICAL = {"s3-public-grants", "s3-public-policy", "s3-public-access-not-blocked"}


def account(number: str, name: str, *regions: str, **more: Any) -> Account:
    own_role = None if number == OWN else role(number)
    return Account(account_id=number, name=name, role=own_role, regions=regions or (REGION,), **more)


FOUR = (
    account(SILENT, "silent", allow_actions=True),
    account(REFUSING, "refusing"),
    account(OTHER, "other", REGION, "eu-west-1", allow_actions=True),
    account(OWN, "own", allow_actions=True, canary=True),
)


@dataclass(frozen=True)
class Sweeps:
    """A dry run, and then one that applied."""

    dry: SweepReport
    were_public: tuple[bool, bool]  # own, other: after the dry run
    applied: SweepReport
    told: list[str]
    journal: Journal


@pytest.fixture(scope="module")
def swept(accounts: Accounts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweeps]:
    plant_buckets(accounts, OWN, "own")
    plant_buckets(accounts, OTHER, "other", only=("grants", "good"))
    settings = load_settings(home=tmp_path_factory.mktemp("home"))
    custodian = Impatient(CustodianProcess(AwsAccess(endpoint_url=accounts.url, attempts=1), timeout_seconds=120))
    told: list[str] = []
    with ExitStack() as opened, pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        state, journal = opened.enter_context(open_state(settings)), opened.enter_context(open_journal(settings))
        sweeper, book = Sweeper(custodian, state, journal), Book(POLICIES, FOUR, ())
        dry = sweeper.sweep(book, Mandate("ann"))
        public = _is_public(accounts, OWN), _is_public(accounts, OTHER)
        part = Selection(("own", "other"), tuple(CRITICAL))
        applied = sweeper.sweep(book, Mandate("ann", apply=True, tell=told.append), part)
        yield Sweeps(dry, public, applied, told, journal)


@dataclass(frozen=True)
class Impatient:
    """The real one; for the account that never says a word it waits three seconds."""

    custodian: CustodianProcess

    def run(self, target: Target, documents: Mapping[str, str], *, is_dry_run: bool) -> Mapping[str, Answer]:
        quick = replace(self.custodian, timeout_seconds=3)
        asked = quick if target.account.account_id == SILENT else self.custodian
        return asked.run(target, documents, is_dry_run=is_dry_run)

    def end(self) -> None:
        self.custodian.end()


def _is_public(accounts: Accounts, number: str) -> bool:
    return is_public(accounts.client("s3", number), "own-grants" if number == OWN else "other-grants")


def found(report: SweepReport, name: str) -> set[tuple[str, str]]:
    standings = (*report.diff.new, *report.diff.still_open)
    return {(one.key.policy, one.key.resource_id) for one in standings if one.finding.account_name == name}


def test_two_accounts_are_looked_at_each_through_its_own_role(swept: Sweeps) -> None:
    assert ("s3-public-grants", "own-grants") in found(swept.dry, "own")
    assert ("s3-public-grants", "other-grants") in found(swept.dry, "other")
    assert not {resource for _, resource in found(swept.dry, "own")} & {
        resource for _, resource in found(swept.dry, "other")
    }


def test_buckets_are_found_once_in_an_account_of_two_regions(swept: Sweeps) -> None:
    grants = [one for one in swept.dry.diff.new if one.key.resource_id == "other-grants"]
    assert [(one.key.policy, one.key.region) for one in grants] == [("s3-public-grants", "global")]
    regions = {look.scope.region for look in swept.dry.looks if look.account_name == "other"}
    assert regions == {"global", REGION, "eu-west-1"}


def test_an_account_that_refuses_and_one_that_is_silent_harm_only_themselves(swept: Sweeps) -> None:
    failed = {look.account_name for look in swept.dry.failed_looks}
    assert failed == {"refusing", "silent"}
    silent, refusing = swept.dry.problems()
    assert "silent was not looked at by 6 policies" in silent and "did not end within 3 s" in silent
    assert "not authorized to perform: sts:AssumeRole" in refusing


def test_a_dry_run_changes_nothing(swept: Sweeps) -> None:
    assert swept.were_public == (True, True)


def test_what_is_critical_is_fixed_in_the_canary_first(swept: Sweeps, accounts: Accounts) -> None:
    assert [one.target.account.name for one in swept.applied.applied] == ["own", "other"]
    assert not _is_public(accounts, OWN) and not _is_public(accounts, OTHER)
    fixed = {one.key.policy for one in swept.applied.diff.fixed}
    assert fixed == CRITICAL and len(swept.applied.diff.fixed) == 4
    assert swept.applied.problems() == ()


def test_only_the_statement_that_lets_everybody_in_leaves_a_policy(swept: Sweeps, accounts: Accounts) -> None:
    kept = json.loads(accounts.client("s3").get_bucket_policy(Bucket="own-policy")["Policy"])
    assert [one["Sid"] for one in kept["Statement"]] == ["Us"]


def test_what_is_not_critical_stays_and_is_open_since_the_first_sweep(swept: Sweeps, accounts: Accounts) -> None:
    (plain,) = [one for one in swept.applied.diff.all() if one.key.resource_id == "own-plain"]
    assert (plain.status, plain.opened_at) == (Status.OPEN, swept.dry.at)
    assert accounts.client("s3").get_bucket_tagging(Bucket="own-plain")["TagSet"]


def test_each_fix_is_in_the_journal_with_what_the_bucket_was_like(swept: Sweeps) -> None:
    plan = next(row for row in swept.journal.latest() if "own" in row.target)
    acts = {act.change.resource: act for act in swept.journal.acts(plan.id)}
    assert {act.state for act in acts.values()} == {ActState.DONE}
    before = json.loads(acts["own-grants"].change.undo)
    assert "AllUsers" in json.dumps(before["Acl"]["Grants"])


def test_the_plan_is_told_before_what_was_done(swept: Sweeps) -> None:
    assert swept.told[0].startswith(f"custodian_sweep of own ({OWN}) in {REGION}: ")
    assert "1 of 6 s3 resources" in swept.told[0], "all of its buckets are counted"
    planned = "  delete-global-grants s3 resource own-grants: s3-public-grants, open since"
    assert any(line.startswith(planned) for line in swept.told)
    assert "done: delete-global-grants s3 resource own-grants" in swept.told


def test_what_was_not_planned_is_not_touched_and_what_is_mended_by_now_is_left(
    swept: Sweeps, accounts: Accounts, custodian: CustodianProcess
) -> None:
    s3 = accounts.client("s3")
    for bucket in ("own-plain", "own-untagged"):
        make_public(s3, bucket)
    policy = next(one for one in POLICIES if one.name == "s3-public-grants")
    book = Swept((policy,), FOUR, kinds_of([policy]))
    fixes = {("s3 resource", name): Fix("aws.s3", name, (policy,), "new", "{}") for name in ("own-plain", "own-good")}
    hands = FixingHands(custodian, Target(FOUR[-1], REGION), book, fixes)
    acls = s3.get_bucket_acl(Bucket="own-good")["Grants"]
    for fix in fixes.values():
        hands.act(fix.change())
    assert not is_public(s3, "own-plain")
    assert is_public(s3, "own-untagged"), "it was not in the plan"
    assert s3.get_bucket_acl(Bucket="own-good")["Grants"] == acls


def test_credentials_of_another_account_are_no_look_at_this_one(custodian: CustodianProcess) -> None:
    """A wrong number in accounts.yaml would else have another account changed."""
    wrong = Account(account_id="999999999999", name="wrong", regions=(REGION,), allow_actions=True)
    answer = custodian.run(Target(wrong, REGION), {"b": '{"name": "b", "resource": "aws.s3"}'}, is_dry_run=True)["b"]
    assert answer.resources is None
    assert f"the credentials in use are of account {OWN}, not of wrong (999999999999)" in str(answer.error)
