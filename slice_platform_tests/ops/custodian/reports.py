"""Reports of sweeps that never were: of buckets that a policy found, day after day."""

from collections.abc import Iterable
from datetime import UTC, datetime

from slice_platform.ops.custodian.accounts import Account
from slice_platform.ops.custodian.exceptions import Exceptions, PolicyException
from slice_platform.ops.custodian.findings import Finding, FindingKey, Look, Scope
from slice_platform.ops.custodian.policies import Severity
from slice_platform.ops.custodian.standing import Diff, compared
from slice_platform.ops.custodian.state import latest_looks
from slice_platform.ops.custodian.sweep import SweepReport
from slice_platform_tests.ops.custodian.paper import PROD, PUBLIC, UNTAGGED

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PUBLIC_IN_PROD = Scope("public", PROD.account_id, "global")
UNTAGGED_IN_PROD = Scope("untagged", PROD.account_id, "global")


def look(scope: Scope, buckets: Iterable[str] = (), error: str | None = None, tags: str = "{}") -> Look:
    found = tuple(
        Finding(FindingKey(*scope, one), PROD.name, Severity.HIGH, "aws.s3", one, f"arn:aws:s3:::{one}", tags, "{}")
        for one in buckets
    )
    return Look(scope, PROD.name, Severity.HIGH, "aws.s3", found, error)


def report_of(
    *looks: Look,
    before: SweepReport | None = None,
    at: datetime = NOON,
    exceptions: Iterable[PolicyException] = (),
    accounts: tuple[Account, ...] = (PROD,),
) -> SweepReport:
    """What a sweep with these looks reports, after `before`."""
    known = Exceptions(tuple(exceptions), at.date())
    swept = {PUBLIC_IN_PROD, UNTAGGED_IN_PROD}
    diff = compared(before.diff.all() if before else Diff().all(), looks, swept, known, at)
    last = latest_looks(before.last_looks if before else (), looks, swept, at)
    return SweepReport(
        f"{at:%Y%m%dT%H%M%S}", "ann", at, looks, diff, tuple(last), expired=known.expired, accounts=accounts,
        policies=(PUBLIC, UNTAGGED),
    )  # fmt: skip
