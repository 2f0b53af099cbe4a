"""What operations intended, did and left undone: plans, their acts, and what is needed to undo these.

An act is written down before it happens. One that stands as begun and never ended was cut short: whether it happened
is for the next plan to see, which starts from what is there.
"""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256

import sqlalchemy as sa

from slice_platform.errors import SettingsError
from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.journal_tables import acts, metadata, plans
from slice_platform.ops.plan import Change, Plan
from slice_platform.settings import Settings


class PlanState(StrEnum):
    """What became of a plan."""

    RUNNING = "running"  # or cut short
    PLANNED = "planned"  # a dry run: nothing was done
    REFUSED = "refused"  # the fence did not let it through: nothing was done
    DONE = "done"
    FAILED = "failed"  # at one of its acts; those before are done


class ActState(StrEnum):
    """What became of one act of a plan."""

    PLANNED = "planned"
    BEGUN = "begun"  # under way, or cut short
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class PlanRow:
    """One plan, as it was kept."""

    id: int
    job: str
    target: str
    actor: str
    state: PlanState
    opened_at: datetime
    closed_at: datetime | None
    error: str | None


@dataclass(frozen=True)
class ActRow:
    """One act of a plan, as it was kept."""

    number: int
    change: Change
    state: ActState
    begun_at: datetime | None
    ended_at: datetime | None
    error: str | None


class Journal:
    """The journal in the metadata database; safe for several processes."""

    def __init__(self, db: MetadataDb, *, lock_timeout_seconds: float = 0.0) -> None:
        self.db, self._lock_timeout = db, lock_timeout_seconds
        with db.hold("ops-journal-tables", timeout_seconds=60):  # two processes may be the first
            metadata.create_all(db.engine)

    def alone(self, job: str, target: str) -> AbstractContextManager[None]:
        """Hold the job on the target alone for the block.

        Raises:
            DatasetBusy: another process has it.
        """
        name = f"ops-{sha256(f'{job} {target}'.encode()).hexdigest()[:16]}"
        return self.db.exclusive(name, of=f"{job} of {target}", timeout_seconds=self._lock_timeout)

    # --- what happens

    def open(self, plan: Plan, *, actor: str, is_dry_run: bool) -> int:
        """Keep a plan before anything of it is done; its id."""
        state = PlanState.PLANNED if is_dry_run else PlanState.RUNNING
        row = {
            "job": plan.job,
            "target": plan.target,
            "actor": actor,
            "state": state,
            "existing": json.dumps(dict(plan.existing)),
            "opened_at": datetime.now(UTC),
        }
        with self.db.engine.begin() as connection:
            (plan_id,) = connection.execute(plans.insert().values(row)).inserted_primary_key or (None,)
            assert plan_id is not None
            if plan.changes:
                connection.execute(acts.insert(), [_row(plan_id, n, one) for n, one in enumerate(plan.changes)])
        return int(plan_id)

    def begin(self, plan_id: int, number: int) -> None:
        """The act may happen from now on: it and its undo record are kept."""
        self._mark(plan_id, number, ActState.BEGUN, begun_at=datetime.now(UTC))

    def end(self, plan_id: int, number: int) -> None:
        self._mark(plan_id, number, ActState.DONE, ended_at=datetime.now(UTC))

    def skip(self, plan_id: int, number: int, why: str) -> None:
        self._mark(plan_id, number, ActState.SKIPPED, error=why, ended_at=datetime.now(UTC))

    @contextmanager
    def failing(self, plan_id: int, number: int) -> Iterator[None]:
        """An error inside is that of the act, and ends its plan."""
        try:
            yield
        except Exception as error:
            self._mark(plan_id, number, ActState.FAILED, error=str(error), ended_at=datetime.now(UTC))
            self.close(plan_id, PlanState.FAILED, str(error))
            raise

    def close(self, plan_id: int, state: PlanState, error: str | None = None) -> None:
        values = {"state": state, "closed_at": datetime.now(UTC), "error": error}
        with self.db.engine.begin() as connection:
            connection.execute(plans.update().where(plans.c.id == plan_id).values(values))

    # --- what happened

    def plan(self, plan_id: int) -> PlanRow:
        """Raises SettingsError where there is no such plan."""
        with self.db.engine.connect() as connection:
            row = connection.execute(sa.select(plans).where(plans.c.id == plan_id)).one_or_none()
        if row is None:
            raise SettingsError(
                f"Looking for plan {plan_id}: the journal has none of that number. Its plans: slice ops log"
            )
        return _plan_of(row)

    def latest(self, *, most: int = 20, job: str | None = None) -> list[PlanRow]:
        """Plans, the newest first."""
        asked = sa.select(plans).order_by(plans.c.id.desc()).limit(most)
        if job is not None:
            asked = asked.where(plans.c.job == job)
        with self.db.engine.connect() as connection:
            return [_plan_of(row) for row in connection.execute(asked)]

    def acts(self, plan_id: int) -> list[ActRow]:
        """The acts of a plan, in its order."""
        asked = sa.select(acts).where(acts.c.plan_id == plan_id).order_by(acts.c.number)
        with self.db.engine.connect() as connection:
            return [_act_of(row) for row in connection.execute(asked)]

    def unfinished(self, job: str, target: str) -> list[Change]:
        """What plans that failed or were cut short did not get done for certain, since the last that was done."""
        with self.db.engine.connect() as connection:
            last_done = connection.scalar(
                sa.select(sa.func.max(plans.c.id)).where(_of(job, target), plans.c.state == PlanState.DONE)
            )
            asked = (
                sa.select(acts)
                .join(plans, plans.c.id == acts.c.plan_id)
                .where(_of(job, target), plans.c.id > (last_done or 0))
                .where(plans.c.state.in_([PlanState.RUNNING, PlanState.FAILED]))
                .where(acts.c.state.not_in([ActState.DONE, ActState.SKIPPED]))
                .order_by(acts.c.plan_id, acts.c.number)
            )
            return [_act_of(row).change for row in connection.execute(asked)]

    def _mark(self, plan_id: int, number: int, state: ActState, **more: object) -> None:
        row = (acts.c.plan_id == plan_id) & (acts.c.number == number)
        with self.db.engine.begin() as connection:
            connection.execute(acts.update().where(row).values({"state": state, **more}))


