"""What lies in landing: a queue, in which what is present is to do.

The cost of a look is the number of objects that are pending; nothing is remembered between looks.
"""

from dataclasses import dataclass, field

from slice_platform.lake.lake import LANDING, Lake
from slice_platform.lake.landing_sets import completes_a_set, sort_sets
from slice_platform.lake.set_view import WaitingSet
from slice_platform.store import StoredObject, is_at_rest

_PART_ENDINGS = (".tmp", ".part")


@dataclass(frozen=True)
class Landing:
    """The objects of landing, sorted by what is to be done with them."""

    pending: dict[str, list[StoredObject]] = field(default_factory=dict)  # by dataset; of sets the complete ones
    waiting: dict[str, list[WaitingSet]] = field(default_factory=dict)  # by dataset: sets that are not complete
    strays: list[StoredObject] = field(default_factory=list)  # of no known dataset
    still_written: list[StoredObject] = field(default_factory=list)  # left alone until they rest for a tick


def look(lake: Lake, dataset: str | None = None) -> Landing:
    """Sort what lies in landing, or below one dataset's folder."""
    landing = Landing()
    prefix = LANDING if dataset is None else f"{LANDING}/{dataset}"
    for entry in lake.store.list(prefix):
        owner = dataset_of_key(entry.key)
        if is_ignored(entry) and not _completes_a_set(lake, owner, entry):
            continue
        if not is_at_rest(entry, lake.settings.landing_tick_seconds):
            landing.still_written.append(entry)
        elif owner in lake.datasets:
            landing.pending.setdefault(owner, []).append(entry)
        else:
            landing.strays.append(entry)
    for name in lake.datasets if dataset is None else [dataset]:
        if name in lake.datasets and lake.datasets[name].spec.sets:
            _keep_sets_whole(lake, name, landing)
    return landing


def _keep_sets_whole(lake: Lake, name: str, landing: Landing) -> None:
    still_written = [entry for entry in landing.still_written if dataset_of_key(entry.key) == name]
    ready, waiting = sort_sets(lake, lake.datasets[name], landing.pending.pop(name, []), still_written)
    if ready:
        landing.pending[name] = ready
    if waiting:
        landing.waiting[name] = waiting


def _completes_a_set(lake: Lake, owner: str | None, entry: StoredObject) -> bool:
    """A marker's name may begin with an underscore; in a hidden folder it is ignored like everything else."""
    folders = entry.key.split("/")[1:-1]
    is_hidden = any(step.startswith(("_", ".")) for step in folders)
    return owner in lake.datasets and not is_hidden and completes_a_set(lake.datasets[owner], entry.text)


def is_ignored(entry: StoredObject) -> bool:
    """Folder markers, hidden and underscore names at any depth, and files that are still being written."""
    steps = entry.key.split("/")[1:]
    return (
        entry.key.endswith("/")
        or any(step.startswith(("_", ".")) for step in steps)
        or steps[-1].endswith(_PART_ENDINGS)
    )


def dataset_of_key(key: str) -> str | None:
    """The folder right below landing; None for an object that lies in landing itself."""
    steps = key.split("/")
    return steps[1] if len(steps) > 2 else None


def path_below_dataset(key: str) -> str:
    """The part of a source key that patterns and path expressions are matched against."""
    return key.split("/", 2)[2]
