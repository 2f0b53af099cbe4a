"""One contender in a process of its own: `python -m benchmarks.contender NAME FORMAT SOURCE TARGET`.

Prints the number of rows that can be read afterwards, as its last line.
"""

import sys
from pathlib import Path
from typing import Literal, TypeAlias, cast, get_args

from benchmarks.events import FileFormat
from benchmarks.one_ingest import run_ingest
from benchmarks.peers import Peer, run_peer

Contender: TypeAlias = Literal["slice", "duckdb", "polars", "pandas", "spark", "dlt"]
CONTENDERS: tuple[Contender, ...] = get_args(Contender)
DEFS = Path(__file__).parent / "defs"
LANDING = "lake/landing/events"  # below the platform's home


def main() -> None:
    name, file_format, source, target = sys.argv[1:]
    if name == "slice":
        rows = run_ingest(Path(target), DEFS, "events")
    else:
        rows = run_peer(cast(Peer, name), cast(FileFormat, file_format), Path(source), Path(target))
    print(rows)


if __name__ == "__main__":
    main()