@contextmanager
def open_journal(settings: Settings) -> Iterator[Journal]:
    """The journal of this deployment, for the length of the block."""
    db = MetadataDb(settings.ledger_url, lock_dir=settings.home_dir / "locks")
    try:
        yield Journal(db, lock_timeout_seconds=settings.lock_timeout_seconds)
    finally:
        db.close()


def _of(job: str, target: str) -> sa.ColumnElement[bool]:
    return (plans.c.job == job) & (plans.c.target == target)


def _row(plan_id: int, number: int, change: Change) -> dict[str, object]:
    return {
        "plan_id": plan_id,
        "number": number,
        "verb": change.verb,
        "kind": change.kind,
        "resource": change.resource,
        "reason": change.reason,
        "undo": change.undo,
        "removes": change.removes,
        "state": ActState.PLANNED,
    }


def _plan_of(row: sa.Row[tuple[object, ...]]) -> PlanRow:
    found = row._asdict()
    return PlanRow(
        found["id"], found["job"], found["target"], found["actor"], PlanState(found["state"]),
        found["opened_at"], found["closed_at"], found["error"],
    )  # fmt: skip


def _act_of(row: sa.Row[tuple[object, ...]]) -> ActRow:
    found = row._asdict()
    change = Change(
        found["verb"], found["kind"], found["resource"], found["reason"], found["undo"], removes=found["removes"]
    )
    return ActRow(
        found["number"], change, ActState(found["state"]), found["begun_at"], found["ended_at"], found["error"]
    )
