"""Second thoughts about files: take one back, or read what was set aside once more."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from slice_platform.errors import UnknownFile
from slice_platform.lake.accounts import Published
from slice_platform.lake.attempts import recover
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.ingest import Progress, batches, counter, silent
from slice_platform.lake.lake import LANDING, STRAYS, Lake
from slice_platform.lake.landing import dataset_of_key, path_below_dataset
from slice_platform.lake.landing_sets import completes_a_set
from slice_platform.lake.publish import publish
from slice_platform.lake.publish_sets import publish_sets
from slice_platform.lake.receive import readmit
from slice_platform.records import FileRow, FileStatus

_COUNTING = (FileStatus.RECEIVED, FileStatus.PUBLISHED, FileStatus.QUARANTINED)


def retract(lake: Lake, name: str, file: str) -> list[Published]:
    """Take back every version of a file that was sent by mistake. Atomic and idempotent.

    Afterwards none of its rows is in the table, rows that it had hidden are back, and raw and ledger still
    have it. Dropping it again publishes it again.

    Raises:
        UnknownFile: the ledger knows no such file of the dataset.
    """
    dataset = lake.dataset(name)
    with lake.ledger.exclusive(name):
        done = recover(lake, dataset)
        counting = [row.id for row in versions_of(lake, dataset, file) if row.status in _COUNTING]
        return [*done, publish(lake, dataset, [], retracted=counting)] if counting else done


def replay(lake: Lake, name: str, file: str | None = None, progress: Progress = silent) -> Iterator[Published]:
    """Read again what was set aside, all or one file, under the contract as it is now; one `Published` per commit.

    Files in quarantine are received anew; published files with rejected rows are published anew, so that
    rows which pass now leave quarantine. What fails again stays as it is. Idempotent.

    Raises:
        UnknownFile: the ledger knows no such file of the dataset.
    """
    dataset = lake.dataset(name)
    with lake.ledger.exclusive(name):
        yield from recover(lake, dataset)
        chosen = None if file is None else {row.id for row in versions_of(lake, dataset, file)}
        waiting = _readmitted(lake, dataset, chosen)
        partly = [
            row
            for row in lake.ledger.list_files(name, statuses=[FileStatus.PUBLISHED])
            if row.rows_rejected and (chosen is None or row.id in chosen)
        ]
        count = counter(progress, "read", len(waiting) + len(partly))
        if dataset.spec.sets:
            yield from publish_sets(lake, dataset, count)
            waiting = []
        for batch in batches(lake, waiting + partly):
            yield publish(lake, dataset, batch, count)


def versions_of(lake: Lake, dataset: Dataset, file: str) -> list[FileRow]:
    """Every version of the file that a person means: its id, its key, its path below the dataset, or its name.

    Raises:
        UnknownFile: nothing of the dataset, or more than one name, answers to it.
    """
    known = [*lake.ledger.list_files(dataset.name), *_strays_of(lake, dataset)]
    if file.isdecimal():
        meant = {row.source_key for row in known if row.id == int(file)}
    else:
        meant = {row.source_key for row in known if row.source_key in (file, f"{LANDING}/{dataset.name}/{file}")}
        meant = meant or {row.source_key for row in known if row.name == file}
    if len(meant) == 1:
        return [row for row in known if row.source_key in meant]
    if meant:
        found = f"{len(meant)} files are called so: {_listed(sorted(meant))}. Give the path or the id"
    else:
        near = get_close_matches(file, sorted({path_below_dataset(row.source_key) for row in known}), n=3)
        found = f"the ledger knows no such file{'; similar: ' + _listed(near) if near else ''}. Look it up"
    raise UnknownFile(f"Looking for {file!r} in {dataset.name!r}: {found}: slice files {dataset.name} --all")


def _readmitted(lake: Lake, dataset: Dataset, chosen: set[int] | None) -> list[FileRow]:
    """Files in quarantine that can be read anew, received once more."""
    aside = [*lake.ledger.quarantined_files(dataset.name), *_strays_of(lake, dataset)]
    return [
        readmit(lake, dataset, row)
        for row in sorted(aside, key=lambda row: row.id)
        if (chosen is None or row.id in chosen)
        and (dataset.file_spec(path_below_dataset(row.source_key)) or completes_a_set(dataset, row.source_key))
    ]


def _strays_of(lake: Lake, dataset: Dataset) -> list[FileRow]:
    """Objects that came for the dataset before there was one of its name."""
    strays = lake.ledger.list_files(STRAYS, statuses=[FileStatus.QUARANTINED])
    return [row for row in strays if dataset_of_key(row.source_key) == dataset.name]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, list(names)[:5]))
