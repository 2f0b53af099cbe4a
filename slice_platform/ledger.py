"""What the platform has seen and done: one row per version of every file, per batch, per partition.

The ledger is the catalog of file metadata and the account book: for each file
`rows_read = rows_published + rows_duplicate + rows_rejected`, where published means "in the table now".
A commit to a table is announced here first (`open_batch`) and booked afterwards (`settle_batch`), so
that a crash in between is found and finished by the next run.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import sqlalchemy as sa

from slice_platform.ledger_booking import book_built, book_file, book_withdrawal, move_to_duplicate, note_hidden
from slice_platform.ledger_tables import (
    add_missing_columns,
    batches,
    built_partitions,
    file_partitions,
    files,
    hidden_rows,
    metadata,
    partitions,
)
from slice_platform.metadata_db import MetadataDb
from slice_platform.records import BatchReceipt, BuiltPartition, FileRow, FileStatus, PartitionRow
from slice_platform.store import StoredObject

_MOST_PARAMETERS = 10_000
KeyOf: TypeAlias = Callable[[str, int, datetime, str], str]  # dataset, file id, received at, name -> key


@dataclass(frozen=True)
class OpenBatch:
    """A batch that was announced and neither booked nor abandoned."""

    id: str
    receipt: BatchReceipt | None


class Ledger:
    """The ledger in one SQLite file or Postgres database; safe for several processes."""

    def __init__(self, url: str, *, lock_dir: Path, lock_timeout_seconds: float) -> None:
        self._lock_timeout_seconds = lock_timeout_seconds
        self._db = MetadataDb(url, lock_dir=lock_dir)
        self._engine = self._db.engine
        try:
            with self.exclusive("_ledger"):  # several processes may open a new ledger at the same moment
                metadata.create_all(self._engine)
                add_missing_columns(self._engine)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._db.close()

    def exclusive(self, dataset: str) -> AbstractContextManager[None]:
        """Hold `dataset` alone; the operating system or database lets go when the process dies.

        Raises:
            DatasetBusy: another process held it for the whole time-out.
        """
        return self._db.exclusive(dataset, of=f"dataset {dataset!r}", timeout_seconds=self._lock_timeout_seconds)

    # --- files

    def announce_file(self, dataset: str, entry: StoredObject, key_of: KeyOf) -> FileRow:
        """Give an object that is about to be copied its id and the key it is copied to."""
        now = datetime.now(UTC)
        values = {
            "dataset": dataset,
            "source_key": entry.text,
            "version": entry.version,
            "size_bytes": entry.size_bytes,
        }
        with self._engine.begin() as connection:
            result = connection.execute(files.insert().values(**values, received_at=now, status=FileStatus.ARRIVING))
            assert result.inserted_primary_key is not None
            file_id = int(result.inserted_primary_key[0])
            raw_key = key_of(dataset, file_id, now, entry.text.rsplit("/", 1)[-1])
            connection.execute(files.update().where(files.c.id == file_id).values(raw_key=raw_key))
            return _one_file(connection, file_id)

    def update_file(self, file_id: int, **changes: object) -> FileRow:
        """Change a file's row; the row as it then is."""
        with self._engine.begin() as connection:
            connection.execute(files.update().where(files.c.id == file_id).values(**changes))
            return _one_file(connection, file_id)

    def forget_file(self, file_id: int) -> None:
        """Drop the row of a file whose copy did not finish; its object is still in landing."""
        with self._engine.begin() as connection:
            connection.execute(files.delete().where(files.c.id == file_id))

    def list_files(
        self, dataset: str | None = None, *, statuses: Iterable[FileStatus] = (), source_key: str | None = None
    ) -> list[FileRow]:
        """File versions in the order of their ids."""
        conditions: list[sa.ColumnElement[bool]] = []
        if dataset is not None:
            conditions.append(files.c.dataset == dataset)
        if wanted := list(statuses):
            conditions.append(files.c.status.in_(wanted))
        if source_key is not None:
            conditions.append(files.c.source_key == source_key)
        return self._select_files(*conditions)

    def read(self, query: sa.Select[Any]) -> list[sa.RowMapping]:
        """What a query over the ledger's tables finds."""
        with self._engine.connect() as connection:
            return list(connection.execute(query).mappings())

    def files_in_landing(self, dataset: str) -> list[FileRow]:
        """Files that raw or quarantine holds, but whose removal from landing a crash left unbooked."""
        return self._select_files(
            files.c.dataset == dataset, files.c.left_landing.is_(False), files.c.status != FileStatus.ARRIVING
        )

    def files_of_partitions(self, dataset: str, partition_keys: Iterable[str]) -> list[FileRow]:
        """Published files that hold at least one good row of any of the partitions."""
        live = (files.c.dataset == dataset) & (files.c.status == FileStatus.PUBLISHED)
        found: dict[int, FileRow] = {}
        for some in _slices(sorted(set(partition_keys))):
            touching = sa.select(file_partitions.c.file_id).where(file_partitions.c.partition_key.in_(some))
            found |= {row.id: row for row in self._select_files(live, files.c.id.in_(touching))}
        return [found[file_id] for file_id in sorted(found)]

    def partitions_of_files(self, file_ids: Iterable[int]) -> dict[int, frozenset[str]]:
        """For each published file the partitions that it holds good rows of, hidden ones among them."""
        found: defaultdict[int, set[str]] = defaultdict(set)
        for some in _slices(sorted(set(file_ids))):
            for row in self.read(sa.select(file_partitions).where(file_partitions.c.file_id.in_(some))):
                found[row["file_id"]].add(row["partition_key"])
        return {file_id: frozenset(keys) for file_id, keys in found.items()}

    def versions_of(self, dataset: str, source_keys: Iterable[str]) -> list[FileRow]:
        """Every version that ever came under these names, in the order of their ids."""
        rows = [
            row
            for some in _slices(sorted(set(source_keys)))
            for row in self._select_files(files.c.dataset == dataset, files.c.source_key.in_(some))
        ]
        return sorted(rows, key=lambda row: row.id)

    def hidden_below(self, file_ids: Iterable[int]) -> list[FileRow]:
        """Published files with a row that may come back once `file_ids` are withdrawn; in the order of their ids.

        A row whose hider is withdrawn already hides behind the hider of that one: the search goes on
        through withdrawn files, and ends at published ones, as what these hide stays hidden.
        """
        seen, front, found = set(file_ids), set(file_ids), list[FileRow]()
        while front:
            met = [
                row for some in _slices(sorted(front)) for row in self._hidden_directly_by(some) if row.id not in seen
            ]
            found += [row for row in met if row.status is FileStatus.PUBLISHED]
            front = {row.id for row in met if row.status is not FileStatus.PUBLISHED}
            seen |= {row.id for row in met}
        return sorted(found, key=lambda row: row.id)

    def _hidden_directly_by(self, file_ids: Sequence[int]) -> list[FileRow]:
        directly = sa.select(hidden_rows.c.file_id).where(hidden_rows.c.by_file_id.in_(file_ids))
        return self._select_files(files.c.id.in_(directly))

    def unfinished_datasets(self) -> set[str]:
        """Datasets with received files that no commit has published, or with a batch that a crash left open."""
        received = sa.select(files.c.dataset).where(files.c.status == FileStatus.RECEIVED)
        left_open = sa.select(batches.c.dataset).where(batches.c.state == "open")
        with self._engine.connect() as connection:
            return set(connection.scalars(sa.union(received, left_open)))

    def quarantined_files(self, dataset: str) -> list[FileRow]:
        """Files that are set aside as a whole, but for those whose name has come again since."""
        later = files.alias()
        came_again = sa.exists().where(
            later.c.dataset == files.c.dataset,
            later.c.source_key == files.c.source_key,
            later.c.id > files.c.id,
            later.c.status.not_in([FileStatus.ARRIVING, FileStatus.REPEATED]),
        )
        return self._select_files(files.c.dataset == dataset, files.c.status == FileStatus.QUARANTINED, ~came_again)

    def _select_files(self, *conditions: sa.ColumnElement[bool]) -> list[FileRow]:
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(files).where(*conditions).order_by(files.c.id))
            return [file_row(row) for row in rows.mappings()]

    # --- batches: announced, then booked or abandoned

    def open_batch(self, batch_id: str, dataset: str) -> None:
        """Announce that data files named after the batch are about to be written."""
        with self._engine.begin() as connection:
            connection.execute(
                batches.insert().values(id=batch_id, dataset=dataset, state="open", opened_at=datetime.now(UTC))
            )

    def promise_batch(self, batch_id: str, receipt: BatchReceipt) -> None:
        """Keep what will be booked if the commit that follows succeeds."""
        with self._engine.begin() as connection:
            connection.execute(batches.update().where(batches.c.id == batch_id).values(receipt=receipt.to_json()))

    def open_batches(self, dataset: str) -> list[OpenBatch]:
        """Batches that a crash left between announcement and booking."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(batches.c.id, batches.c.receipt).where(
                    batches.c.dataset == dataset, batches.c.state == "open"
                )
            )
            return [OpenBatch(row.id, BatchReceipt.from_json(row.receipt) if row.receipt else None) for row in rows]

    def abandon_batch(self, batch_id: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(batches.update().where(batches.c.id == batch_id).values(state="abandoned"))

    def settle_batch(
        self, batch_id: str, dataset: str, receipt: BatchReceipt, snapshot_id: int | None, now: Iterable[PartitionRow]
    ) -> None:
        """Book a committed batch: accounts of files, partitions and their versions, in one transaction."""
        with self._engine.begin() as connection:
            for account in receipt.files:
                book_file(connection, account)
            for file_id, moved in receipt.superseded.items():
                move_to_duplicate(connection, file_id, moved)
            for withdrawal in receipt.withdrawn:
                book_withdrawal(connection, withdrawal)
            note_hidden(connection, receipt.hidden)
            book_built(connection, dataset, receipt.built)
            kept = _versions(connection, dataset) if receipt.keeps_versions else {}
            for keys in _slices(receipt.partitions):
                connection.execute(
                    partitions.delete().where(partitions.c.dataset == dataset, partitions.c.partition_key.in_(keys))
                )
            for row in now:
                values = {**row.counts(), "version": kept.get(row.partition_key, row.version)}
                connection.execute(partitions.insert().values(dataset=dataset, updated_at=datetime.now(UTC), **values))
            connection.execute(
                batches.update().where(batches.c.id == batch_id).values(state="settled", snapshot_id=snapshot_id)
            )

    def list_partitions(self, dataset: str) -> list[PartitionRow]:
        with self._engine.connect() as connection:
            rows = connection.execute(
                sa.select(partitions).where(partitions.c.dataset == dataset).order_by(partitions.c.partition_key)
            )
            return [
                PartitionRow(row.partition_key, row.version, row.rows, row.size_bytes, row.data_files) for row in rows
            ]

    def versions(self) -> dict[str, dict[str, int]]:
        """The version of every partition of every table, by table and key."""
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        with self._engine.connect() as connection:
            for row in connection.execute(
                sa.select(partitions.c.dataset, partitions.c.partition_key, partitions.c.version)
            ):
                found[row.dataset][row.partition_key] = row.version
        return dict(found)

    def built(self, target: str) -> dict[str, dict[str, str]]:
        """What each partition of a table that is made from others was made from, by key."""
        wanted = sa.select(built_partitions).where(built_partitions.c.target == target)
        with self._engine.connect() as connection:
            return {row.partition_key: json.loads(row.inputs) for row in connection.execute(wanted)}

    def forget_built(self, target: str, keys: Iterable[str]) -> None:
        """These partitions are behind, whatever they were made from."""
        with self._engine.begin() as connection:
            for some in _slices(sorted(set(keys))):
                here = (built_partitions.c.target == target, built_partitions.c.partition_key.in_(some))
                connection.execute(built_partitions.delete().where(*here))

    def book_built(self, target: str, built: Iterable[BuiltPartition]) -> None:
        with self._engine.begin() as connection:
            book_built(connection, target, built)


_T = TypeVar("_T")


def _slices(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Databases bound the number of parameters of a statement."""
    for start in range(0, len(values), _MOST_PARAMETERS):
        yield values[start : start + _MOST_PARAMETERS]


def _versions(connection: sa.Connection, dataset: str) -> dict[str, int]:
    rows = sa.select(partitions.c.partition_key, partitions.c.version).where(partitions.c.dataset == dataset)
    return {row.partition_key: row.version for row in connection.execute(rows)}


def _one_file(connection: sa.Connection, file_id: int) -> FileRow:
    return file_row(connection.execute(sa.select(files).where(files.c.id == file_id)).mappings().one())


def file_row(row: sa.RowMapping) -> FileRow:
    """A file from its row in `files`; what a query found beside it is passed over."""
    values = {column.name: row[column.name] for column in files.columns}
    received: datetime = values["received_at"]
    # SQLite keeps no zone; what was stored is UTC.
    values["received_at"] = received.replace(tzinfo=UTC) if received.tzinfo is None else received.astimezone(UTC)
    return FileRow(**{**values, "status": FileStatus(values["status"])})
