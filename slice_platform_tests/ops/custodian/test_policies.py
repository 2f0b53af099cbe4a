"""Policies are read with their lines; what is wrong is told with file, line and policy before anything runs."""

import json
from pathlib import Path

import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import ContractError, SettingsError
from slice_platform.ops.custodian.library import arn_of, kinds_of, validate
from slice_platform.ops.custodian.policies import Policy, Severity, chosen, read_policies
from slice_platform_tests.cloud import Cloud
from slice_platform_tests.tools import require_package

GOOD = """\
policies:
  - name: open-buckets
    resource: s3
    description: |
      Buckets that
      are open.
    metadata: {severity: high, critical: true, ticket: SEC-1}
    filters: [{type: global-grants}]
    actions: [{type: delete-global-grants, grantees: [x]}, no-op]
"""


def read(folder: Path, text: str, name: str = "s3.yml") -> tuple[Policy, ...]:
    (folder / name).write_text(text)
    return read_policies(str(folder), AwsAccess())


def test_a_policy_is_read_with_its_severity_and_its_place(tmp_path: Path) -> None:
    (one,) = read(tmp_path, GOOD)
    assert (one.name, one.resource, one.severity, one.may_act) == ("open-buckets", "aws.s3", Severity.HIGH, True)
    assert one.description == "Buckets that are open."
    assert one.actions == ("delete-global-grants", "no-op")
    assert one.where == f"{tmp_path}/s3.yml:2"


def test_without_metadata_a_policy_is_of_medium_severity_and_changes_nothing(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "policies: [{name: a, resource: aws.s3, actions: [no-op]}]")
    assert (one.severity, one.may_act) == (Severity.MEDIUM, False)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("policies:\n  - resource: s3", 2, "expected a policy with a name"),
        ("policies:\n  - name: a", 2, "'a' names no resource"),
        (GOOD + "  - name: open-buckets\n    resource: s3", 10, "stands in .*s3.yml:2 already"),
        (GOOD.replace("high", "hihg"), 7, "metadata.severity: .*'hihg'"),
        (GOOD.replace("critical: true", "critical: [1]"), 7, "metadata.critical"),
        (GOOD + "    mode: {type: periodic}", 10, "brings a mode of its own"),
        ("policies: {a: 1}", 1, "expected a list"),
        ("policy:\n  - name: a", 1, "policy: is not known here; expected 'policies'"),
        ("policies:\n  - name: [", 2, "not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(ContractError, match=rf"s3\.yml:{line}: .*{said}"):
        read(tmp_path, text)


def test_a_folder_without_policies_is_no_sweep_that_found_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"holds no file that ends in \.yml"):
        read_policies(str(tmp_path), AwsAccess())


def test_policies_of_a_prefix_in_s3_are_read_like_those_of_a_folder(cloud: Cloud) -> None:
    import boto3

    bucket = cloud.fresh_bucket()
    boto3.client("s3", endpoint_url=cloud.url).put_object(Bucket=bucket, Key="org/policies/s3.yml", Body=GOOD.encode())
    (one,) = read_policies(f"s3://{bucket}/org/policies", AwsAccess(endpoint_url=cloud.url))
    assert (one.name, one.where) == ("open-buckets", "s3.yml:2")


def test_what_c7n_refuses_is_told_in_its_words_with_file_line_and_policy(tmp_path: Path) -> None:
    require_package("c7n", "custodian")
    wrong = """
policies:
  - {name: a, resource: aws.s3, filters: [{type: nope}]}
  - {name: b, resource: aws.nosuch}
  - {name: c, resource: aws.ec2, filters: [{"State.Name": [running]}]}
  - {name: d, resource: aws.ec2, colour: red}
"""
    with pytest.raises(ContractError) as refused:
        validate(read(tmp_path, wrong))
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[0].rsplit(":", 1)[-1] for line in lines] == ["3", "4", "5", "6"]
    said = (
        "Invalid filter type {'type': 'nope'}",
        "unknown resource:aws.nosuch",
        "{'State.Name'",
        "unknown keys: colour",
    )
    assert all(text in line for text, line in zip(said, lines, strict=True))
    assert max(map(len, lines)) < 500, "c7n quotes pages of its schema"


def test_without_c7n_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slice_platform.ops.custodian.library.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match=r"pip install 'slice_platform\[custodian\]'"):
        validate(read(tmp_path, GOOD))


def test_a_policy_for_one_resource_asks_for_it_before_all_else_and_for_no_other(tmp_path: Path) -> None:
    (one,) = read(tmp_path, GOOD + "    max-resources-percent: 50\n")
    document = json.loads(one.restricted_to("Name", "b1"))
    assert document["filters"][0] == {"type": "value", "key": "Name", "op": "eq", "value": "b1"}
    assert document["filters"][1:] == [{"type": "global-grants"}]
    assert document["max-resources"] == 1 and "max-resources-percent" not in document


def test_a_policy_that_is_not_there_cannot_be_chosen(tmp_path: Path) -> None:
    policies = read(tmp_path, GOOD)
    assert chosen(policies, []) == policies
    with pytest.raises(SettingsError, match="none called 'opne'; there are: open-buckets"):
        chosen(policies, ["opne"])


def test_c7n_tells_how_resources_are_named(tmp_path: Path) -> None:
    require_package("c7n", "custodian")
    policies = read(
        tmp_path, "policies: [{name: a, resource: s3}, {name: b, resource: ec2}, {name: c, resource: iam-user}]"
    )
    kinds = kinds_of(policies)
    assert {name: (one.id_key, one.is_regional) for name, one in kinds.items()} == {
        "aws.s3": ("Name", False),
        "aws.ec2": ("InstanceId", True),
        "aws.iam-user": ("UserName", False),
    }
    where = "111111111111", "ap-south-1"
    assert arn_of("aws.ec2", {"InstanceId": "i-1"}, *where) == "arn:aws:ec2:ap-south-1:111111111111:instance/i-1"
    assert arn_of("aws.ec2", {}, *where) is None
