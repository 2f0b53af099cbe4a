"""What `slice status`, `slice files` and `slice rejects` print."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import datetime

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from slice_platform.lake.lake import Lake
from slice_platform.lake.rejects import folder_of
from slice_platform.lake.set_view import WaitingSet
from slice_platform.lake.status import status
from slice_platform.records import FileRow, FileStatus

_COLOURS = {FileStatus.PUBLISHED: "green", FileStatus.QUARANTINED: "red", FileStatus.REPEATED: "cyan"}


def terminal() -> Console:
    """A console that does not squeeze tables into 80 columns when its output goes into a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def counted(count: int, what: str) -> str:
    """A number with its noun."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def grid(title: str | None, *columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table. Cells that hold data are added as Text: rich reads markup into what is a str."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(Text(name), justify="right" if name in right else "left", no_wrap=name in right)
    return table


def print_status(lake: Lake, console: Console, only: Iterable[str] = ()) -> None:
    figures = ("rows", "partitions", "files", "small", "bytes", "smaller", "pending", "rejects", "set aside")
    table = grid("Datasets", "dataset", *figures, "last arrival (UTC)", right=figures)
    wanted, waiting = set(only), list[tuple[str, WaitingSet]]()
    for one in status(lake):
        if wanted and one.dataset not in wanted:
            continue
        pending = one.pending + one.still_written + one.unpublished
        table.add_row(
            one.dataset, f"{one.rows:,}", f"{one.partitions:,}", f"{one.data_files:,}", str(one.small_files or "-"),
            decimal(one.table_bytes), f"{one.compression:.1f}x" if one.compression else "-", str(pending or "-"),
            str(one.rejected_rows or "-"), str(one.quarantined or "-"), _moment(one.last_arrival),
        )  # fmt: skip
        waiting += [(one.dataset, each) for each in one.waiting]
    console.print(table)
    for dataset, each in waiting:
        console.print(Text.assemble((dataset, "red" if each.needs_help else "yellow"), f": {each}"))


def print_files(lake: Lake, dataset: str | None, most: int | None, console: Console) -> None:
    rows = lake.ledger.list_files(dataset)
    figures = ("id", "bytes", "read", "published", "duplicate", "rejected")
    title = f"Files of {dataset}" if dataset else "Files"
    table = grid(title, "id", "file", "received (UTC)", "bytes", "status", *figures[2:], "note", right=figures)
    for row in rows[-most:] if most else rows:
        key = Text(row.source_key.removeprefix("landing/"))
        table.add_row(
            str(row.id), key, _moment(row.received_at), decimal(row.size_bytes),
            Text(row.status, _COLOURS.get(row.status, "yellow")), *(f"{n:,}" for n in _counts(row)), Text(_note(row)),
        )  # fmt: skip
    console.print(table)
    if most and len(rows) > most:
        console.print(f"The last {most} of {len(rows):,}; all of them: slice files --all")


def print_rejects(lake: Lake, dataset: str, most: int, console: Console) -> None:
    for row in lake.ledger.quarantined_files(dataset):
        console.print(Text.assemble(("set aside", "red"), f" {row.source_key}: {row.error}"))
    table = grid(f"Rejected rows of {dataset}", "file", "line", "column", "reason", right=("line",))
    total = 0
    for row in lake.ledger.list_files(dataset):
        for line in read_rejects(lake, row):
            total += 1
            if total <= most:
                table.add_row(*(Text(text) for text in (row.name, line["line"], line["column"], line["reason"])))
    console.print(table if total else "No rejected rows.")
    if total:
        console.print(f"{min(most, total)} of {total}, with their text in quarantine/{dataset}/<file id>/rejects.csv")


def read_rejects(lake: Lake, row: FileRow) -> Iterator[dict[str, str]]:
    """The lines of a file's rejects.csv; none where it has none."""
    key = f"{folder_of(row)}/rejects.csv"
    if row.rows_rejected and lake.store.stat(key) is not None:
        with lake.store.open(key) as stored, io.TextIOWrapper(stored, "utf-8", newline="") as text:
            yield from csv.DictReader(text)


def _counts(row: FileRow) -> tuple[int, int, int, int]:
    return row.rows_read, row.rows_published, row.rows_duplicate, row.rows_rejected


def _note(row: FileRow) -> str:
    if row.repeat_of:
        return f"same bytes as file {row.repeat_of}"
    return f"superseded by file {row.superseded_by}" if row.superseded_by else row.error or ""


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"
