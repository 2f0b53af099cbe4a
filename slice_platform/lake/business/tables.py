"""The tables a business table may read, as far as they are known without reading any data."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from slice_platform.lake.types import LogicalType

Tier: TypeAlias = Literal["curated", "business"]
TIERS: tuple[Tier, ...] = ("curated", "business")


@dataclass(frozen=True)
class SourceColumn:
    """A column that a model can name. `classification` is that of its contract, or None."""

    name: str
    type: LogicalType
    classification: str | None = None


@dataclass(frozen=True)
class SourceTable:
    """A table that a model can read: exactly the columns that SELECT * shows when the model runs."""

    tier: Tier
    name: str
    columns: tuple[SourceColumn, ...]

    @property
    def full_name(self) -> str:
        return f"{self.tier}.{self.name}"


@dataclass(frozen=True, order=True)
class Origin:
    """A column of a table, `table` with its tier in front."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"
