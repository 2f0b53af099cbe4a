"""What lies in landing: a queue, in which what is present is to do.

The cost of a look is the number of objects that are pending; nothing is remembered between looks.
"""

from dataclasses import dataclass, field

from slice_platform.lake.lake import LANDING, Lake
from slice_platform.store import StoredObject, is_at_rest

_PART_ENDINGS = (".tmp", ".part")


@dataclass(frozen=True)
class Landing:
    """The objects of landing, sorted by what is to be done with them."""

    pending: dict[str, list[StoredObject]] = field(default_factory=dict)  # by dataset
    strays: list[StoredObject] = field(default_factory=list)  # of no known dataset
    still_written: list[StoredObject] = field(default_factory=list)  # left alone until they rest for a tick


def look(lake: Lake, dataset: str | None = None) -> Landing:
    """Sort what lies in landing, or below one dataset's folder."""
    landing = Landing()
    prefix = LANDING if dataset is None else f"{LANDING}/{dataset}"
    for entry in lake.store.list(prefix):
        if is_ignored(entry):
            continue
        owner = dataset_of_key(entry.key)
        if not is_at_rest(entry, lake.settings.landing_tick_seconds):
            landing.still_written.append(entry)
        elif owner in lake.datasets:
            landing.pending.setdefault(owner, []).append(entry)
        else:
            landing.strays.append(entry)
    return landing


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
