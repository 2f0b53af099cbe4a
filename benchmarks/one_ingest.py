"""One ingest in a process of its own: `python -m benchmarks.one_ingest HOME DEFS DATASET`.

Prints how many rows it published.
"""

import sys
from pathlib import Path


def run_ingest(home: Path, defs: Path, dataset: str) -> int:
    """Receive and publish what lies in landing, with the settings of the environment; rows published."""
    from slice_platform.lake.ingest import ingest  # noqa: PLC0415  # whoever imports this must not pay for it
    from slice_platform.lake.lake import open_lake  # noqa: PLC0415
    from slice_platform.settings import load_settings  # noqa: PLC0415

    with open_lake(load_settings(home=home, defs_dir=defs)) as lake:
        done = ingest(lake, dataset)
    return sum(change.rows.good - change.rows.duplicate for batch in done.batches for change in batch.partitions)


if __name__ == "__main__":
    print(run_ingest(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]))
