"""Sets that a manifest completes: the files it names are the set, once each is there as the manifest says.

There is what lies in landing, and what was received or published before: a corrected file needs a manifest that
names it, not all the others once more. What no manifest names waits for one that does.
"""

from collections import defaultdict
from collections.abc import Container

from slice_platform.lake.file_sets import Manifest, ManifestEntry, ManifestProblem
from slice_platform.lake.lake import LANDING
from slice_platform.lake.set_view import SetView, arrival, first_of, manifest_of, path_of
from slice_platform.records import FileRow, FileStatus
from slice_platform.store import StoredObject

_HAS_ROWS = (FileStatus.RECEIVED, FileStatus.PUBLISHED)
_NOT_A_VERSION = (FileStatus.ARRIVING, FileStatus.REPEATED)


def complete_by_manifest(view: SetView) -> list[StoredObject]:
    """The manifests whose files are all there, each after those of its files that are still in landing."""
    ready: dict[str, StoredObject] = {}
    named = {path for row in view.taken for path in _named_by(view, row)}
    for path, control in view.controls.items():
        try:
            manifest = manifest_of(view.lake, view.dataset, control)
        except (ManifestProblem, FileNotFoundError):
            ready[path] = control  # it is set aside at the door, with the reason; or it has gone
            continue
        if missing := _missing(view, manifest):
            _wait(view, path, manifest, missing)
        else:
            ready.update({one: view.files[one] for one in sorted(manifest.paths & view.files.keys())})
            ready[path] = control
            named |= manifest.paths
    _tell_unnamed(view, named, ready)
    return list(ready.values())


def _wait(view: SetView, path: str, manifest: Manifest, missing: list[str]) -> None:
    group = view.groups[view.name(path)]
    group.others.append(arrival(view.controls[path]))
    group.files |= {one: arrival(view.files[one]) for one in manifest.paths & view.files.keys()}
    group.waits_for += missing


def _missing(view: SetView, manifest: Manifest) -> list[str]:
    elsewhere = manifest.paths - view.files.keys() - view.written.keys()
    versions: dict[str, FileRow] = {}
    keys = [f"{LANDING}/{view.dataset.name}/{path}" for path in elsewhere]
    for row in view.lake.ledger.versions_of(view.dataset.name, keys):
        if row.status not in _NOT_A_VERSION:
            versions[path_of(view.dataset, row.source_key)] = row
    found = (_lacks(view, path, entry, versions.get(path)) for path, entry in manifest.entries)
    return [lack for lack in found if lack]


def _lacks(view: SetView, path: str, entry: ManifestEntry, version: FileRow | None) -> str | None:
    """What a named file lacks; None where it is there as the manifest says."""
    if path in view.written:
        return f"{path} to be written to its end"
    if view.matches_no_pattern(path):
        patterns = ", ".join(spec.pattern for spec in view.dataset.spec.files)
        return f"{path}, which matches none of the dataset's patterns: {patterns}"
    if path in view.files:
        why = entry.has_other_size(view.files[path].size_bytes)
    elif version is None:
        return path
    elif version.status in _HAS_ROWS:
        why = entry.has_other_size(version.size_bytes)
    else:
        why = version.error or f"it was {version.status}"
    return f"{path}: {why}" if why else None


def _tell_unnamed(view: SetView, named: Container[str], ready: Container[str]) -> None:
    there = {path_of(view.dataset, row.source_key): row.received_at for row in view.received}
    there = {path: at for path, at in there.items() if path not in named}
    there |= {path: arrival(entry) for path, entry in view.files.items() if path not in ready}
    there |= {path: arrival(entry) for path, entry in view.written.items()}
    waiting = {path for group in view.groups.values() for path in group.files}
    unnamed: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(there.keys() - waiting):
        view.groups[view.name(path)].files[path] = there[path]
        unnamed[view.name(path)].append(path)
    for name, paths in unnamed.items():
        view.groups[name].waits_for.append(f"{view.spec.completed_by} that names {first_of(paths, ', ')}")


def _named_by(view: SetView, control: FileRow) -> frozenset[str]:
    try:
        return manifest_of(view.lake, view.dataset, control).paths
    except ManifestProblem:
        return frozenset()  # it is set aside when its set is published
