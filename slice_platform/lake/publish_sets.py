"""Publishing for datasets whose files form sets: a commit for each complete set; what is of none goes on waiting."""

from collections.abc import Callable, Iterator

from slice_platform.lake.accounts import Published
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.publish import Refuses, publish
from slice_platform.lake.taken_sets import TakenSet, keep_controls, refuse_unless_whole, taken_sets


def publish_sets(lake: Lake, dataset: Dataset, progress: Callable[[int], None]) -> Iterator[Published]:
    """Publish every set that was taken, each in one commit however large it is, or set its marker aside.

    Safe to repeat after a crash. The caller holds `lake.ledger.exclusive(dataset.name)` and has called `recover`.
    """
    for taken in taken_sets(lake, dataset):
        if taken.files:
            done = publish(lake, dataset, list(taken.files), progress, refuses=_unless_whole(lake, dataset, taken))
            if done.accounts:
                keep_controls(lake, taken)
            yield done
        elif not refuse_unless_whole(lake, dataset, taken, ()):
            keep_controls(lake, taken)


def _unless_whole(lake: Lake, dataset: Dataset, taken: TakenSet) -> Refuses:
    return lambda audited: refuse_unless_whole(lake, dataset, taken, audited)
