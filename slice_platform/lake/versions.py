"""Which version of a file counts: of all that came under one name the latest that passed its audit."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from slice_platform.lake.lake import Lake
from slice_platform.records import FileRow, FileStatus, Withdrawal

_LIVE_OR_SET_ASIDE = (FileStatus.PUBLISHED, FileStatus.QUARANTINED)


@dataclass(frozen=True)
class Succession:
    """What the accepted files of a batch do to other versions of their names, and to each other."""

    outdated: dict[int, int]  # accepted, but a later version is accepted or published: its id -> the later one's
    withdrawn: tuple[Withdrawal, ...]  # earlier versions that stop counting


def versions_by_file(lake: Lake, dataset: str, files: Iterable[FileRow]) -> dict[int, frozenset[int]]:
    """For each file the ids of all versions of its name, itself among them."""
    wanted = list(files)
    ids: defaultdict[str, set[int]] = defaultdict(set)
    for row in lake.ledger.versions_of(dataset, [file.source_key for file in wanted]):
        ids[row.source_key].add(row.id)
    return {file.id: frozenset(ids[file.source_key]) for file in wanted}


def succession(lake: Lake, dataset: str, accepted: list[FileRow]) -> Succession:
    """Compare the accepted files with every version the ledger knows under their names."""
    versions = lake.ledger.versions_of(dataset, [file.source_key for file in accepted])
    mine = {file.id for file in accepted}
    latest: dict[str, int] = {}
    for row in versions:  # in the order of their ids
        if row.id in mine or row.status is FileStatus.PUBLISHED:
            latest[row.source_key] = row.id
    outdated = {file.id: latest[file.source_key] for file in accepted if latest[file.source_key] != file.id}
    withdrawn = tuple(
        Withdrawal(row.id, latest[row.source_key])
        for row in versions
        if row.id not in mine and row.status in _LIVE_OR_SET_ASIDE and row.id < latest[row.source_key]
    )
    return Succession(outdated, withdrawn)
