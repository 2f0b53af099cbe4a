"""The lineage of rows as tables of files: of a partition, and of a day of arrival. Latest files come first.

The UI shows a table beside other metadata, so only what fits is in it; the rest is told by id.
"""

import dagster as dg

from slice_platform.lake.lake import Lake
from slice_platform.lake.lineage import PartitionSources
from slice_platform.lake.preview import rejects_key
from slice_platform.lake.rejects import folder_of
from slice_platform.records import FileRow, FileStatus

_MOST_WORDS = 200  # characters of an error
_WORDS = {
    "id": "Of this version of the file, in the ledger and in the column _file_id.",
    "file": "Path below the dataset's folder in landing.",
    "received (UTC)": "When it was taken from landing.",
    "rows here": "Its rows in this partition now.",
    "read": "Rows of the whole file.",
    "in table": "Of all its rows: those in the table, in any partition.",
    "hidden": "Of all its rows: those that lost against a row with their key, or left with the file.",
    "rejected": "Of all its rows: those that broke the contract.",
    "status": "Where this version of the file stands.",
}


def sources_table(sources: PartitionSources) -> dg.MetadataValue:
    """The files that a partition was made from: rows of each in it now, and what became of all rows of the file."""
    rows = [
        {**_arrival(file), "rows here": f"{sources.rows_of(file):,}", **_counts(file), "status": _standing(file)}
        for file in sources.latest
    ]
    return _table(rows, without=("in table",))


def arrivals_table(files: tuple[FileRow, ...]) -> dg.MetadataValue:
    """The files of a day, and what became of them."""
    rows = [
        {**_arrival(file), "in table": f"{file.rows_published:,}", **_counts(file), "status": _outcome(file)}
        for file in files
    ]
    return _table(rows, without=("rows here",))


def objects(lake: Lake, files: tuple[FileRow, ...]) -> dg.MetadataValue:
    """By id of the file: where its bytes are kept, their size and sha256, and where its rejects lie."""
    return dg.MetadataValue.json({str(file.id): _object(lake, file) for file in files})


def arrival_links(dataset: str, sources: PartitionSources) -> dg.MetadataValue:
    """Links to the days of raw/<dataset> on which the listed files came, latest first."""
    days = sorted({f"{file.received_at:%Y-%m-%d}" for file in sources.latest}, reverse=True)
    return dg.MetadataValue.md(
        ", ".join(f"[{day}](/assets/raw/{dataset}?view=partitions&partition={day})" for day in days) or "none"
    )


def _table(rows: list[dict[str, str]], *, without: tuple[str, ...]) -> dg.MetadataValue:
    columns = {name: words for name, words in _WORDS.items() if name not in without}
    records = [dg.TableRecord({name: row[name] for name in columns}) for row in rows]
    schema = dg.TableSchema([dg.TableColumn(name, "string", description=words) for name, words in columns.items()])
    return dg.MetadataValue.table(records, schema)


def _arrival(file: FileRow) -> dict[str, str]:
    name = file.source_key.removeprefix(f"landing/{file.dataset}/")
    return {"id": str(file.id), "file": name, "received (UTC)": f"{file.received_at:%Y-%m-%d %H:%M}"}


def _counts(file: FileRow) -> dict[str, str]:
    return {"read": f"{file.rows_read:,}", "hidden": f"{file.rows_duplicate:,}", "rejected": f"{file.rows_rejected:,}"}


def _standing(file: FileRow) -> str:
    """Its status, and which file it was replaced by or repeats."""
    if file.superseded_by:
        return f"{file.status} by {file.superseded_by}"
    return f"{file.status}, same as {file.repeat_of}" if file.repeat_of else str(file.status)


def _outcome(file: FileRow) -> str:
    if file.status is FileStatus.QUARANTINED and file.error:
        return f"{file.status}: {file.error[:_MOST_WORDS]}"
    return _standing(file)


def _object(lake: Lake, file: FileRow) -> dict[str, str | int | None]:
    found: dict[str, str | int | None] = {
        "kept at": lake.store.path(file.raw_key) if file.raw_key else None,
        "bytes": file.size_bytes,
        "sha256": file.sha256,
    }
    if file.status is FileStatus.QUARANTINED:
        return {**found, "set aside at": lake.store.path(folder_of(file))}
    return {**found, "rejects": lake.store.path(rejects_key(file))} if file.rows_rejected else found
