"""Sets in raw that were complete when they were taken: each is published whole, in one commit, or not at all.

A refused set leaves its marker or manifest in quarantine, with every reason, and its good files received. It is
complete again once what was wrong has come corrected, and a marker or manifest after it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from slice_platform.lake.audit import AuditedFile
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.file_sets import Manifest, ManifestEntry, ManifestProblem, SetSpec
from slice_platform.lake.lake import LANDING, Lake
from slice_platform.lake.rejects import folder_of, write_reason
from slice_platform.lake.set_view import first_of, manifest_of, members_set_aside, path_of
from slice_platform.records import FileRow, FileStatus


@dataclass(frozen=True)
class TakenSet:
    """The received files of a set, every version of their names; none where all were published before."""

    name: str
    sets: SetSpec
    controls: tuple[FileRow, ...]  # its markers, or its manifest
    files: tuple[FileRow, ...]
    manifest: Manifest | ManifestProblem | None = None  # None: completed by a marker


def taken_sets(lake: Lake, dataset: Dataset) -> Iterator[TakenSet]:
    """The complete sets among the received files, in the order in which they were completed.

    Each is looked at when its turn comes, as publishing one may change another. What came after a marker or
    manifest is not of its set.
    """
    for controls in _controls(lake, dataset):
        sets, last = dataset.spec.sets, controls[-1]
        assert sets is not None
        name = sets.set_of(path_of(dataset, last.source_key))
        manifest = _manifest(lake, dataset, last) if sets.manifest else None
        files = []
        for row in lake.ledger.list_files(dataset.name, statuses=[FileStatus.RECEIVED]):
            path = path_of(dataset, row.source_key)
            is_named = path in manifest.paths if isinstance(manifest, Manifest) else sets.set_of(path) == name
            if row.id < last.id and is_named and not sets.is_control(path):
                files.append(row)
        whole = () if isinstance(manifest, ManifestProblem) else tuple(files)
        yield TakenSet(name or "", sets, controls, whole, manifest)


def has_taken_sets(lake: Lake, dataset: Dataset) -> bool:
    return bool(_controls(lake, dataset))


def refuse_unless_whole(lake: Lake, dataset: Dataset, taken: TakenSet, audited: Iterable[AuditedFile]) -> bool:
    """Set the marker or manifest aside if the set cannot be published whole; whether it was.

    It goes before the files that are to blame: a crash in between leaves a set that nothing says is complete.
    """
    reasons = list(_objections(lake, dataset, taken, audited))
    if not reasons:
        return False
    why = (
        f"set {taken.name!r} was not published: {first_of(reasons, '; ')}. Its good files wait in raw. "
        f"Drop what is corrected, and then {taken.sets.completed_by} again"
    )
    for control in taken.controls:
        write_reason(lake.store, control, why)
        lake.ledger.update_file(control.id, status=FileStatus.QUARANTINED, error=why)
    return True


def keep_controls(lake: Lake, taken: TakenSet) -> None:
    """Book that the set is published: its marker or manifest has done its work, and raw keeps it."""
    for control in taken.controls:
        if control.error is not None:  # it was set aside, and replayed
            lake.store.remove_tree(folder_of(control))
        lake.ledger.update_file(control.id, status=FileStatus.KEPT, error=None)


def _controls(lake: Lake, dataset: Dataset) -> list[tuple[FileRow, ...]]:
    """Received manifests one by one, received markers by set."""
    sets = dataset.spec.sets
    found: dict[str, tuple[FileRow, ...]] = {}
    for row in lake.ledger.list_files(dataset.name, statuses=[FileStatus.RECEIVED]) if sets else ():
        path = path_of(dataset, row.source_key)
        if sets and sets.is_control(path):
            key = str(row.id) if sets.manifest else sets.set_of(path) or ""
            found[key] = (*found.get(key, ()), row)
    return list(found.values())


def _manifest(lake: Lake, dataset: Dataset, control: FileRow) -> Manifest | ManifestProblem:
    try:
        return manifest_of(lake, dataset, control)
    except ManifestProblem as problem:
        return problem


def _objections(lake: Lake, dataset: Dataset, taken: TakenSet, audited: Iterable[AuditedFile]) -> Iterator[str]:
    """Why the set is not whole: of several versions of a name the latest counts."""
    in_order = sorted(audited, key=lambda one: one.staged.file.id)
    latest = {path_of(dataset, one.staged.file.source_key): one for one in in_order}
    for path, one in latest.items():
        if one.refusal is not None:
            yield f"{path}: {one.refusal}"
    if taken.manifest is None:
        for row in members_set_aside(lake, dataset, taken.name, lake.ledger.quarantined_files(dataset.name)):
            if path_of(dataset, row.source_key) not in latest:
                yield f"{path_of(dataset, row.source_key)}: {row.error}"
    elif isinstance(taken.manifest, ManifestProblem):
        yield f"{taken.controls[-1].name}: {taken.manifest}"
    else:
        published = _published(lake, dataset, taken.manifest.paths)
        for path, entry in taken.manifest.entries:
            if why := _contradiction(entry, latest.get(path), published.get(path)):
                yield f"{path}: {why}"


def _contradiction(entry: ManifestEntry, read: AuditedFile | None, published: FileRow | None) -> str | None:
    if read is not None:
        file, rows = read.staged.file, read.staged.rows_read
        return None if read.refusal is not None else entry.has_other_content(file.sha256, rows)
    if published is None:
        return "it is not there any more"
    return entry.has_other_content(published.sha256, published.rows_read)


def _published(lake: Lake, dataset: Dataset, paths: Iterable[str]) -> dict[str, FileRow]:
    rows = lake.ledger.versions_of(dataset.name, [f"{LANDING}/{dataset.name}/{path}" for path in paths])
    return {path_of(dataset, row.source_key): row for row in rows if row.status is FileStatus.PUBLISHED}
