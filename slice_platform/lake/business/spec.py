"""What a user writes of a business table in defs.yaml; its SQL says the rest."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from slice_platform.lake.partition_spec import PartitionSpec
from slice_platform.lake.personal_rule import PersonalRule
from slice_platform.lake.projection_spec import ProjectionSpec


class ChartSpec(BaseModel):
    """A small chart of the latest partitions, for the table's page."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: Literal["line", "bar"] = "line"
    x: str = Field(description="Column along the axis; of a bar chart the column that names the bars.")
    y: str = Field(description="Column of numbers.")
    by: str | None = Field(default=None, description="Column of which each value gets a line of its own.")
    most: int = Field(default=8, ge=1, le=20, description="Lines or bars; those with the greatest y are shown.")
    title: str | None = None


class BusinessSpec(BaseModel):
    """What the platform does with a model (`attributes` of its defs.yaml)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    description: str = Field(min_length=1)
    partition: PartitionSpec | None = Field(
        default=None,
        description="How the table is divided; then model.sql says $partition_start and $partition_end. Without it the "
        "table is made whole each time.",
    )
    key: tuple[str, ...] = Field(
        default=(), description="Columns that name a row; a table with a key twice is refused."
    )
    cluster_by: tuple[str, ...] = Field(
        default=(), description="How rows are sorted inside a partition; default the key."
    )
    columns: dict[str, str] = Field(default_factory=dict, description="Column -> what it means.")
    checks: list[dict[str, Any]] = Field(
        default_factory=list,
        description="Quality rules of the Open Data Contract Standard, judged per partition before it is published.",
    )
    freshness: list[dict[str, Any]] = Field(
        default_factory=list, description="Service levels as `slaProperties` of a contract."
    )
    personal: dict[str, PersonalRule] = Field(
        default_factory=dict, description="Column -> what becomes of the personal data in it."
    )
    chart: ChartSpec | None = None
    projections: tuple[ProjectionSpec, ...] = ()
    owners: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)
