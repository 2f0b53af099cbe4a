"""Rows that come back: what withdrawn rows had hidden is read from raw again and competes anew."""

from dataclasses import dataclass

from pyiceberg.expressions import In

from slice_platform.engine import run
from slice_platform.errors import RebuildRefused
from slice_platform.lake.audit import AuditedFile, audit
from slice_platform.lake.batch import Batch
from slice_platform.lake.layout import existing_rows
from slice_platform.lake.reader import StagedFile, stage_more
from slice_platform.lake.table import DataFile, data_files
from slice_platform.sql_text import quoted


@dataclass(frozen=True)
class Returning:
    """Files whose hidden rows are staged again, and what that makes necessary."""

    files: tuple[int, ...]  # of these only the rows that may come back are staged
    reread: tuple[AuditedFile, ...]  # read otherwise than they were booked: staged whole, to be published anew
    withdrawn: frozenset[int]  # all files whose rows leave the table


def stage_returning(batch: Batch, withdrawn: frozenset[int], staged: set[int]) -> Returning:
    """Stage the rows that may come back once the rows of `withdrawn` leave the table.

    `staged` are the files that are in the stage already. A file that reads otherwise than it was booked,
    because the contract changed since, cannot return in part: it is published anew as a whole.

    Raises:
        RebuildRefused: such a file no longer passes its audit.
    """
    if batch.dataset.spec.mode == "append":
        return Returning((), (), withdrawn)  # nothing hides anything
    returning: list[int] = []
    reread: list[AuditedFile] = []
    leaving, known = withdrawn, set(staged)
    while front := [f for f in batch.lake.ledger.hidden_below(leaving) if f.id not in known]:
        read = stage_more(batch.lake, batch.connection, batch.dataset, front)
        known |= {one.file.id for one in read}
        changed = [one for one in read if one.may_read_otherwise]
        returning += [one.file.id for one in read if not one.may_read_otherwise]
        reread += _audited(batch, changed)
        leaving |= {one.file.id for one in changed}
    if returning:
        _keep_only_freed(batch, frozenset(returning), leaving)
    return Returning(tuple(returning), tuple(reread), leaving)


def holding(batch: Batch, file_ids: frozenset[int]) -> list[DataFile]:
    """The data files that may hold rows of these source files."""
    if not file_ids:
        return []
    return data_files(batch.table, batch.dataset.partition, In(term="_file_id", literals=file_ids))


def _audited(batch: Batch, changed: list[StagedFile]) -> list[AuditedFile]:
    audited = audit(batch.connection, batch.dataset, changed)
    for one in audited:
        if one.refusal:
            raise RebuildRefused(
                f"Publishing into {batch.dataset.name!r}: rows of {one.staged.file.source_key!r} come back, but under "
                f"the contract as it is now it is refused: {one.refusal}. Mend the contract, or take the file out of "
                f"the table: slice retract {batch.dataset.name} {one.staged.file.id}. Nothing was changed."
            )
    return audited


def _keep_only_freed(batch: Batch, returning: frozenset[int], withdrawn: frozenset[int]) -> None:
    """Of the returning files keep the rows whose key (in mode replace: whose partition) the withdrawn ones held."""
    dataset, connection = batch.dataset, batch.connection
    names = dataset.key if dataset.spec.mode == "merge" else ()
    held = [file.path for file in holding(batch, withdrawn)]
    what = ", ".join(map(quoted, names)) if names else f"{_partition_key(batch)} as _partition"
    ids = ", ".join(map(str, sorted(withdrawn)))
    freed = f"select distinct {what} from {existing_rows(dataset, held)} where _file_id in ({ids})"
    if not held:
        freed = f"select {', '.join(map(quoted, names)) or '_partition'} from stage where false"
    run(connection, f"create or replace temp table freed as {freed}")
    mine = f"_file_id in ({', '.join(map(str, sorted(returning)))})"
    same = ", ".join(map(quoted, names)) or "_partition"
    run(
        connection,
        f"""delete from stage where {mine} and (_errors is not null or (_file_id, _row) not in (
              select (_file_id, _row) from stage semi join freed using ({same}) where {mine} and _errors is null))""",
    )


def _partition_key(batch: Batch) -> str:
    assert batch.dataset.partition is not None  # mode replace has one
    return batch.dataset.partition.key_sql
