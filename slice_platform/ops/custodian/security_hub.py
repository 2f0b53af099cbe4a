"""Findings in the Security Hub of the account that they are about; what was fixed is archived there."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from slice_platform.aws import AwsAccess, told
from slice_platform.errors import SliceError
from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.findings import GLOBAL
from slice_platform.ops.custodian.sessions import account_client
from slice_platform.ops.custodian.standing import Standing, Status
from slice_platform.ops.custodian.sweep import SweepReport

MOST_AT_ONCE = 100  # AWS takes no more in one call
_MOST_ID, _MOST_TITLE, _MOST_DESCRIPTION = 512, 256, 1024  # characters
_MOST_FAILURES = 3  # that an error quotes
_TYPES = {
    "aws.ami": "Other",
    "aws.ebs": "AwsEc2Volume",
    "aws.ec2": "AwsEc2Instance",
    "aws.iam-role": "AwsIamRole",
    "aws.iam-user": "AwsIamUser",
    "aws.rds": "AwsRdsDbInstance",
    "aws.s3": "AwsS3Bucket",
    "aws.security-group": "AwsEc2SecurityGroup",
}
_Clients = Callable[[Target], Any]


@dataclass(frozen=True)
class Published:
    """How many findings Security Hub has now, how many of them archived, and what it did not take."""

    active: int
    archived: int
    problems: tuple[str, ...] = ()


def publish(report: SweepReport, access: AwsAccess, clients: _Clients | None = None) -> Published:
    """Every finding that stands in the swept accounts is told to the Security Hub of its account and region.

    Safe to repeat: a finding has one Id for as long as it lives. One account that fails keeps no other from being told.
    Excepted findings are archived, too: somebody answers for them.
    """
    open_client = clients or (lambda target: account_client("securityhub", target, access))
    active = archived = 0
    problems: list[str] = []
    for target, standings in _by_target(report).items():
        try:
            with told("import findings into", f"the Security Hub of {target}"):
                failed = _import(open_client(target), [_finding(one, target, report) for one in standings])
        except SliceError as error:
            problems.append(str(error))
            continue
        if failed:
            quoted = "; ".join(
                f"{one['Id']}: {one['ErrorCode']} {one['ErrorMessage']}" for one in failed[:_MOST_FAILURES]
            )
            problems.append(f"The Security Hub of {target} did not take {len(failed)} of {len(standings)}: {quoted}")
        active += sum(one.status is Status.OPEN for one in standings)
        archived += sum(one.status is not Status.OPEN for one in standings)
    return Published(active, archived, tuple(problems))


def _import(client: Any, findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """Those that were not taken."""
    failed: list[Mapping[str, str]] = []
    for chunk in _chunks(findings):
        answer = client.batch_import_findings(Findings=chunk)
        if answer["FailedCount"]:
            failed += answer.get("FailedFindings") or [
                {"Id": "?", "ErrorCode": "?", "ErrorMessage": f"{answer['FailedCount']} without a word"}
            ]
    return failed


def _chunks(findings: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    for start in range(0, len(findings), MOST_AT_ONCE):
        yield list(findings[start : start + MOST_AT_ONCE])


def _by_target(report: SweepReport) -> dict[Target, list[Standing]]:
    """What stands in each account and region of the sweep; what has no region with the first of its account."""
    accounts = {one.account_id: one for one in report.accounts}
    found: dict[Target, list[Standing]] = {}
    for one in _told(report):
        account = accounts.get(one.key.account_id)
        if account is not None:
            found.setdefault(Target(account, _region(one, account)), []).append(one)
    return found


def _told(report: SweepReport) -> Iterable[Standing]:
    """All but what nobody could look at: of that nothing new is known."""
    diff = report.diff
    return (*diff.new, *diff.still_open, *diff.fixed, *diff.excepted, *diff.closed_before)


def _region(one: Standing, account: Account) -> str:
    return account.regions[0] if one.key.region == GLOBAL else one.key.region


def _finding(one: Standing, target: Target, report: SweepReport) -> dict[str, Any]:
    """In the AWS Security Finding Format."""
    finding, account = one.finding, target.account.account_id
    description = report.descriptions.get(one.key.policy) or one.key.policy
    is_open = one.status is Status.OPEN
    return {
        "SchemaVersion": "2018-10-08",
        "Id": finding_id(one),
        "ProductArn": _product(target),
        "GeneratorId": f"slice/custodian/{one.key.policy}",
        "AwsAccountId": account,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "CreatedAt": _moment(one.opened_at or one.since),
        "UpdatedAt": _moment(report.at),
        "Severity": {"Label": finding.severity.value.upper()},
        "Title": f"{one.key.policy}: {finding.resource_name}"[:_MOST_TITLE],
        "Description": description[:_MOST_DESCRIPTION],
        "Resources": [_resource(one, target)],
        "Compliance": {"Status": "FAILED" if one.status is not Status.CLOSED else "PASSED"},
        "RecordState": "ACTIVE" if is_open else "ARCHIVED",
    }


def _product(target: Target) -> str:
    """The account's own product, into which only the account itself may import."""
    region, account = target.region, target.account.account_id
    return f"arn:{_partition(region)}:securityhub:{region}:{account}:product/{account}/default"


def finding_id(one: Standing) -> str:
    """The same for as long as the finding lives."""
    policy, account, region, resource = one.key
    full = f"slice/custodian/{account}/{region}/{policy}/{resource}"
    return full if len(full) <= _MOST_ID else f"slice/custodian/{hashlib.sha256(full.encode()).hexdigest()}"


def _resource(one: Standing, target: Target) -> dict[str, Any]:
    finding = one.finding
    told_of: dict[str, Any] = {
        "Type": _TYPES.get(finding.resource_type, "Other"),
        "Id": finding.arn or one.key.resource_id,
        "Partition": _partition(target.region),
        "Region": target.region,
    }
    tags = json.loads(finding.tags)
    return {**told_of, "Tags": tags} if tags else told_of


def _partition(region: str) -> str:
    starts = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for start, name in starts.items() if region.startswith(start)), "aws")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"
