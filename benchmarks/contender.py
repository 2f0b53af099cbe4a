"""One contender in a process of its own: `python -m benchmarks.contender NAME FORMAT SOURCE TARGET`.

Prints the number of rows that can be read afterwards.
"""

import sys
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from benchmarks.events import FileFormat
from benchmarks.peers import Peer, run_peer

Contender: TypeAlias = Literal["slice", "duckdb", "polars", "pandas"]
CONTENDERS: tuple[Contender, ...] = get_args(Contender)
DEFS = Path(__file__).parent / "defs"
LANDING = "lake/landing/events"  # below the platform's home


def run_slice(home: Path) -> int:
    """Receive and publish what lies in landing, with the settings as they come; rows published."""
    from slice_platform.lake.ingest import ingest  # noqa: PLC0415  # the peers must not pay for it
    from slice_platform.lake.lake import open_lake  # noqa: PLC0415
    from slice_platform.settings import load_settings  # noqa: PLC0415

    with open_lake(load_settings(home=home, defs_dir=DEFS)) as lake:
        done = ingest(lake, "events")
    return sum(change.rows.good - change.rows.duplicate for batch in done.batches for change in batch.partitions)


def main() -> None:
    name, file_format, source, target = sys.argv[1:]
    if name == "slice":
        rows = run_slice(Path(target))
    else:
        rows = run_peer(cast(Peer, name), cast(FileFormat, file_format), Path(source), Path(target))
    print(rows)


if __name__ == "__main__":
    main()
