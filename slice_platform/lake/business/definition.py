"""A business table is a folder: model.sql says what its rows are, defs.yaml what the platform does with them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

from slice_platform.lake.business.binding import BoundModel
from slice_platform.lake.business.lineage import Lineage
from slice_platform.lake.business.personal import Treated
from slice_platform.lake.business.spec import BusinessSpec
from slice_platform.lake.business.treated_sql import treated_sql
from slice_platform.lake.business.windows import ALWAYS, Window, window_of
from slice_platform.lake.contract import Column
from slice_platform.lake.partitions import WHOLE_TABLE, PartitionBy
from slice_platform.lake.projection_spec import ProjectionSpec
from slice_platform.lake.quality import QualityRule
from slice_platform.lake.service_levels import Freshness
from slice_platform.lake.table_definition import Tier
from slice_platform.lake.types import LogicalType

COMPONENT = "slice_platform.components.business_table.BusinessTable"
MODEL_FILE = "model.sql"
MODEL = "model"  # the input that stands for the table's own definition


@dataclass(frozen=True)
class BusinessTable:
    """A model that was bound against the tables it reads, and its handling, checked against each other."""

    name: str
    folder: Path
    spec: BusinessSpec
    bound: BoundModel
    lineage: Lineage
    treated: Treated
    columns: tuple[Column, ...]
    quality: tuple[QualityRule, ...] = ()
    freshness: Freshness | None = None

    @property
    def tier(self) -> Tier:
        return "business"

    @property
    def ledger_key(self) -> str:
        return f"business.{self.name}"

    @property
    def owners(self) -> tuple[str, ...]:
        return self.spec.owners

    @property
    def projections(self) -> tuple[ProjectionSpec, ...]:
        return self.spec.projections

    @property
    def own_columns(self) -> tuple[tuple[str, LogicalType], ...]:
        return ()

    @property
    def terms(self) -> Mapping[str, str]:
        return MappingProxyType({})

    @property
    def key(self) -> tuple[str, ...]:
        return self.spec.key

    @property
    def cluster_by(self) -> tuple[str, ...]:
        return self.spec.cluster_by or self.spec.key

    @cached_property
    def partition(self) -> PartitionBy | None:
        spec = self.spec.partition
        if spec is None or spec.grain == "none":
            return None
        return PartitionBy(spec.column, spec.grain, spec.start, self.types[spec.column], spec.end)

    @cached_property
    def types(self) -> dict[str, LogicalType]:
        return {column.name: column.type for column in self.columns}

    @cached_property
    def fingerprint(self) -> str:
        """Another one where the definition gives other rows."""
        shape = [(column.name, str(column.type)) for column in self.columns]
        rests_on = (self.bound.text.sql, treated_sql("select 1", self.treated), shape, self.spec.partition)
        return hashlib.sha256(repr(rests_on).encode()).hexdigest()[:16]

    @property
    def reads(self) -> tuple[str, ...]:
        """curated.<dataset> and business.<table>, sorted."""
        return self.bound.dependencies

    def window(self, key: str) -> Window:
        """The moments of a partition; of a whole table all there are."""
        return ALWAYS if key == WHOLE_TABLE or self.partition is None else window_of(self.partition, key)

    def select_at(self, key: str) -> str:
        """The rows of a partition, with types and personal data as the table has them."""
        window = self.window(key)
        return treated_sql(self.bound.sql_at(window.start, window.end), self.treated)


def ledger_key_of(qualified: str) -> str:
    """What the ledger knows an input by: curated.<dataset> or business.<table>."""
    return qualified.removeprefix("curated.")
