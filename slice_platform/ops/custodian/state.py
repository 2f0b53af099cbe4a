"""The memory of sweeps: every finding as it stands, and when each policy was last answered in each place."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.custodian.findings import Finding, FindingKey, Look, Scope
from slice_platform.ops.custodian.policies import Severity
from slice_platform.ops.custodian.standing import Standing, Status
from slice_platform.ops.custodian.state_tables import findings, looks, metadata
from slice_platform.settings import Settings


@dataclass(frozen=True)
class LastLook:
    """When a policy was last asked somewhere, and last answered; `error` is why the last time it was not."""

    scope: Scope
    account_name: str
    severity: Severity
    resource_type: str
    found: int
    asked_at: datetime
    answered_at: datetime | None = None
    error: str | None = None


class SweepState:
    """How things stood after the last sweep; what is kept is replaced as a whole, in one transaction."""

    def __init__(self, db: MetadataDb) -> None:
        self.db = db
        with db.hold("custodian-tables", timeout_seconds=60):  # two processes may be the first
            metadata.create_all(db.engine)

    def standings(self) -> list[Standing]:
        """Every finding that is kept, those that closed lately among them, by key."""
        asked = sa.select(findings).order_by(*findings.primary_key.columns)
        with self.db.engine.connect() as connection:
            return [_standing_of(row) for row in connection.execute(asked)]

    def last_looks(self) -> list[LastLook]:
        with self.db.engine.connect() as connection:
            return [_look_of(row) for row in connection.execute(sa.select(looks).order_by(*looks.primary_key.columns))]

    def keep(self, standings: Iterable[Standing], last: Iterable[LastLook]) -> None:
        """From now on things stand so; a reader sees all of it or all of what was before."""
        standing_rows, look_rows = [_row_of(one) for one in standings], [_look_row(one) for one in last]
        with self.db.engine.begin() as connection:
            connection.execute(findings.delete())
            connection.execute(looks.delete())
            if standing_rows:
                connection.execute(findings.insert(), standing_rows)
            if look_rows:
                connection.execute(looks.insert(), look_rows)


@contextmanager
def open_state(settings: Settings) -> Iterator[SweepState]:
    """The memory of this deployment, for the length of the block."""
    db = MetadataDb(settings.ledger_url, lock_dir=settings.home_dir / "locks")
    try:
        yield SweepState(db)
    finally:
        db.close()


def latest_looks(
    before: Iterable[LastLook], now_asked: Iterable[Look], swept: Collection[Scope], at: datetime
) -> list[LastLook]:
    """The last look at every policy and place that there still is."""
    known = {one.scope: one for one in before if one.scope in swept}
    for look in now_asked:
        old = known.get(look.scope)
        found = len(look.findings) if look.error is None else (old.found if old else 0)
        answered = at if look.error is None else (old.answered_at if old else None)
        known[look.scope] = LastLook(
            look.scope, look.account_name, look.severity, look.resource_type, found, at, answered, look.error
        )
    return [known[scope] for scope in sorted(known)]


def _row_of(one: Standing) -> dict[str, object]:
    finding = one.finding
    return {
        **finding.key._asdict(),
        "account_name": finding.account_name,
        "severity": finding.severity,
        "resource_type": finding.resource_type,
        "resource_name": finding.resource_name,
        "arn": finding.arn,
        "tags": finding.tags,
        "details": finding.details,
        "status": one.status,
        "since": one.since,
        "seen_at": one.seen_at,
        "opened_at": one.opened_at,
        "closed_at": one.closed_at,
        "exception_owner": one.exception_owner,
        "exception_until": one.exception_until,
    }


def _standing_of(row: sa.Row[tuple[object, ...]]) -> Standing:
    found = row._asdict()
    finding = Finding(
        FindingKey(found["policy"], found["account_id"], found["region"], found["resource_id"]),
        found["account_name"], Severity(found["severity"]), found["resource_type"], found["resource_name"],
        found["arn"], found["tags"], found["details"],
    )  # fmt: skip
    return Standing(
        finding, Status(found["status"]), found["since"], found["seen_at"], found["opened_at"], found["closed_at"],
        found["exception_owner"], found["exception_until"],
    )  # fmt: skip


def _look_row(one: LastLook) -> dict[str, object]:
    return {
        **one.scope._asdict(),
        "account_name": one.account_name,
        "severity": one.severity,
        "resource_type": one.resource_type,
        "found": one.found,
        "asked_at": one.asked_at,
        "answered_at": one.answered_at,
        "error": one.error,
    }


def _look_of(row: sa.Row[tuple[object, ...]]) -> LastLook:
    found = row._asdict()
    return LastLook(
        Scope(found["policy"], found["account_id"], found["region"]), found["account_name"],
        Severity(found["severity"]), found["resource_type"], found["found"], found["asked_at"], found["answered_at"],
        found["error"],
    )  # fmt: skip
