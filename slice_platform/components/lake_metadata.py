"""What an asset's page tells: columns, rows, bytes, where the table is, the files it was made from, a few rows."""

import dagster as dg

from slice_platform.components.source_tables import arrival_links, arrivals_table, objects, sources_table
from slice_platform.lake.accounts import PartitionChange, Published
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.lineage import Arrivals, PartitionSources, sources_of, standing_files
from slice_platform.lake.preview import preview

MOST_PREVIEWS = 3  # a preview reads data; a batch over 365 partitions shows the latest few
PREVIEW_ROWS = 5
MOST_SOURCES = 50  # files listed of one partition
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


def batch_metadata(lake: Lake, dataset: Dataset, done: Published) -> dict[str, dict[str, dg.MetadataValue]]:
    """What is told of each partition that a batch changed, as the table is now; by partition key."""
    changed = [one for one in done.partitions if one.now is not None]  # else only refused files had rows for it
    if not changed:
        return {}
    standing = standing_files(lake, dataset, [one.key for one in changed])
    told: dict[str, dict[str, dg.MetadataValue]] = {}
    with engine(lake) as connection:
        sources = sources_of(lake, connection, dataset, standing, MOST_SOURCES)
        for one in changed:
            told[one.key] = _partition_metadata(lake, dataset, done, one, sources[one.key])
        for one in changed[-MOST_PREVIEWS:]:
            if paths := [file.path for file in standing.files[one.key]]:
                told[one.key]["preview"] = dg.MetadataValue.md(preview(connection, dataset, paths, PREVIEW_ROWS))
    return told


def arrival_metadata(lake: Lake, arrivals: Arrivals) -> dict[str, dg.MetadataValue]:
    """The files of one day of arrival and what became of them. Figures are plotted by the UI, so none is left out."""
    return {
        "files": dg.MetadataValue.int(arrivals.files),
        "files_published": dg.MetadataValue.int(arrivals.files_published),
        "files_quarantined": dg.MetadataValue.int(arrivals.files_quarantined),
        "files_withdrawn": dg.MetadataValue.int(arrivals.files_withdrawn),
        "bytes": dg.MetadataValue.int(arrivals.size_bytes),
        "rows_read": dg.MetadataValue.int(arrivals.rows_read),
        "rows_published": dg.MetadataValue.int(arrivals.rows_published),
        "rows_duplicate": dg.MetadataValue.int(arrivals.rows_duplicate),
        "rows_rejected": dg.MetadataValue.int(arrivals.rows_rejected),
        "arrivals": arrivals_table(arrivals.latest),
        "objects": objects(lake, arrivals.latest),
    }


def _partition_metadata(
    lake: Lake, dataset: Dataset, done: Published, change: PartitionChange, sources: PartitionSources
) -> dict[str, dg.MetadataValue]:
    """One partition after a batch. Bytes in are uncompressed; the ratio compares bytes per row in and stored."""
    now = change.now
    rows, size = (now.rows, now.size_bytes) if now else (0, 0)
    bytes_in = _plain_bytes(done, change)
    seen = sum(change.rows_by_file.values())
    count = "dagster/partition_row_count" if dataset.partition else "dagster/row_count"
    found: dict[str, dg.MetadataValue] = {
        count: dg.MetadataValue.int(rows),
        "source_files": dg.MetadataValue.int(sources.total),
        "sources": sources_table(sources),
        "arrived_on": arrival_links(dataset.name, sources),
        "rows_read": dg.MetadataValue.int(change.rows.good + change.rows.rejected),
        "rows_published": dg.MetadataValue.int(change.rows.good - change.rows.duplicate),
        "rows_duplicate": dg.MetadataValue.int(change.rows.duplicate),
        "rows_rejected": dg.MetadataValue.int(change.rows.rejected),
        "bytes": dg.MetadataValue.int(size),
        "data_files": dg.MetadataValue.int(now.data_files if now else 0),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
        "dagster/uri": dg.MetadataValue.text(lake.store.path(f"curated/{dataset.name}")),
        "snapshot_id": dg.MetadataValue.text(str(done.snapshot_id)),
        "objects": objects(lake, sources.latest),
    }
    if rows and size and seen:
        found["compression_ratio"] = dg.MetadataValue.float(round(bytes_in / seen / (size / rows), 2))
    return found


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
