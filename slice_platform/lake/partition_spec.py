"""How a table is divided, as defs.yaml says it, and whether that fits its columns."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from slice_platform.lake.partitions import Grain, beginning
from slice_platform.lake.types import LogicalType
from slice_platform.yaml_lines import YamlFile

PATH_PARTS = ("year", "month", "day", "hour")


class PartitionSpec(BaseModel):
    """How the table is divided."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = Field(description="A date or timestamp column of the contract.")
    grain: Grain
    start: datetime = Field(description="Beginning of the first partition, UTC; rows before it are rejected.")
    end: datetime | None = Field(
        default=None,
        description="End of the last partition, UTC, where no more data will come; later rows are rejected.",
    )
    from_path: str | None = Field(
        default=None,
        description="Regular expression with the groups year, month, day, hour: the column comes from the path.",
    )

    @field_validator("start", "end", mode="before")
    @classmethod
    def _in_utc(cls, value: Any) -> datetime | None:
        if value is None:
            return None
        read = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        try:
            return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
        except OverflowError as error:
            raise ValueError("the moment lies beyond the years 1 to 9999 of UTC") from error

    @field_validator("from_path")
    @classmethod
    def _groups_are_known(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = list(re.compile(value).groupindex)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if not groups or set(groups) != set(PATH_PARTS[: len(groups)]):
            raise ValueError(f"expected the named groups year, then month, day, hour as far as known; got {groups}")
        return value


def check_partition(source: YamlFile, spec: PartitionSpec, types: Mapping[str, LogicalType], *, elsewhere: str) -> None:
    """Return if the columns, which stand in the file `elsewhere`, can be divided so.

    Raises:
        ContractError: they cannot; the message names file, line and field.
    """
    kind = types.get(spec.column)
    place = ("attributes", "partition", "column")
    if kind is None or not kind.is_temporal:
        found = f"is {kind}" if kind else f"is not in {elsewhere}"
        raise source.error(place, f"expected a date or timestamp column, but {spec.column!r} {found}")
    if spec.end is not None and spec.end <= spec.start:
        raise source.error(("attributes", "partition", "end"), f"expected a moment after start, {spec.start:%Y-%m-%d}")
    for field, moment in (("start", spec.start), ("end", spec.end)):
        if moment is not None and moment != beginning(spec.grain, moment):
            problem = f"expected the beginning of a partition, but {moment:%Y-%m-%dT%H:%M:%SZ} lies inside its"
            raise source.error(("attributes", "partition", field), f"{problem} {spec.grain}")
    if spec.grain == "hour" and kind.kind == "date":
        raise source.error(("attributes", "partition", "grain"), f"{spec.column!r} is a date and has no hours")
    needed = PATH_PARTS[: {"year": 1, "month": 2, "day": 3, "hour": 4}.get(spec.grain, 1)]
    if spec.from_path is not None and not set(needed) <= set(re.compile(spec.from_path).groupindex):
        place = ("attributes", "partition", "from_path")
        raise source.error(place, f"a {spec.grain} is told from the path by the named groups {', '.join(needed)}")
