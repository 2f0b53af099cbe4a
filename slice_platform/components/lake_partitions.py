"""Dagster's partitions for the lake's: the same keys, in UTC."""

import dagster as dg

from slice_platform.lake.partitions import FORMATS, Grain
from slice_platform.lake.table_definition import TableDefinition

_CRONS: dict[Grain, str] = {"hour": "0 * * * *", "day": "0 0 * * *", "month": "0 0 1 * *", "year": "0 0 1 1 *"}

RANGE_TAG, RANGE_END_TAG = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
# Today is a partition too: the offset adds the one that has begun and not ended.
ARRIVAL_DAYS = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="UTC", end_offset=1)


def partitions_def(table: TableDefinition) -> dg.TimeWindowPartitionsDefinition | None:
    """From `partition.start` up to and including the partition that has begun; None for a whole table."""
    by = table.partition
    if by is None:
        return None
    return dg.TimeWindowPartitionsDefinition(
        start=by.key_of(by.start),
        end=by.key_of(by.end) if by.end else None,
        fmt=FORMATS[by.grain],
        cron_schedule=_CRONS[by.grain],
        timezone="UTC",
        end_offset=0 if by.end else 1,
    )
