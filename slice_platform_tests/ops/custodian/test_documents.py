"""What docs/custodian.md tells people to write is what the platform reads."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from slice_platform.aws import AwsAccess
from slice_platform.cli.main import main
from slice_platform.ops.custodian.accounts import read_accounts
from slice_platform.ops.custodian.exceptions import read_exceptions
from slice_platform.ops.custodian.library import validate
from slice_platform.ops.custodian.policies import read_policies
from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.tools import require_package

PAGE = (PACKAGE_DIR.parent / "docs" / "custodian.md").read_text(encoding="utf-8")
SHIPPED = PACKAGE_DIR / "defs" / "custodian"


def block(start: str, language: str = "yaml") -> str:
    found = re.search(rf"```{language}\n({re.escape(start)}.*?)```", PAGE, re.DOTALL)
    assert found is not None, f"the page has no block that begins with {start!r}"
    return found[1]


def test_the_policy_of_the_page_is_one_that_c7n_takes(tmp_path: Path) -> None:
    require_package("c7n", "custodian")
    (tmp_path / "page.yml").write_text(block("policies:"))
    policies = read_policies(str(tmp_path), AwsAccess())
    validate(policies)
    assert [one.name for one in policies] == ["sqs-unencrypted"]


def test_accounts_and_exceptions_of_the_page_are_read(tmp_path: Path) -> None:
    names = [one.name for one in read_policies(str(SHIPPED / "policies"), AwsAccess())]
    for name, start in (("accounts", "accounts:"), ("exceptions", "exceptions:")):
        (tmp_path / f"{name}.yaml").write_text(block(start))
    dev, _ = read_accounts(str(tmp_path / "accounts.yaml"), AwsAccess())
    assert dev.canary and dev.external_id == "slice"
    assert len(read_exceptions(str(tmp_path / "exceptions.yaml"), AwsAccess(), names)) == 1
    assert json.loads(block('{"Version"', "json"))["Statement"][0]["Action"] == "sts:AssumeRole"


def test_what_ships_commented_out_is_right_as_well(tmp_path: Path) -> None:
    names = [one.name for one in read_policies(str(SHIPPED / "policies"), AwsAccess())]
    for name in ("accounts", "exceptions"):
        text = re.sub(r"^#(?=  )", "", (SHIPPED / f"{name}.yaml").read_text(), flags=re.MULTILINE)
        (tmp_path / f"{name}.yaml").write_text(text.replace("exceptions: []", "exceptions:"))
    assert len(read_accounts(str(tmp_path / "accounts.yaml"), AwsAccess())) == 2
    assert len(read_exceptions(str(tmp_path / "exceptions.yaml"), AwsAccess(), names)) == 1


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^slice (custodian \w+|ops \w+)", PAGE, re.MULTILINE))))
def test_every_command_of_the_page_exists(command: str) -> None:
    assert CliRunner().invoke(main, [*command.split(), "--help"]).exit_code == 0
