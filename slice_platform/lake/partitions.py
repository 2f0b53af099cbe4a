"""Partition keys: one text per partition, the same in the ledger, in Iceberg and in the Dagster UI."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from slice_platform.lake.types import LogicalType
from slice_platform.sql_text import quoted

Grain = Literal["hour", "day", "month", "year", "none"]
WHOLE_TABLE = "all"
FORMATS: dict[Grain, str] = {"hour": "%Y-%m-%d-%H:00", "day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PartitionBy:
    """A table divided by a date or timestamp column, in UTC."""

    column: str
    grain: Grain
    start: datetime
    type: LogicalType
    end: datetime | None = None

    @property
    def key_sql(self) -> str:
        """The partition key of a row, in SQL."""
        return f"strftime({quoted(self.column)}, '{FORMATS[self.grain]}')"

    def key_of(self, moment: datetime) -> str:
        return moment.strftime(FORMATS[self.grain])

    def key_of_ordinal(self, ordinal: int) -> str:
        """The key of an Iceberg partition value: hours, days, months or years since 1970."""
        match self.grain:
            case "hour":
                moment = _EPOCH + timedelta(hours=ordinal)
            case "day":
                moment = _EPOCH + timedelta(days=ordinal)
            case "month":
                moment = datetime(1970 + ordinal // 12, ordinal % 12 + 1, 1, tzinfo=UTC)
            case _:
                moment = datetime(1970 + ordinal, 1, 1, tzinfo=UTC)
        return self.key_of(moment)


def beginning(grain: Grain, moment: datetime) -> datetime:
    """The first moment of the period of `grain` that holds `moment`; of no grain the moment itself."""
    match grain:
        case "hour":
            return moment.replace(minute=0, second=0, microsecond=0)
        case "day":
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)
        case "month":
            return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        case "year":
            return moment.replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
        case "none":
            return moment


def key_of_iceberg_value(partition: PartitionBy | None, value: int | date | None) -> str:
    """The partition key of a data file, from the one value of its Iceberg partition record."""
    if partition is None or value is None:
        return WHOLE_TABLE
    if isinstance(value, date):  # the day transform may come as a date
        return value.strftime(FORMATS[partition.grain])
    return partition.key_of_ordinal(value)
