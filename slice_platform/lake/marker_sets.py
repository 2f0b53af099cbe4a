"""Sets that a marker completes: what lies in the set is the set, once the marker is there.

A marker is not believed where it cannot be true: while a file is still written, while one matches no pattern, and
while one that an earlier attempt set aside has neither come again nor been retracted.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from slice_platform.lake.set_view import SetView, arrival, members_set_aside, path_of
from slice_platform.records import FileRow
from slice_platform.store import StoredObject


@dataclass
class _Found:
    """What there is of one set, by path below landing/<dataset>/."""

    files: dict[str, StoredObject] = field(default_factory=dict)
    written: dict[str, StoredObject] = field(default_factory=dict)
    markers: dict[str, StoredObject] = field(default_factory=dict)
    received: list[FileRow] = field(default_factory=list)


def complete_by_marker(view: SetView) -> list[StoredObject]:
    """The objects of the complete sets, each marker after the files of its set."""
    found: defaultdict[str, _Found] = defaultdict(_Found)
    for path, entry in view.files.items():
        found[view.name(path)].files[path] = entry
    for path, entry in view.written.items():
        found[view.name(path)].written[path] = entry
    for path, entry in view.controls.items():
        found[view.name(path)].markers[path] = entry
    for row in view.received:
        found[view.name_of(row)].received.append(row)
    return [entry for name, one in sorted(found.items()) for entry in _objects_if_complete(view, name, one)]


def _objects_if_complete(view: SetView, name: str, found: _Found) -> list[StoredObject]:
    is_taken = any(view.name_of(row) == name for row in view.taken)
    if is_taken and not (found.files or found.written or found.markers):
        return []
    objections = _objections(view, name, found.files)
    if found.markers and (found.files or found.received) and not found.written and not objections:
        return [*found.files.values(), *found.markers.values()]
    group = view.groups[name]
    if not is_taken:  # else what was received is complete, and what is in landing is another delivery
        group.files |= {path_of(view.dataset, row.source_key): row.received_at for row in found.received}
    group.files |= {path: arrival(entry) for path, entry in {**found.files, **found.written}.items()}
    group.others += [arrival(entry) for entry in found.markers.values()]
    group.is_refused = bool(found.markers and objections)
    group.waits_for += [*(f"{path} to be written to its end" for path in found.written), *objections]
    if not found.markers:
        group.waits_for.append(view.spec.completed_by)
    elif not group.files:
        group.waits_for.append(f"its files: {', '.join(found.markers)} lies alone")
    return []


def _objections(view: SetView, name: str, files: dict[str, StoredObject]) -> list[str]:
    """Why the set cannot be complete, whatever its marker says."""
    patterns = ", ".join(spec.pattern for spec in view.dataset.spec.files)
    unknown = [path for path in files if view.matches_no_pattern(path)]
    found = [f"{path} to go, or to be named like one of the dataset's files: {patterns}" for path in unknown]
    for row in members_set_aside(view.lake, view.dataset, name, view.set_aside):
        path = path_of(view.dataset, row.source_key)
        if path not in files:
            found.append(f"{path}, corrected or retracted: {row.error}")
    return found
