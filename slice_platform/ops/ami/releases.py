"""How far the release of each commit has come: what makes a run that was cut short go on where it stopped."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType

import sqlalchemy as sa

from slice_platform.errors import ReleaseFailed
from slice_platform.ledger_tables import Moment, SafeText
from slice_platform.metadata_db import MetadataDb

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
    FAILED = "failed"  # before anything ran the image
    ROLLING_BACK = "rolling back"  # or cut short at that
    ROLLED_BACK = "rolled back"
    SUPERSEDED = "superseded"  # another commit was released before this one was done


_NOT_PROMOTED: Mapping[str, object] = MappingProxyType(
    {"state": ReleaseState.RUNNING, "previous_version": None, "version": None, "refresh_id": None, "error": None}
)
_TO_PROMOTE_ANEW = (ReleaseState.ROLLED_BACK, ReleaseState.SUPERSEDED)


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
        """The release of the commit, at the step it has reached; other unfinished ones of the service give way."""
        now = datetime.now(UTC)
        with self._db.engine.begin() as connection:
            others = (_releases.c.service == service) & (_releases.c.commit != commit)
            unfinished = others & (_releases.c.state == ReleaseState.RUNNING)
            connection.execute(_releases.update().where(unfinished).values(state=ReleaseState.SUPERSEDED))
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
        return self.mark(release, reached=reached, **_NOT_PROMOTED)

    def anew(self, release: Release) -> Release:
        """The release begins from the start: its image is gone."""
        return self.mark(release, reached=None, image_id=None, **_NOT_PROMOTED)

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


def _is(service: str, branch: str, commit: str) -> "sa.Select[tuple[object, ...]]":
    asked = sa.select(_releases).where(_releases.c.service == service, _releases.c.branch == branch)
    return asked.where(_releases.c.commit == commit)


def _release(row: "sa.Row[tuple[object, ...]]") -> Release:
    found = row._asdict()
    reached = Step(found["reached"]) if found["reached"] else None
    return Release(**{**found, "state": ReleaseState(found["state"]), "reached": reached})
