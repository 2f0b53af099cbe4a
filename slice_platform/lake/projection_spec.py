"""What a user writes of a copy of a table in a database: an item of `projections` in defs.yaml."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from slice_platform.lake.personal_rule import PersonalRule


class ProjectionSpec(BaseModel):
    """A table of a database that is kept in step with a table of the lake, one partition at a time."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    destination: Literal["redshift", "postgres", "mysql"]
    database: str = Field(default="analytics", description="A database of Postgres or MySQL, a schema of Redshift.")
    table: str | None = Field(default=None, description="Its name there; default that in the lake.")
    columns: tuple[str, ...] | dict[str, str] = Field(
        default=(), description="A choice of columns, or column -> its name there; default all."
    )
    types: dict[str, str] = Field(
        default_factory=dict, description="Column (its name there) -> type, where the usual one does not fit."
    )
    mode: Literal["replace_partition", "upsert", "append"] = Field(
        default="replace_partition",
        description="How a partition that changed comes: anew, row by row by its key, or only its new rows.",
    )
    primary_key: tuple[str, ...] | None = Field(default=None, description="Default the key of the table in the lake.")
    dist_key: str | None = None
    sort_key: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = Field(default=(), description="Of Postgres and MySQL: columns of each.")
    personal: dict[str, PersonalRule] = Field(
        default_factory=dict, description="Column (its name there) -> what becomes of the personal data in it."
    )

    @model_validator(mode="after")
    def _has_no_name_twice(self) -> Self:
        names = list(self.columns.values() if isinstance(self.columns, dict) else self.columns)
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"columns names {twice[0]!r} twice")
        return self

    def renamed(self, names: tuple[str, ...]) -> dict[str, str]:
        """Column in the lake -> its name there, of those that are copied, in the table's order."""
        if isinstance(self.columns, dict):
            return {name: self.columns[name] for name in names if name in self.columns}
        return {name: name for name in names if not self.columns or name in self.columns}
