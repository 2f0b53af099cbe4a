"""Security Hub has what stands, in calls it can take, and is told when something is over."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from slice_platform.aws import AwsAccess
from slice_platform.ops.custodian.accounts import Target
from slice_platform.ops.custodian.security_hub import publish
from slice_platform_tests.ops.custodian.aws_accounts import OTHER, REFUSING, REGION, Accounts, role
from slice_platform_tests.ops.custodian.paper import PROD
from slice_platform_tests.ops.custodian.reports import NOON, PUBLIC_IN_PROD, look, report_of

THERE = PROD.model_copy(update={"role": role(OTHER)})


@dataclass
class Hub:
    """Security Hub as moto has it, and how many findings each call brought."""

    client: Any
    sizes: list[int] = field(default_factory=list)

    def batch_import_findings(self, **asked: Any) -> Any:
        self.sizes.append(len(asked["Findings"]))
        return self.client.batch_import_findings(**asked)

    def findings(self) -> dict[str, dict[str, Any]]:
        pages = self.client.get_paginator("get_findings").paginate()
        return {one["Resources"][0]["Id"]: one for page in pages for one in page["Findings"]}


@pytest.fixture
def hub(accounts: Accounts, credentials: None) -> Iterator[Hub]:
    client = accounts.client("securityhub", OTHER)
    client.enable_security_hub()
    yield Hub(client)
    client.disable_security_hub()


def test_250_findings_go_in_calls_of_100(hub: Hub) -> None:
    done = publish(report_of(look(PUBLIC_IN_PROD, map(str, range(250)))), AwsAccess(), lambda _target: hub)
    assert hub.sizes == [100, 100, 50]
    assert (done.active, done.archived, done.problems) == (250, 0, ())


def test_a_finding_says_what_is_wrong_with_which_resource(hub: Hub, accounts: Accounts) -> None:
    access = AwsAccess(endpoint_url=accounts.url, attempts=1)
    tags = '{"owner": "web"}'
    publish(report_of(look(PUBLIC_IN_PROD, ["told"], tags=tags), accounts=(THERE,)), access)
    found = hub.findings()["arn:aws:s3:::told"]
    assert (found["Title"], found["Severity"]["Label"], found["RecordState"]) == ("public: told", "HIGH", "ACTIVE")
    assert (found["AwsAccountId"], found["CreatedAt"]) == (OTHER, "2026-03-10T12:00:00.000Z")
    (resource,) = found["Resources"]
    assert (resource["Type"], resource["Region"], resource["Tags"]) == ("AwsS3Bucket", REGION, {"owner": "web"})


def test_what_is_fixed_is_archived_under_the_same_id(hub: Hub) -> None:
    first = report_of(look(PUBLIC_IN_PROD, ["mended", "not"]))
    publish(first, AwsAccess(), lambda _target: hub)
    before = hub.findings()["arn:aws:s3:::mended"]
    second = report_of(look(PUBLIC_IN_PROD, ["not"]), before=first, at=NOON + timedelta(days=1))
    done = publish(second, AwsAccess(), lambda _target: hub)
    after = hub.findings()["arn:aws:s3:::mended"]
    assert after["Id"] == before["Id"] and after["CreatedAt"] == before["CreatedAt"]
    assert (after["RecordState"], after["Compliance"]["Status"]) == ("ARCHIVED", "PASSED")
    assert hub.findings()["arn:aws:s3:::not"]["RecordState"] == "ACTIVE"
    assert (done.active, done.archived) == (1, 1)


def test_what_was_not_looked_at_stays_as_it_is() -> None:
    first = report_of(look(PUBLIC_IN_PROD, "a"))
    second = report_of(look(PUBLIC_IN_PROD, error="AccessDenied"), before=first)
    asked: list[Target] = []
    assert publish(second, AwsAccess(), asked.append).active == 0
    assert asked == []


def test_findings_that_security_hub_does_not_take_are_told(accounts: Accounts, credentials: None) -> None:
    client = accounts.client("securityhub", OTHER)
    refused = [{"Id": "x", "ErrorCode": "InvalidInput", "ErrorMessage": "no such type"}]
    with Stubber(client) as stub:
        stub.add_response("batch_import_findings", {"FailedCount": 1, "SuccessCount": 1, "FailedFindings": refused})
        done = publish(report_of(look(PUBLIC_IN_PROD, "ab")), AwsAccess(), lambda _target: client)
    (problem,) = done.problems
    assert "did not take 1 of 2: x: InvalidInput no such type" in problem


def test_an_account_that_refuses_keeps_no_other_from_being_told(accounts: Accounts, credentials: None) -> None:
    refusing = PROD.model_copy(update={"role": role(REFUSING)})
    access = AwsAccess(endpoint_url=accounts.url, attempts=1)
    done = publish(report_of(look(PUBLIC_IN_PROD, "a"), accounts=(refusing,)), access)
    (problem,) = done.problems
    assert "Could not assume the role of 'prod (222222222222)'" in problem and "AccessDenied" in problem
