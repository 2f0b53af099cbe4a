"""The way of a monitor: a directory in git, a bucket, and the directory that Heartbeat reads."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.fence import Limits, Mandate
from slice_platform.ops.journal import Journal
from slice_platform.ops.pulse.heartbeat_dir import HeartbeatDir
from slice_platform.ops.pulse.manifest import read_manifest
from slice_platform.ops.pulse.monitors_dir import read_dir
from slice_platform.ops.pulse.publish import Delivered, publish
from slice_platform.ops.pulse.sync import behind, sync
from slice_platform.store import Store
from slice_platform_tests.ops.pulse.monitors import write_files


@dataclass
class Way:
    """All three places, with a journal; `told` is what a person would have read."""

    git: Path
    store: Store
    heartbeat: HeartbeatDir
    journal: Journal
    told: list[str] = field(default_factory=list)

    def publish(self, files: dict[str, str], *, apply: bool = True, **limits: float) -> Delivered:
        write_files(self.git, files)
        return publish(read_dir(self.git), self.store, self._mandate(limits, apply=apply), self.journal)

    def sync(self, *, apply: bool = True, **limits: float) -> Delivered:
        return sync(self.store, self.heartbeat, self._mandate(limits, apply=apply), self.journal)

    def deliver(self, files: dict[str, str], **limits: float) -> Delivered:
        write_files(self.git, files)
        mandate = self._mandate(limits, apply=True)
        publish(read_dir(self.git), self.store, mandate, self.journal)
        return sync(self.store, self.heartbeat, mandate, self.journal)

    def there(self) -> dict[str, str]:
        """What Heartbeat's glob finds."""
        return {path.name: path.read_text() for path in sorted(self.heartbeat.path.glob("*.yml"))}

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.heartbeat.path.iterdir() if path.suffix == ".tmp")

    def behind(self) -> tuple[str, ...]:
        manifest = read_manifest(self.store)
        assert manifest is not None
        return behind(manifest, self.heartbeat)

    def _mandate(self, limits: dict[str, float], *, apply: bool) -> Mandate:
        return Mandate("ann", apply, Limits.model_validate(limits), self.told.append)


def way_over(home: Path, store: Store, db: MetadataDb) -> Way:
    return Way(home / "git", store, HeartbeatDir(home / "monitors.d"), Journal(db, lock_timeout_seconds=0))


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Way]:
    with closing(MetadataDb(f"sqlite:///{tmp_path / 'ops.db'}", lock_dir=tmp_path / "locks")) as db:
        yield way_over(tmp_path, Store(str(tmp_path / "bucket")), db)
