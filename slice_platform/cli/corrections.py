"""What `slice retract`, `slice replay` and `slice rebuild` run, on the instance that the UI shows, and print."""

import dagster as dg
from rich.console import Console
from rich.text import Text

from slice_platform.cli.runs import rebuild_range, run_job
from slice_platform.cli.tables import counted
from slice_platform.components.corrections import REBUILD, REPLAY, RETRACT
from slice_platform.components.lake_partitions import partitions_def
from slice_platform.components.runtime import run_lake
from slice_platform.errors import PermanentError
from slice_platform.lake.corrections import versions_of
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.records import FileRow, FileStatus


def retract_file(name: str, file: str, console: Console) -> None:
    """Take a file back, and say what that did."""
    with run_lake() as lake:
        before = versions_of(lake, lake.dataset(name), file)
    gone = sum(row.rows_published for row in before)
    if all(row.status in (FileStatus.RETRACTED, FileStatus.SUPERSEDED, FileStatus.REPEATED) for row in before):
        console.print(Text(f"{before[0].source_key} is retracted already."))
        return
    _run(RETRACT, "retract_file", {"dataset": name, "file": file}, console)
    left = f"{before[0].source_key}: {counted(gone, 'row')} left curated.{name}"
    console.print(Text(f"{left}; raw keeps the file. Drop it again to undo."))


def replay_files(name: str, file: str | None, console: Console) -> None:
    """Read what was set aside again, and say how much of it passed."""
    with run_lake() as lake:
        before = _usable(lake, lake.dataset(name), file)
    _run(REPLAY, "replay_files", {"dataset": name, "file": file}, console)
    with run_lake() as lake:
        dataset = lake.dataset(name)
        after = _usable(lake, dataset, file)
        passed = {file_id: rows - before.get(file_id, 0) for file_id, rows in after.items()}
        rejected = sum(row.rows_rejected for row in lake.ledger.list_files(name, statuses=[FileStatus.PUBLISHED]))
        aside = len(lake.ledger.quarantined_files(name))
    rows, files = sum(passed.values()), sum(rows > 0 for rows in passed.values())
    came = f"{counted(rows, 'row')} of {counted(files, 'file')} passed" if rows else "No row passed"
    rest = f"still set aside: {counted(rejected, 'row')}, and {counted(aside, 'file')} as a whole"
    console.print(f"{came}; {rest}. Why: slice rejects {name}" if rejected or aside else f"{came}; nothing is left.")


def rebuild_table(name: str, partitions: str | None, console: Console) -> None:
    """Make a table, or a range of its partitions, again from raw.

    Raises:
        PermanentError: the range is none of this table's.
    """
    if partitions is None:
        _run(REBUILD, "rebuild_table", {"dataset": name}, console)
        console.print(f"curated.{name} is made again from raw.")
        return
    with run_lake() as lake:
        keys = keys_between(lake.dataset(name), partitions)
    from slice_platform.definitions import defs  # loads every folder below defs/

    with dg.DagsterInstance.get() as instance:
        rebuild_range(defs(), instance, name, keys)
    console.print(f"{len(keys)} partitions of curated.{name} are made again from raw: {keys[0]}..{keys[-1]}")


def keys_between(dataset: TableDefinition, text: str) -> list[str]:
    """The partition keys of `A..B`, both included, or of the one key `A`.

    Raises:
        PermanentError: one is no partition of the table, or they are in the wrong order.
    """
    divided = partitions_def(dataset)
    if divided is None:
        raise PermanentError(
            f"Partitions {text!r} of {dataset.name!r}: the table has no partitions. Leave --partitions out."
        )
    first, _, last = text.partition("..")
    known = list(divided.get_partition_keys())
    last = last or first
    if first not in known or last not in known or first > last:
        raise PermanentError(
            f"Partitions {text!r} of {dataset.name!r}: expected A..B with partitions from {known[0]} to "
            f"{known[-1]}. For all of them leave --partitions out."
        )
    return known[known.index(first) : known.index(last) + 1]


def _usable(lake: Lake, dataset: Dataset, file: str | None) -> dict[int, int]:
    """Rows that were read and not rejected, of each file that counts."""
    rows: list[FileRow] = versions_of(lake, dataset, file) if file else lake.ledger.list_files(dataset.name)
    return {row.id: row.rows_read - row.rows_rejected for row in rows if row.status is FileStatus.PUBLISHED}


def _run(job: str, op: str, config: dict[str, object], console: Console) -> None:
    from slice_platform.definitions import defs  # loads every folder below defs/

    given = {key: value for key, value in config.items() if value is not None}
    with dg.DagsterInstance.get() as instance:
        run_job(defs(), instance, job, console, run_config={"ops": {op: {"config": given}}})
