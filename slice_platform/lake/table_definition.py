"""What a table of the lake is to the catalog, to the layout of its files and to its upkeep, of whichever tier it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from slice_platform.lake.contract import Column
from slice_platform.lake.partitions import PartitionBy
from slice_platform.lake.projection_spec import ProjectionSpec
from slice_platform.lake.types import LogicalType

Tier: TypeAlias = Literal["curated", "business"]


class TableDefinition(Protocol):
    """A curated or a business table as its folder under defs/ describes it."""

    @property
    def name(self) -> str: ...

    @property
    def tier(self) -> Tier: ...

    @property
    def ledger_key(self) -> str:
        """What the ledger and its locks know it by; no two tables share it."""
        ...

    @property
    def folder(self) -> Path:
        """Where its YAML is."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]: ...

    @property
    def own_columns(self) -> tuple[tuple[str, LogicalType], ...]:
        """Columns that the platform adds behind them."""
        ...

    @property
    def partition(self) -> PartitionBy | None: ...

    @property
    def key(self) -> tuple[str, ...]: ...

    @property
    def cluster_by(self) -> tuple[str, ...]: ...

    @property
    def owners(self) -> tuple[str, ...]: ...

    @property
    def projections(self) -> tuple[ProjectionSpec, ...]:
        """Its copies in databases."""
        ...

    @property
    def terms(self) -> Mapping[str, str]:
        """Table properties: what decides which rows enter it, beyond its columns."""
        ...


def names_of(table: TableDefinition) -> tuple[str, ...]:
    """Its columns without those of the platform."""
    return tuple(column.name for column in table.columns)


def folder_in_lake(table: TableDefinition) -> str:
    """Where its files are, below the root of the store."""
    return f"{table.tier}/{table.name}"
