"""A `feed` in many small files, and what its table is made of."""

from datetime import UTC, datetime, timedelta

from slice_platform.lake.lake import Lake
from slice_platform.lake.table import load_table
from slice_platform_tests.lake.feeds import deliver, lines

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC)


def fill(lake: Lake, files: int, *, first: int = 0, days: int = 2) -> None:
    """One commit per file; each has a row for every day, with keys of its own."""
    for number in range(first, first + files):
        rows = [(f"{number * 7919 % 1000:04d}-{day}", number, day) for day in range(1, days + 1)]
        deliver(lake, **{f"f{number}_jsonl": lines(*rows)})


def objects(lake: Lake, below: str = "curated/feed") -> set[str]:
    return {entry.key for entry in lake.store.list(below)}


def snapshot_ids(lake: Lake) -> list[int]:
    table = load_table(lake, lake.dataset("feed"))
    return [one.snapshot_id for one in table.metadata.snapshots] if table else []
