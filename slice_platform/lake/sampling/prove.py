"""The samples through the reader of the ingest, with the files that are to be written: no guess may contradict it."""

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from slice_platform.engine import run
from slice_platform.errors import PermanentError
from slice_platform.lake.dataset import Dataset, dataset_of
from slice_platform.lake.lake import Lake
from slice_platform.lake.reader import StagedFile, rejects_of, stage
from slice_platform.lake.sampling.columns import ColumnGuess
from slice_platform.lake.sampling.dialect import refused
from slice_platform.lake.sampling.heads import Head
from slice_platform.lake.sampling.proposals import KeyProposal
from slice_platform.lake.sampling.texts import file_rows
from slice_platform.lake.sampling.yaml_files import Draft, contract_text, defs_text
from slice_platform.sql_text import quoted

_ROUNDS = 5
_SHOWN = 3


@dataclass(frozen=True)
class Proof:
    """What the reader said of the samples. `rejected` are records that no contract could take, with `reasons`."""

    rows_read: int
    rejected: int
    reasons: tuple[str, ...]
    duplicates: int  # rows that another row with their key would hide
    partitions: int
    refused_files: tuple[str, ...] = ()  # above the tolerated share of rejects


def prove(lake: Lake, connection: duckdb.DuckDBPyConnection, draft: Draft, heads: list[Head]) -> tuple[Draft, Proof]:
    """The draft with every column that the reader contradicts widened to text, and what the reader says of it then.

    Raises:
        PermanentError: the files do not load, or the reader does not take a sample at all.
    """
    folder = lake.settings.home_dir / "defs" / draft.dataset
    for _ in range(_ROUNDS):
        dataset = _loaded(draft, heads, folder)
        staged = stage(lake, connection, dataset, file_rows(lake, draft.dataset, heads))
        for head, one in zip(heads, staged, strict=True):
            if one.problem is not None:
                raise refused(head.sample, one.problem, "Mend the file, or take another sample.")
        mended = _mended(connection, draft, dataset)
        if mended == draft:
            return draft, _proof(lake, connection, dataset, staged)
        draft = mended
    raise PermanentError(
        f"Trying the contract of {draft.dataset!r} on its own sample: after {_ROUNDS} corrections rows are still "
        "rejected. Write the contract by hand (docs/datasets.md), and please report the sample."
    )


def _loaded(draft: Draft, heads: list[Head], folder: Path) -> Dataset:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "contract.yaml").write_text(contract_text(draft), encoding="utf-8")
    (folder / "defs.yaml").write_text(defs_text(draft), encoding="utf-8")
    dataset = dataset_of(folder)
    files = tuple(one.model_copy(update={"compression": "none"}) for one in dataset.spec.files)
    assert all(dataset.file_spec(head.sample.name) for head in heads)
    return replace(dataset, spec=dataset.spec.model_copy(update={"files": files}))


def _mended(connection: duckdb.DuckDBPyConnection, draft: Draft, dataset: Dataset) -> Draft:
    found = run(
        connection,
        'select e."column", count(*), any_value(e.reason) from '
        "(select unnest(_errors) as e from stage where _errors is not null) group by 1",
    )
    reasons = {
        column: f"text, because the reader rejects {count:,} values: {reason}" for column, count, reason in found
    }
    if any("nested column" in str(reason) for reason in reasons.values()):
        reasons |= {c.name: "text, because not every value is JSON" for c in draft.columns if c.type.logical.is_nested}
    columns = tuple(_widened(column, reasons.get(column.name)) for column in draft.columns)
    mended = draft.with_columns(columns)
    names = {column for column in reasons if column is not None}
    if draft.partition and draft.partition.column in names:
        mended = replace(mended, partition=None, no_partition=f"the reader rejects values of {draft.partition.column}")
    mended = replace(mended, order_by=tuple(name for name in draft.order_by if name not in names))
    if draft.key.is_guess and _repeated(connection, dataset):
        # Different texts may be one value: 10:00Z and 12:00+02:00.
        why = f"the values of {', '.join(draft.key.columns)} are not all different"
        mended = replace(mended, key=KeyProposal((), why, is_guess=True))
    return mended


def _widened(column: ColumnGuess, why: str | None) -> ColumnGuess:
    if why is None:
        return column
    return replace(column.widened(why), is_required=False)


def _repeated(connection: duckdb.DuckDBPyConnection, dataset: Dataset) -> int:
    if not dataset.key:
        return 0
    key = ", ".join(quoted(name) for name in dataset.key)
    good = f"select {key} from stage where _errors is null"
    (count,) = run(
        connection, f"select (select count(*) from ({good})) - (select count(*) from (select distinct * from ({good})))"
    )[0]
    return int(count)


def _proof(lake: Lake, connection: duckdb.DuckDBPyConnection, dataset: Dataset, staged: list[StagedFile]) -> Proof:
    rejected = sum(one.rows_rejected for one in staged)
    reasons: list[str] = []
    for one in staged:
        for reject in rejects_of(lake, connection, one):
            if len(reasons) < _SHOWN:
                reasons.append(f"{one.file.name}, line {reject.line}: {reject.reason}")
    (partitions,) = run(connection, "select count(distinct _partition) from stage where _errors is null")[0]
    limit = dataset.spec.tolerated_rejects
    return Proof(
        rows_read=sum(one.rows_read for one in staged),
        rejected=rejected,
        reasons=tuple(reasons),
        duplicates=_repeated(connection, dataset),
        partitions=int(partitions),
        refused_files=tuple(f"{one.file.name} ({one.reject_share:.0%})" for one in staged if one.reject_share > limit),
    )
