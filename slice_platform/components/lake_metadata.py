"""What an asset's page tells: columns, rows, bytes, where the table is, a few of its rows."""

import dagster as dg

from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.preview import preview
from slice_platform.lake.publish import PartitionChange, Published
from slice_platform.records import FileRow

MOST_PREVIEWS = 3  # a preview reads data; a batch over 365 partitions shows the latest few
PREVIEW_ROWS = 5
_OWN_COLUMNS = (
    ("_file_id", "integer", "Ledger id of the file that the row came from."),
    ("_row", "integer", "Number of the record in that file, from 1."),
    ("_ingested_at", "timestamp with zone", "When that file was received."),
)


def asset_metadata(dataset: Dataset) -> dict[str, dg.MetadataValue | str]:
    """Known before anything ran: the contract's columns with descriptions and constraints."""
    return {
        "dagster/table_name": f"curated.{dataset.name}",
        "dagster/column_schema": dg.MetadataValue.table_schema(_columns(dataset)),
        "contract": dg.MetadataValue.path(str(dataset.contract.path.name)),
    }


def partition_metadata(
    lake: Lake, dataset: Dataset, done: Published, change: PartitionChange
) -> dict[str, dg.MetadataValue]:
    """One partition after a batch. Bytes in are uncompressed; the ratio compares bytes per row in and stored."""
    now = change.now
    rows, size = (now.rows, now.size_bytes) if now else (0, 0)
    bytes_in = _plain_bytes(done, change)
    seen = sum(change.rows_by_file.values())
    count = "dagster/partition_row_count" if dataset.partition else "dagster/row_count"
    found: dict[str, dg.MetadataValue] = {
        count: dg.MetadataValue.int(rows),
        "rows_read": dg.MetadataValue.int(change.rows.good + change.rows.rejected),
        "rows_published": dg.MetadataValue.int(change.rows.good - change.rows.duplicate),
        "rows_duplicate": dg.MetadataValue.int(change.rows.duplicate),
        "rows_rejected": dg.MetadataValue.int(change.rows.rejected),
        "bytes": dg.MetadataValue.int(size),
        "data_files": dg.MetadataValue.int(now.data_files if now else 0),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
        "dagster/uri": dg.MetadataValue.text(lake.store.path(f"curated/{dataset.name}")),
        "snapshot_id": dg.MetadataValue.text(str(done.snapshot_id)),
    }
    if rows and size and seen:
        found["compression_ratio"] = dg.MetadataValue.float(round(bytes_in / seen / (size / rows), 2))
    if rows and change.key in [one.key for one in done.partitions][-MOST_PREVIEWS:]:
        found["preview"] = dg.MetadataValue.md(preview(lake, dataset, change.key, PREVIEW_ROWS))
    return found


def arrival_metadata(files: list[FileRow]) -> dict[str, dg.MetadataValue]:
    """The files of one day as they were received."""
    records = [
        dg.TableRecord({"id": f.id, "file": f.source_key, "bytes": f.size_bytes, "sha256": f.sha256 or ""})
        for f in files[:100]
    ]
    return {
        "files": dg.MetadataValue.int(len(files)),
        "bytes": dg.MetadataValue.int(sum(f.size_bytes for f in files)),
        "first_files": dg.MetadataValue.table(records),
    }


def _columns(dataset: Dataset) -> dg.TableSchema:
    columns = [
        dg.TableColumn(
            c.name,
            str(c.type),
            description=c.description,
            constraints=dg.TableColumnConstraints(nullable=not c.required, unique=dataset.key == (c.name,)),
            tags={"classification": c.classification} if c.classification else None,
        )
        for c in dataset.contract.columns
    ]
    own = [dg.TableColumn(name, kind, description=words) for name, kind, words in _OWN_COLUMNS]
    return dg.TableSchema(
        columns + own,
        constraints=dg.TableConstraints([f"key: {', '.join(dataset.key)}"]) if dataset.key else None,
    )


def _plain_bytes(done: Published, change: PartitionChange) -> float:
    files = {one.staged.file.id: one.staged for one in done.files}
    return sum(
        files[file_id].plain_bytes * rows / files[file_id].rows_read
        for file_id, rows in change.rows_by_file.items()
        if file_id in files and files[file_id].rows_read
    )
