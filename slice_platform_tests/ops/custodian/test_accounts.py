"""accounts.yaml and exceptions.yaml: what they may say, and where a mistake is."""

from datetime import date
from pathlib import Path

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import ContractError, SettingsError
from slice_platform.ops.custodian.accounts import Account, chosen_accounts, read_accounts
from slice_platform.ops.custodian.exceptions import Exceptions, PolicyException, read_exceptions
from slice_platform.ops.custodian.findings import Finding, FindingKey
from slice_platform.ops.custodian.policies import Severity

TWO = """\
accounts:
  - account_id: "012345678901"
    name: dev
    regions: [ap-south-1]
    allow_actions: true
    canary: true
  - account_id: "222222222222"
    name: prod
    role: arn:aws:iam::222222222222:role/custodian
    regions: [ap-south-1, eu-west-1]
"""
ONE = """\
exceptions:
  - policy: public
    resource: site-*
    account: prod
    owner: web team
    until: 2026-03-31
    reason: it is a web site
"""


def accounts(folder: Path, text: str) -> tuple[Account, ...]:
    (folder / "accounts.yaml").write_text(text)
    return read_accounts(str(folder / "accounts.yaml"), AwsAccess())


def exceptions(folder: Path, text: str) -> tuple[PolicyException, ...]:
    (folder / "exceptions.yaml").write_text(text)
    return read_exceptions(str(folder / "exceptions.yaml"), AwsAccess(), ["public"])


def finding(resource: str, account: str = "prod", policy: str = "public") -> Finding:
    key = FindingKey(policy, "222222222222", "global", resource)
    return Finding(key, account, Severity.HIGH, "aws.s3", resource, None, "{}", "{}")


def test_accounts_are_read_in_order_and_change_nothing_unless_allowed(tmp_path: Path) -> None:
    dev, prod = accounts(tmp_path, TWO)
    assert (dev.role, dev.allow_actions, dev.canary) == (None, True, True)
    assert (prod.allow_actions, prod.canary, prod.regions) == (False, False, ("ap-south-1", "eu-west-1"))


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('"012345678901"', "12345678901", 2, "account_id"),
        ("ap-south-1, eu-west-1", "ap-south-1, ap-south-1", 10, "names a region twice"),
        ("ap-south-1, eu-west-1", "everywhere", 10, "regions.0"),
        ("::222222222222:role", "::333333333333:role", 9, "arn:aws:iam::222222222222:role/<name>"),
        ("name: prod", "name: dev", 7, "stands here twice"),
        ("allow_actions: true", "allow_actions: false", 6, "canary in which nothing may be changed"),
        ("canary: true", "canery: true", 6, "canery"),
    ],
)
def test_a_mistake_in_an_account_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(ContractError, match=rf"accounts\.yaml:{line}: .*{said}"):
        accounts(tmp_path, TWO.replace(old, new))


def test_accounts_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    dev, prod = accounts(tmp_path, TWO)
    assert chosen_accounts((dev, prod), []) == (dev, prod)
    assert chosen_accounts((dev, prod), ["prod"]) == chosen_accounts((dev, prod), ["222222222222"]) == (prod,)
    with pytest.raises(SettingsError, match=r"none called 'prd'; there are: dev \(012345678901\), prod"):
        chosen_accounts((dev, prod), ["prd"])


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such file"):
        read_accounts(str(tmp_path / "accounts.yaml"), AwsAccess())


def test_an_exception_covers_what_it_names_until_its_last_day(tmp_path: Path) -> None:
    known = exceptions(tmp_path, ONE)
    last, after = Exceptions(known, date(2026, 3, 31)), Exceptions(known, date(2026, 4, 1))
    assert last.of(finding("site-a")) is known[0] and last.expired == ()
    assert after.of(finding("site-a")) is None and after.expired == known
    assert last.of(finding("Site-a")) is None
    assert last.of(finding("site-a", account="dev")) is None
    assert last.of(finding("site-a", policy="untagged")) is None


def test_of_two_exceptions_the_one_that_holds_longer_counts(tmp_path: Path) -> None:
    more = "  - {policy: public, resource: '*', owner: security, until: 2027-01-01, reason: all of them}\n"
    known = exceptions(tmp_path, ONE + more)
    assert Exceptions(known, date(2026, 1, 1)).of(finding("site-a")) is known[1]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("    owner: web team\n", "", 2, "owner: Field required"),
        ("2026-03-31", "soon", 6, "until"),
        ("policy: public", "policy: pubic", 2, "no policy 'pubic'; there are: public"),
    ],
)
def test_a_malformed_exception_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    with pytest.raises(ContractError, match=rf"exceptions\.yaml:{line}: .*{said}"):
        exceptions(tmp_path, ONE.replace(old, new))


def test_an_empty_file_of_exceptions_has_none(tmp_path: Path) -> None:
    assert exceptions(tmp_path, "# nothing is excused\n") == ()
