"""Each policy that ships finds what was planted for it and leaves the good one, asked by the real c7n."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.library import kinds_of, validate
from slice_platform.ops.custodian.policies import Policy, read_policies
from slice_platform.ops.custodian.runner import CustodianProcess
from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.cloud import CREDENTIALS
from slice_platform_tests.ops.custodian.aws_accounts import OWN, REGION, Accounts
from slice_platform_tests.ops.custodian.planting import Planted, plant_buckets, plant_machines

FOLDER = str(PACKAGE_DIR / "defs" / "custodian" / "policies")
POLICIES = {one.name: one for one in read_policies(FOLDER, AwsAccess())}
CRITICAL = {"s3-public-grants", "s3-public-policy", "s3-public-access-not-blocked"}


@dataclass(frozen=True)
class Asked:
    """What was planted, and the ids that each policy found."""

    planted: Planted
    found: Mapping[str, list[str]]


def ids(policy: Policy, resources: tuple[str, ...] | None) -> list[str]:
    assert resources is not None
    key = kinds_of([policy])[policy.resource].id_key
    return [json.loads(one)[key] for one in resources]


@pytest.fixture(scope="module")
def asked(accounts: Accounts) -> Asked:
    buckets, machines = plant_buckets(accounts), plant_machines(accounts)
    custodian = CustodianProcess(AwsAccess(endpoint_url=accounts.url, attempts=1), timeout_seconds=60)
    target = Target(Account(account_id=OWN, name="own", regions=(REGION,)), REGION)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        answers = custodian.run(target, {one.name: one.document for one in POLICIES.values()}, is_dry_run=True)
    assert not [answer.error for answer in answers.values() if answer.error]
    found = {name: ids(POLICIES[name], answer.resources) for name, answer in answers.items()}
    return Asked(Planted(buckets.bad | machines.bad, buckets.good | machines.good), found)


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_finds_what_breaks_it_and_leaves_what_does_not(name: str, asked: Asked) -> None:
    found = asked.found[name]
    assert asked.planted.bad[name] in found
    assert asked.planted.good[name] not in found


def test_c7n_takes_every_policy_and_each_says_what_it_is_about() -> None:
    validate(POLICIES.values())
    assert [one.name for one in POLICIES.values() if not one.description] == []


def test_only_what_makes_a_bucket_public_is_fixed_by_itself() -> None:
    """A reviewed list: what is critical changes accounts."""
    assert {one.name for one in POLICIES.values() if one.may_act} == CRITICAL
