"""The lake of one deployment: its settings, storage, ledger and datasets, opened once and passed around."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from slice_platform.aws import AwsAccess
from slice_platform.errors import UnknownDataset
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.loading import load_business
from slice_platform.lake.dataset import Dataset, load_datasets, pick
from slice_platform.lake.table_definition import TableDefinition, Tier
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
    business: dict[str, BusinessTable] = field(default_factory=dict)

    def table(self, name: str) -> TableDefinition:
        """A curated or business table by its name, with or without its tier in front.

        Raises:
            UnknownDataset: there is none.
        """
        tier, _, bare = name.rpartition(".")
        if tier in ("", BUSINESS) and bare in self.business:
            return self.business[bare]
        if tier in ("", CURATED) and bare in self.datasets:
            return self.datasets[bare]
        known = ", ".join(sorted([*self.datasets, *self.business])) or "none"
        raise UnknownDataset(f"No table is called {name!r}; there are: {known}.")

    def dataset(self, name: str) -> Dataset:
        """Raises UnknownDataset where no folder under defs/ has that name."""
        return pick(self.datasets, name)


@dataclass(frozen=True)
class Tables:
    """Every table that a folder of definitions describes."""

    datasets: dict[str, Dataset]
    business: dict[str, BusinessTable]


def load_tables(defs_dir: Path) -> Tables:
    """Raises ContractError where one of them is wrong, or two contradict each other."""
    datasets = load_datasets(defs_dir)
    return Tables(datasets, load_business(defs_dir, datasets))


@contextmanager
def open_lake(settings: Settings, tables: Tables | None = None) -> Iterator[Lake]:
    """Open the lake that the settings describe, making what is missing on a laptop."""
    store = open_store(settings.lake_root, AwsAccess.of(settings))
    store.make_dir(LANDING)
    ledger = Ledger(
        settings.ledger_url,
        lock_dir=settings.home_dir / "locks",
        lock_timeout_seconds=settings.lock_timeout_seconds,
    )
    try:
        known = load_tables(settings.defs_dir) if tables is None else tables
        yield Lake(settings, store, ledger, known.datasets, known.business)
    finally:
        ledger.close()
