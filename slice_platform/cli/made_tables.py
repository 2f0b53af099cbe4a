"""What `slice status` prints of tables that are made of others: business tables, and copies in databases."""

from rich.console import Console
from rich.filesize import decimal

from slice_platform.cli.tables import grid
from slice_platform.lake.business.behind import behind as tables_behind
from slice_platform.lake.lake import Lake
from slice_platform.projections.projecting import behind as copies_behind
from slice_platform.projections.projection import all_projections

_FIGURES = ("rows", "partitions", "bytes", "behind")


def print_made_tables(lake: Lake, console: Console) -> None:
    """Nothing, where there are none. What is behind is brought by the sensor, or by `slice refresh`."""
    versions = lake.ledger.versions()
    if lake.business:
        table = grid("Business tables", "table", *_FIGURES, right=_FIGURES)
        for one in lake.business.values():
            rows = lake.ledger.list_partitions(one.ledger_key)
            late = len(tables_behind(lake, one, versions))
            size, count = sum(row.size_bytes for row in rows), sum(row.rows for row in rows)
            filled = sum(row.rows > 0 for row in rows)
            table.add_row(one.name, f"{count:,}", f"{filled:,}", decimal(size), str(late or "-"))
        console.print(table)
    if copies := all_projections(lake):
        table = grid("Copies in databases", "copy", "of", "in", "partitions", "behind", right=("partitions", "behind"))
        for copy in copies:
            late, brought = len(copies_behind(lake, copy, versions)), len(lake.ledger.built(copy.ledger_key))
            of = f"{copy.source.tier}.{copy.source.name}"
            table.add_row(copy.qualified, of, str(copy.ref), f"{brought:,}", str(late or "-"))
        console.print(table)
