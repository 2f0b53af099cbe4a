"""The sets of one dataset at one moment: their objects in landing, and what the ledger knows of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.file_sets import MAX_MANIFEST_BYTES, Manifest, ManifestProblem, read_manifest
from slice_platform.lake.lake import LANDING, Lake
from slice_platform.records import FileRow, FileStatus
from slice_platform.store import StoredObject

MOST_SHOWN = 20


@dataclass(frozen=True)
class WaitingSet:
    """A set that is not complete. Its files are in landing, or received by an attempt that was refused."""

    name: str
    files: tuple[str, ...]  # paths below landing/<dataset>/
    waits_for: tuple[str, ...]
    since: datetime  # when its first file arrived, UTC
    is_overdue: bool
    is_refused: bool  # it was said to be complete, and is not

    @property
    def needs_help(self) -> bool:
        return self.is_overdue or self.is_refused

    def __str__(self) -> str:
        late = ", overdue" if self.is_overdue else ""
        there = f"{len(self.files)} files" if len(self.files) != 1 else self.files[0]
        head = f"set {self.name!r} ({there}, since {self.since:%Y-%m-%d %H:%M} UTC{late})"
        return f"{head} waits for: {first_of(self.waits_for, '; ')}"


@dataclass
class Group:
    """A set that waits, while it is put together."""

    files: dict[str, datetime] = field(default_factory=dict)  # path -> arrival
    waits_for: list[str] = field(default_factory=list)
    others: list[datetime] = field(default_factory=list)  # arrivals of markers and manifests
    is_refused: bool = False

    def waiting(self, name: str, overdue_after: timedelta) -> WaitingSet:
        since = min([*self.files.values(), *self.others])
        is_overdue = datetime.now(UTC) - since >= overdue_after
        waits_for = tuple(dict.fromkeys(self.waits_for))
        return WaitingSet(name, tuple(sorted(self.files)), waits_for, since, is_overdue, self.is_refused)


class SetView:
    """Objects at rest and objects still written, by path below landing/<dataset>/, and rows of the ledger."""

    def __init__(
        self, lake: Lake, dataset: Dataset, at_rest: Iterable[StoredObject], still_written: Iterable[StoredObject]
    ) -> None:
        assert dataset.spec.sets is not None
        self.lake, self.dataset, self.spec = lake, dataset, dataset.spec.sets
        self.groups: defaultdict[str, Group] = defaultdict(Group)
        self.files: dict[str, StoredObject] = {}
        self.controls: dict[str, StoredObject] = {}
        self.at_the_door: list[StoredObject] = []  # of no set, or kept from leaving landing by a crash
        self._sort(at_rest)
        paths = {path_of(dataset, entry.text): entry for entry in still_written}
        self.written = {path: entry for path, entry in paths.items() if not self.spec.is_control(path)}
        received = lake.ledger.list_files(dataset.name, statuses=[FileStatus.RECEIVED])
        self.received = [row for row in received if not self.is_control(row)]
        self.taken = [row for row in received if self.is_control(row)]  # their sets are complete
        self.set_aside = lake.ledger.quarantined_files(dataset.name)

    def _sort(self, at_rest: Iterable[StoredObject]) -> None:
        booked = {(row.source_key, row.version) for row in self.lake.ledger.files_in_landing(self.dataset.name)}
        for entry in at_rest:
            path = path_of(self.dataset, entry.text)
            if self.spec.set_of(path) is None or (entry.text, entry.version) in booked:
                self.at_the_door.append(entry)
            elif self.spec.is_control(path):
                self.controls[path] = entry
            else:
                self.files[path] = entry

    def waiting(self) -> list[WaitingSet]:
        """The sets that something is missing of, by name."""
        after = timedelta(hours=self.spec.overdue_after_hours)
        return [group.waiting(name, after) for name, group in sorted(self.groups.items()) if group.waits_for]

    def name(self, path: str) -> str:
        return self.spec.set_of(path) or ""

    def name_of(self, row: FileRow) -> str:
        return self.name(path_of(self.dataset, row.source_key))

    def is_control(self, row: FileRow) -> bool:
        return self.spec.is_control(path_of(self.dataset, row.source_key))

    def matches_no_pattern(self, path: str) -> bool:
        return self.dataset.file_spec(path) is None


def tell_refused(view: SetView) -> None:
    """Sets whose marker or manifest was set aside, and of which none came since."""
    for row in view.set_aside:
        name = view.name_of(row)
        if not view.is_control(row) or not name:
            continue
        since = [*(one for one in view.taken if view.name_of(one) == name), *_kept(view.lake, view.dataset, name)]
        if all(one.id < row.id for one in since):
            group = view.groups[name]
            group.is_refused = True
            group.others.append(row.received_at)
            group.waits_for.append(row.error or f"{path_of(view.dataset, row.source_key)} again")


def members_set_aside(lake: Lake, dataset: Dataset, name: str, set_aside: Sequence[FileRow]) -> list[FileRow]:
    """Of the files that are set aside those that belong to the set and came since it was last published."""
    sets = dataset.spec.sets
    assert sets is not None
    paths = {row.id: path_of(dataset, row.source_key) for row in set_aside}
    aside = [row for row in set_aside if sets.set_of(paths[row.id]) == name and not sets.is_control(paths[row.id])]
    published = max((row.id for row in _kept(lake, dataset, name)), default=0) if aside else 0
    return [row for row in aside if row.id > published]


def _kept(lake: Lake, dataset: Dataset, name: str) -> list[FileRow]:
    """Markers and manifests of the set that were published; asked for only where something is set aside."""
    sets = dataset.spec.sets
    rows = lake.ledger.list_files(dataset.name, statuses=[FileStatus.KEPT])
    return [row for row in rows if sets is not None and sets.set_of(path_of(dataset, row.source_key)) == name]


def manifest_of(lake: Lake, dataset: Dataset, stored: StoredObject | FileRow) -> Manifest:
    """The manifest in landing, or the one that raw keeps.

    Raises:
        ManifestProblem: it cannot be used.
    """
    if stored.size_bytes > MAX_MANIFEST_BYTES:
        raise ManifestProblem(f"it has {stored.size_bytes} bytes, and the limit is {MAX_MANIFEST_BYTES}")
    key, source_key = (
        (stored.key, stored.text) if isinstance(stored, StoredObject) else (stored.raw_key, stored.source_key)
    )
    assert key is not None
    with lake.store.open(key) as source:
        return read_manifest(source.read(), path_of(dataset, source_key))


def first_of(texts: Sequence[str], between: str) -> str:
    """The first few of them in one line, and how many more there are."""
    more = [f"and {len(texts) - MOST_SHOWN} more"] if len(texts) > MOST_SHOWN else []
    return between.join([*texts[:MOST_SHOWN], *more])


def path_of(dataset: Dataset, source_key: str) -> str:
    return source_key.removeprefix(f"{LANDING}/{dataset.name}/")


def arrival(entry: StoredObject) -> datetime:
    """When the object was written; one of which the store does not tell counts as new."""
    return entry.written_at or datetime.now(UTC)
