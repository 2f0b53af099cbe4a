"""How far the release of each commit has come: what makes a run that was cut short go on where it stopped."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import sqlalchemy as sa

from slice_platform.errors import ReleaseFailed
from slice_platform.ledger_tables import Moment, SafeText
from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.ami.account import TemplateVersion

JOB = "ami_release"  # whoever holds it for a service works on that alone

_metadata = sa.MetaData()
_releases = sa.Table(
    "ami_releases",
    _metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("service", sa.String(200), nullable=False),
    sa.Column("branch", sa.String(200), nullable=False),
    sa.Column("commit", sa.String(200), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("reached", sa.String(20)),
    sa.Column("image_id", sa.String(50)),
    sa.Column("previous_version", sa.Integer),
    sa.Column("version", sa.Integer),
    sa.Column("refresh_id", sa.String(100)),
    sa.Column("error", SafeText),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("updated_at", Moment, nullable=False),
    sa.UniqueConstraint("service", "branch", "commit"),
)


class Step(StrEnum):
    """The steps of a release, in their order."""

    VALIDATE = "validate"
    BUILD = "build"
    TEST = "test"
    PROMOTE = "promote"
    REFRESH = "refresh"
    PRUNE = "prune"


STEPS = tuple(Step)


class ReleaseState(StrEnum):
    """Where a release stands."""

    RUNNING = "running"  # or cut short
    DONE = "done"
    FAILED = "failed"  # at a step that changed nothing that runs
    ROLLING_BACK = "rolling back"  # or cut short at that
    ROLLED_BACK = "rolled back"
    SUPERSEDED = "superseded"  # another commit was released before this one was done


_TO_PROMOTE_ANEW = (ReleaseState.ROLLED_BACK, ReleaseState.SUPERSEDED)
_UNDER_WAY = (ReleaseState.RUNNING, ReleaseState.ROLLING_BACK)
_MOST_LOOKED_AT = 200


@dataclass(frozen=True)
class Release:
    """The release of one commit. `reached` is the last step that is done."""

    id: str
    service: str
    branch: str
    commit: str
    state: ReleaseState
    reached: Step | None
    image_id: str | None
    previous_version: int | None
    version: int | None
    refresh_id: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime

    def has_done(self, step: Step) -> bool:
        return self.reached is not None and STEPS.index(self.reached) >= STEPS.index(step)


def planned(service: str, branch: str, commit: str) -> Release:
    """A release that is only planned: it has reached nothing, and leaves no trace."""
    now = datetime.now(UTC)
    return Release(
        id="planned", service=service, branch=branch, commit=commit, state=ReleaseState.RUNNING, reached=None,
        image_id=None, previous_version=None, version=None, refresh_id=None, error=None, created_at=now, updated_at=now,
    )  # fmt: skip


class Releases:
    """The releases in the metadata database; safe for several processes."""

    def __init__(self, db: MetadataDb) -> None:
        self._db = db
        with db.hold("ami-releases-table", timeout_seconds=60):  # two processes may be the first
            _metadata.create_all(db.engine)

    def begin(self, service: str, branch: str, commit: str) -> Release:
        """The release of the commit, at the step it has reached; others of the service that are running give way."""
        now = datetime.now(UTC)
        with self._db.engine.begin() as connection:
            others = (_releases.c.service == service) & ~(
                (_releases.c.branch == branch) & (_releases.c.commit == commit)
            )
            running = others & (_releases.c.state == ReleaseState.RUNNING)
            connection.execute(_releases.update().where(running).values(state=ReleaseState.SUPERSEDED))
            found = connection.execute(_is(service, branch, commit)).one_or_none()
            if found is None:
                row = {"id": uuid.uuid4().hex, "service": service, "branch": branch, "commit": commit}
                state = {"state": ReleaseState.RUNNING, "created_at": now, "updated_at": now}
                connection.execute(_releases.insert().values({**row, **state}))
            release = _release(connection.execute(_is(service, branch, commit)).one())
        if release.state is ReleaseState.FAILED:
            return self.mark(release, state=ReleaseState.RUNNING, error=None)
        return self.again(release) if release.state in _TO_PROMOTE_ANEW else release

    def again(self, release: Release) -> Release:
        """The release goes on from its tested image: another version is live, whatever this one had promoted."""
        reached = Step.TEST if release.has_done(Step.TEST) else release.reached
        values = {"reached": reached, "previous_version": None, "version": None, "refresh_id": None, "error": None}
        return self.mark(release, state=ReleaseState.RUNNING, **values)

    def supersede(self, service: str, *, but: str | None = None) -> None:
        """No release of the service that may have promoted a version goes on from there, but for that one.

        Another version becomes the default: whoever went on, or back, would undo that.
        """
        of_it = (_releases.c.service == service) & (_releases.c.id != (but or ""))
        promoted = (_releases.c.state == ReleaseState.FAILED) & _releases.c.version.is_not(None)
        found = of_it & (_releases.c.state.in_(_UNDER_WAY) | promoted)
        with self._db.engine.begin() as connection:
            connection.execute(_releases.update().where(found).values(state=ReleaseState.SUPERSEDED))

    def under_way(self, service: str) -> list[Release]:
        """Releases of the service that run or roll back, or were cut short at that."""
        return [one for one in self.latest(service, most=_MOST_LOOKED_AT) if one.state in _UNDER_WAY]

    def of_id(self, release_id: str) -> Release | None:
        with self._db.engine.connect() as connection:
            found = connection.execute(sa.select(_releases).where(_releases.c.id == release_id)).one_or_none()
        return _release(found) if found else None

    def last_promoted(self, service: str) -> Release | None:
        """The release of the service that was the last to make a version the default, and did not take that back."""
        found = (one for one in self.latest(service, most=_MOST_LOOKED_AT) if one.version and one.previous_version)
        return next(found, None)

    def get(self, service: str, branch: str, commit: str) -> Release:
        """The release of the commit.

        Raises:
            ReleaseFailed: it was never begun.
        """
        with self._db.engine.connect() as connection:
            found = connection.execute(_is(service, branch, commit)).one_or_none()
        if found is None:
            raise ReleaseFailed(f"Looking for the release of {service!r} at {commit!r}: it was never begun.")
        return _release(found)

    def mark(self, release: Release, **values: object) -> Release:
        """The release with these values, which are kept."""
        with self._db.engine.begin() as connection:
            at = _releases.c.id == release.id
            connection.execute(_releases.update().where(at).values({**values, "updated_at": datetime.now(UTC)}))
            return _release(connection.execute(sa.select(_releases).where(at)).one())

    def latest(self, service: str, *, most: int = 20) -> list[Release]:
        """Releases of a service, the one touched last first."""
        asked = sa.select(_releases).where(_releases.c.service == service)
        with self._db.engine.connect() as connection:
            rows = connection.execute(asked.order_by(_releases.c.updated_at.desc()).limit(most))
            return [_release(row) for row in rows]


def rollback_target(releases: Releases, service: str, versions: Sequence[TemplateVersion]) -> int:
    """The version that was the default before the last release of the service.

    Raises:
        ReleaseFailed: no release is known, or its version before is gone.
    """
    there = sorted(one.number for one in versions)
    last = releases.last_promoted(service)
    if last is None or last.previous_version is None or last.previous_version not in there:
        known = "no release of it is on record" if last is None else f"version {last.previous_version} is gone"
        raise ReleaseFailed(
            f"Rolling {service!r} back to the version before its last release: {known}. Name one of {there} with --to, "
            "or to_version in the launchpad."
        )
    return last.previous_version


def _is(service: str, branch: str, commit: str) -> "sa.Select[tuple[object, ...]]":
    asked = sa.select(_releases).where(_releases.c.service == service, _releases.c.branch == branch)
    return asked.where(_releases.c.commit == commit)


def _release(row: "sa.Row[tuple[object, ...]]") -> Release:
    found = row._asdict()
    reached = Step(found["reached"]) if found["reached"] else None
    return Release(**{**found, "state": ReleaseState(found["state"]), "reached": reached})
