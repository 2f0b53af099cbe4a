"""Which snapshots stay, and that no reader loses one it has begun on."""

from datetime import datetime, timedelta

import pytest
from pyiceberg.table import Table

from slice_platform.lake.lake import Lake
from slice_platform.lake.table import load_table
from slice_platform.lake.upkeep.expiry import expire, expired_snapshots
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.feeds import merged, table_of
from slice_platform_tests.lake.upkeep.tables import HOUR, NOW, fill, objects, snapshot_ids


@pytest.mark.parametrize(("hours", "left"), [(0.5, 8), (2, 3), (200, 3)])
def test_snapshots_go_when_they_are_older_than_any_query_but_never_the_newest(
    make_lake: MakeLake, hours: float, left: int
) -> None:
    lake = make_lake(merged())
    fill(lake, 8, days=1)
    ids, rows = snapshot_ids(lake), table_of(lake)
    assert expire(lake, lake.dataset("feed"), NOW + hours * HOUR) == 8 - left
    assert snapshot_ids(lake) == ids[-left:]
    assert table_of(lake) == rows


def history(lake: Lake, *made_at: datetime) -> Table:
    """A table with snapshots 1, 2, 3 ... that were made at these moments."""
    fill(lake, 1, days=1)
    table = load_table(lake, lake.dataset("feed"))
    assert table
    (one,) = table.metadata.snapshots
    snapshots = [
        one.model_copy(
            update={"snapshot_id": number, "sequence_number": number, "timestamp_ms": round(at.timestamp() * 1000)}
        )
        for number, at in enumerate(made_at, start=1)
    ]
    table.metadata = table.metadata.model_copy(update={"snapshots": snapshots, "refs": {}})
    return table


def test_a_snapshot_is_as_old_as_its_replacement(make_lake: MakeLake) -> None:
    """One that was the newest for a month and was replaced a moment ago has readers that just began."""
    lake = make_lake(merged())
    table = history(lake, *(NOW - timedelta(days=days) for days in (30, 29, 28, 0, 0, 0)))
    gone = expired_snapshots(table, lake.settings, NOW + timedelta(minutes=5))
    assert [one.snapshot_id for one in gone] == [1, 2]


def test_between_the_last_hour_and_the_age_limit_one_snapshot_an_hour_is_kept(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    base = NOW.replace(minute=0, second=0, microsecond=0)
    moments = (
        base - timedelta(hours=hours) + timedelta(minutes=20 * part) for hours in (10, 9, 8) for part in range(3)
    )
    gone = expired_snapshots(history(lake, *moments), lake.settings, base)
    assert [one.snapshot_id for one in gone] == [1, 2, 4, 5]


def test_a_tagged_snapshot_stays(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6, days=1)
    table = load_table(lake, lake.dataset("feed"))
    assert table
    first = snapshot_ids(lake)[0]
    table.manage_snapshots().create_tag(first, "audit").commit()
    assert expire(lake, lake.dataset("feed"), NOW + 200 * HOUR) == 2
    assert first in snapshot_ids(lake)


def test_expiry_deletes_no_file_and_the_table_goes_on(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    fill(lake, 6, days=1)
    before = objects(lake)
    assert expire(lake, lake.dataset("feed"), NOW + 200 * HOUR) == 3
    assert before <= objects(lake)
    fill(lake, 2, first=6, days=1)
    assert len(table_of(lake)) == 8
    assert expire(lake, lake.dataset("feed"), NOW) == 0


def test_a_dataset_without_a_table_has_nothing_to_expire(make_lake: MakeLake) -> None:
    lake = make_lake(merged())
    assert expire(lake, lake.dataset("feed"), NOW) == 0
