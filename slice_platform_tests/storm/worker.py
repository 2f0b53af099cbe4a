"""What a process of the storm does, until it is killed: one deed on the lake, with the platform's own verbs."""

import random
import sys
from pathlib import Path

from slice_platform.errors import DatasetBusy, UnknownFile
from slice_platform.lake.corrections import replay, retract
from slice_platform.lake.ingest import ingest, rebuild_partitions, receive_pending
from slice_platform.lake.lake import open_lake
from slice_platform.lake.upkeep.upkeep import upkeep
from slice_platform.settings import load_settings

PRELOAD = [__name__, "duckdb", "pyarrow.parquet", "pyiceberg.catalog.sql", "pyiceberg.io.pyarrow"]
DEEDS = ("ingest", "ingest", "ingest", "receive", "rebuild", "rebuild all", "replay", "retract", "upkeep")


def act(home: str, deed: str, seed: int) -> None:
    """Do one deed; which partition or file it is for follows from the seed."""
    chosen = random.Random(seed)
    settings = load_settings(
        home=Path(home), defs_dir=Path(home) / "defs", landing_tick_seconds=0, duckdb_threads=1, target_file_bytes=2048
    )
    with open_lake(settings) as lake:
        match deed:
            case "ingest":
                ingest(lake, "feed")
            case "receive":
                receive_pending(lake, "feed")
            case "rebuild":
                rebuild_partitions(lake, "feed", sorted({f"2026-01-{chosen.randint(1, 6):02d}" for _ in range(2)}))
            case "rebuild all":
                rebuild_partitions(lake, "feed")
            case "replay":
                list(replay(lake, "feed"))
            case "retract":
                names = sorted({row.source_key for row in lake.ledger.list_files("feed")}) or ["none"]
                try:
                    retract(lake, "feed", chosen.choice(names))
                except UnknownFile:
                    return
            case _:
                upkeep(lake, "feed")


def act_patiently(home: str, deed: str, seed: int) -> None:
    """As `act`, and again where another process held the dataset for too long."""
    for _ in range(5):
        try:
            return act(home, deed, seed)
        except DatasetBusy:
            continue
    sys.exit(3)
