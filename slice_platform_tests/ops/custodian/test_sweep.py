"""A sweep remembers: what it was not about stands, what was taken out is closed, and no two are under way at once."""

from dataclasses import replace
from pathlib import Path

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import DatasetBusy, SettingsError
from slice_platform.ops.custodian.spec import CustodianSpec
from slice_platform.ops.custodian.standing import Status
from slice_platform.ops.custodian.sweep import Selection, Sweeper, read_book
from slice_platform.ops.fence import Mandate
from slice_platform_tests.ops.custodian.conftest import SweeperOf
from slice_platform_tests.ops.custodian.paper import CANARY, PROD, PUBLIC, PaperCustodian, book
from slice_platform_tests.tools import require_package

DRY = Mandate("ann")
BROKEN = {"canary": {"public": ["a"], "untagged": ["b"]}, "prod": {"public": ["c"]}}


def known(sweeper: Sweeper) -> dict[str, Status]:
    return {one.key.resource_id: one.status for one in sweeper.state.standings()}


def test_how_things_stand_is_remembered_with_every_word(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(PaperCustodian(BROKEN))
    report = sweeper.sweep(book(CANARY, PROD), DRY)
    assert sweeper.state.standings() == sorted(report.diff.all(), key=lambda one: one.key)
    assert tuple(sweeper.state.last_looks()) == report.last_looks and len(report.last_looks) == 4


def test_a_sweep_of_one_account_or_policy_leaves_the_others_as_they_stood(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(PaperCustodian(BROKEN))
    sweeper.sweep(book(CANARY, PROD), DRY)
    mended = replace(sweeper, custodian=PaperCustodian({}))
    part = mended.sweep(book(CANARY, PROD), DRY, Selection(("canary",), ("public",)))
    assert known(mended) == {"a": Status.CLOSED, "b": Status.OPEN, "c": Status.OPEN}
    assert len(part.looks) == 1 and len(part.last_looks) == 4


def test_what_is_taken_out_is_closed_and_no_longer_counted_as_looked_at(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(PaperCustodian(BROKEN))
    sweeper.sweep(book(CANARY, PROD), DRY)
    report = sweeper.sweep(book(CANARY, policies=(PUBLIC,)), DRY)
    assert known(sweeper) == {"a": Status.OPEN, "b": Status.CLOSED, "c": Status.CLOSED}
    assert len(report.last_looks) == 1


def test_a_policy_that_fails_keeps_its_findings_and_says_when_it_last_answered(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(PaperCustodian(BROKEN))
    first = sweeper.sweep(book(CANARY), DRY)
    failing = replace(sweeper, custodian=PaperCustodian({}, failing={("canary", "public")}))
    report = failing.sweep(book(CANARY), DRY)
    assert known(failing) == {"a": Status.OPEN, "b": Status.CLOSED}
    assert report.problems() == ("canary was not looked at by public in global: AccessDenied",)
    public, _ = failing.state.last_looks()
    assert (public.answered_at, public.error, public.found) == (first.at, "AccessDenied", 1)


def test_two_sweeps_are_not_under_way_at_once(sweeper_of: SweeperOf) -> None:
    sweeper = sweeper_of(PaperCustodian(BROKEN))
    with sweeper.journal.alone("custodian_sweep", "accounts"), pytest.raises(DatasetBusy, match="custodian_sweep of"):
        sweeper.sweep(book(CANARY), DRY)
    assert known(sweeper) == {}


def test_accounts_that_name_none_are_no_sweep_that_found_nothing(tmp_path: Path) -> None:
    require_package("c7n", "custodian")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "s3.yml").write_text("policies: [{name: a, resource: aws.s3}]")
    (tmp_path / "accounts.yaml").write_text("accounts: []")
    (tmp_path / "exceptions.yaml").write_text("")
    with pytest.raises(SettingsError, match="names none. Add one"):
        read_book(CustodianSpec().below(tmp_path), AwsAccess())
