"""`slice custodian` as a newcomer calls it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from slice_platform_tests.cli.conftest import Slice
from slice_platform_tests.cloud import CREDENTIALS
from slice_platform_tests.ops.custodian.aws_accounts import OWN, REFUSING, REGION, Accounts, role, running_accounts
from slice_platform_tests.ops.custodian.planting import is_public, make_public
from slice_platform_tests.tools import require_package

DEFS = "type: slice_platform.components.custodian.CustodianSweep\nattributes: {limits: {max_share: 1}}\n"
POLICIES = """\
policies:
  - name: s3-public-grants
    resource: aws.s3
    description: Buckets that everybody may read.
    metadata: {severity: critical, critical: true}
    filters: [{type: global-grants}]
    actions: [{type: delete-global-grants, grantees: ["http://acs.amazonaws.com/groups/global/AllUsers"]}]
  - {name: s3-untagged, resource: aws.s3, filters: [{"tag:owner": absent}]}
"""
ACCOUNTS = f"""\
accounts:
  - {{account_id: "{OWN}", name: shop, regions: [{REGION}], allow_actions: true, canary: true}}
  - {{account_id: "{REFUSING}", name: vault, role: "{role(REFUSING)}", regions: [{REGION}]}}
"""
EXCEPTIONS = """\
exceptions:
  - {policy: s3-untagged, resource: "win*", owner: web team, until: 9999-01-01, reason: no owner yet}
  - {policy: s3-public-grants, resource: "*", owner: nobody, until: 2020-01-01, reason: long ago}
"""


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    require_package("c7n", "custodian")
    with running_accounts() as started:
        place = {"LocationConstraint": REGION}
        started.client("s3").create_bucket(Bucket="window", CreateBucketConfiguration=place)
        yield started


@pytest.fixture
def shop(slice_: Slice, accounts: Accounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """`slice` where a sweep is defined, with a bucket that everybody may read."""
    make_public(accounts.client("s3"), "window")
    folder = tmp_path / "defs" / "custodian"
    (folder / "policies").mkdir(parents=True)
    for name, text in (
        ("defs.yaml", DEFS), ("policies/s3.yml", POLICIES), ("accounts.yaml", ACCOUNTS), ("exceptions.yaml", EXCEPTIONS)
    ):  # fmt: skip
        (folder / name).write_text(text)
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "defs"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", accounts.url)
    monkeypatch.setenv("SLICE_AWS_ATTEMPTS", "1")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return slice_


def test_validate_lists_the_policies_and_what_each_would_do(shop: Slice) -> None:
    done = shop("custodian", "validate")
    assert done.exit_code == 0, done.output
    assert re.search(r"s3-public-grants +aws.s3 +critical +delete-global-grants +Buckets that everybody", done.output)
    assert re.search(r"s3-untagged +aws.s3 +medium +- ", done.output)
    assert "All valid: 2 accounts, 2 exceptions" in done.output


def test_validate_of_a_folder_tells_file_line_and_policy(shop: Slice, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.yml").write_text("policies:\n  - {name: mine, resource: s3, filters: [{type: nope}]}\n")
    done = shop("custodian", "validate", str(tmp_path / "new"))
    assert done.exit_code == 1 and "mine.yml:2: policy mine: s3.filters Invalid filter type" in done.stderr


def test_a_sweep_prints_the_plan_and_what_it_found_and_changes_nothing(shop: Slice, accounts: Accounts) -> None:
    done = shop("custodian", "sweep", "--account", "shop")
    assert done.exit_code == 0, done.output
    assert "delete-global-grants s3 resource window: s3-public-grants, new" in done.output
    assert "Cloud Custodian: 1 new, 0 fixed, 0 still open" in done.output and "Excepted: 1" in done.output
    assert "Expired exception, which hides nothing any more: s3-public-grants for *" in done.output
    assert "Nothing was changed. Fix what is critical with --apply." in done.output
    assert is_public(accounts.client("s3"), "window")


def test_what_was_found_can_be_read_afterwards(shop: Slice) -> None:
    assert "No findings" in shop("custodian", "findings").output
    shop("custodian", "sweep", "--account", "shop")
    found = shop("custodian", "findings").output
    assert re.search(r"critical +s3-public-grants +shop +global +window +open", found)
    assert re.search(r"medium +s3-untagged +shop +global +window +excepted by web team", found)
    assert "s3-untagged" not in shop("custodian", "findings", "--open").output


def test_with_apply_the_bucket_is_private_and_the_plan_is_in_the_log(shop: Slice, accounts: Accounts) -> None:
    done = shop("custodian", "sweep", "--account", "shop", "--policy", "s3-public-grants", "--apply")
    assert done.exit_code == 0, done.output
    assert "done: delete-global-grants s3 resource window" in done.output and "1 fixed" in done.output
    assert not is_public(accounts.client("s3"), "window")
    assert "to undo: {" in shop("ops", "show", "1").output


def test_an_account_that_could_not_be_looked_at_is_an_error_that_names_it(shop: Slice) -> None:
    done = shop("custodian", "sweep", "--policy", "s3-public-grants")
    assert done.exit_code == 1 and "1 new" in done.output
    assert "vault was not looked at by s3-public-grants in global" in done.stderr
    assert re.search(r"not looked at s3-public-grants in vault, global at all: ", shop("custodian", "findings").output)


def test_exceptions_say_who_answers_until_when_and_which_have_expired(shop: Slice) -> None:
    shop("custodian", "sweep", "--account", "shop")
    found = shop("custodian", "exceptions").output
    assert re.search(r"s3-public-grants +\* +all +nobody +2020-01-01 expired +1 +long ago", found)
    assert re.search(r"s3-untagged +win\* +all +web team +9999-01-01 +1 +no owner yet", found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--account", "shpo"), "none called 'shpo'; there are: shop"), (("--policy", "s3"), "none called 's3'; there")],
)
def test_a_name_that_is_none_is_told_with_those_there_are(shop: Slice, arguments: tuple[str, ...], said: str) -> None:
    done = shop("custodian", "sweep", *arguments)
    assert done.exit_code == 1 and said in done.stderr


def test_where_no_sweep_is_defined_the_way_to_one_is_told(
    slice_: Slice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path))
    done = slice_("custodian", "exceptions")
    assert done.exit_code == 1 and "Write one of type slice_platform.components.custodian.CustodianSweep" in done.stderr
