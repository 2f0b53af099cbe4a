"""The lake of one deployment: its settings, storage, ledger and datasets, opened once and passed around."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slice_platform.aws import AwsAccess
from slice_platform.lake.dataset import Dataset, load_datasets, pick
from slice_platform.lake.table_definition import Tier
from slice_platform.ledger import Ledger
from slice_platform.settings import Settings
from slice_platform.store import Store, open_store

LANDING, RAW, QUARANTINE = "landing", "raw", "quarantine"
CURATED: Tier = "curated"
BUSINESS: Tier = "business"
STRAYS = "_strays"  # where objects of no dataset are set aside


@dataclass(frozen=True)
class Lake:
    """Everything a step of the lake needs; frozen, so it can be shared between threads."""

    settings: Settings
    store: Store
    ledger: Ledger
    datasets: dict[str, Dataset]

    def dataset(self, name: str) -> Dataset:
        """Raises UnknownDataset where no folder under defs/ has that name."""
        return pick(self.datasets, name)


@contextmanager
def open_lake(settings: Settings, datasets: dict[str, Dataset] | None = None) -> Iterator[Lake]:
    """Open the lake that the settings describe, making what is missing on a laptop."""
    store = open_store(settings.lake_root, AwsAccess.of(settings))
    store.make_dir(LANDING)
    ledger = Ledger(
        settings.ledger_url,
        lock_dir=settings.home_dir / "locks",
        lock_timeout_seconds=settings.lock_timeout_seconds,
    )
    try:
        yield Lake(settings, store, ledger, load_datasets(settings.defs_dir) if datasets is None else datasets)
    finally:
        ledger.close()
