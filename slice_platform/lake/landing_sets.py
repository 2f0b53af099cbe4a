"""Sets of files in landing: a set is taken whole once it is complete, and what completes it is taken last.

Nothing is remembered between looks: what lies in landing and what the ledger knows say it all.
"""

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.file_sets import ManifestProblem
from slice_platform.lake.lake import Lake
from slice_platform.lake.manifest_sets import complete_by_manifest
from slice_platform.lake.marker_sets import complete_by_marker
from slice_platform.lake.set_view import SetView, WaitingSet, manifest_of, path_of, tell_refused
from slice_platform.store import StoredObject


def sort_sets(
    lake: Lake, dataset: Dataset, at_rest: list[StoredObject], still_written: list[StoredObject]
) -> tuple[list[StoredObject], list[WaitingSet]]:
    """What of the dataset's objects is to be taken now, in the order in which it is to be taken; and what waits.

    A crash while they are taken leaves a set without what completes it: nothing of it is published, and the
    next look finds it again.
    """
    view = SetView(lake, dataset, at_rest, still_written)
    ready = complete_by_manifest(view) if view.spec.manifest else complete_by_marker(view)
    tell_refused(view)
    return [*view.at_the_door, *ready], view.waiting()


def refusal_at_the_door(lake: Lake, dataset: Dataset, entry: StoredObject) -> str | None:
    """Why an object of the dataset can be of no use, as its name tells, or its content if it is a manifest."""
    path, sets = path_of(dataset, entry.text), dataset.spec.sets
    if sets is not None and sets.set_of(path) is None:
        return f"the name {entry.text!r} belongs to no set of {dataset.name!r}: {sets.by} finds no name in {path!r}"
    if sets is not None and sets.is_control(path):
        try:
            if sets.manifest:
                manifest_of(lake, dataset, entry)
        except ManifestProblem as problem:
            return f"the manifest {entry.text!r} cannot be used: {problem}. Mend it and drop it again"
        except FileNotFoundError:
            return None  # taken away meanwhile
        return None
    if dataset.file_spec(path) is None:
        patterns = ", ".join(spec.pattern for spec in dataset.spec.files)
        return f"the name {entry.text!r} matches none of the patterns of {dataset.name!r}: {patterns}"
    return None


def completes_a_set(dataset: Dataset, source_key: str) -> bool:
    """Whether the object is a marker or manifest, which no pattern of the dataset needs to match."""
    sets = dataset.spec.sets
    return sets is not None and sets.is_control(path_of(dataset, source_key))
