"""Work off what was dropped: each file goes through the gate and into its table, and is put away.

The order for one file is: look it up in the ledger, check it, change the table and write the ledger in one transaction,
move the object. A crash anywhere is mended by doing the same again.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from slice_platform.engine import open_engine
from slice_platform.errors import AccessRefused, PermanentError, SettingsError, TableChanged
from slice_platform.settings import Settings
from slice_platform.spill import spill_folder
from slice_platform.store import Store
from slice_platform.warehouse.archive import (
    Attempt,
    Fault,
    archive_failed,
    archive_stray,
    archive_succeeded,
    drop_list,
    stage_list,
)
from slice_platform.warehouse.claim import Applied, Claim, KnownTable
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, DropPath, TableRef, Task
from slice_platform.warehouse.gate import check_rows
from slice_platform.warehouse.input_file import InputFile, fetch
from slice_platform.warehouse.outcome import Done, Failed, Outcome, Stranded, Waiting
from slice_platform.warehouse.pending import Dropped, look, look_at
from slice_platform.warehouse.refusal import FileRefused, refuse
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.schema_change import read_schema_change
from slice_platform.warehouse.table_spec import MOST_BYTES, read_table_spec

MOST_CHECKS = 3  # of one file, where its table is altered meanwhile
OF_ALL_FILES = (AccessRefused, SettingsError)  # permanent errors about which no file is to blame, nor the next one


@dataclass(frozen=True)
class Door:
    """A destination, and the databases of it that files may name."""

    destination: Destination
    databases: frozenset[str]


class NoTable(Exception):  # noqa: N818  # an outcome, too
    """What the file is for has not been created."""


@dataclass(frozen=True)
class Propagator:
    """The folders of the propagator and the databases behind them."""

    store: Store
    doors: Mapping[DestinationName, Door]
    settings: Settings
    closed: Mapping[DestinationName, str] = field(default_factory=dict)  # destination -> why it has no door

    def work_off(self, table: TableRef, *, run_id: str) -> Iterator[Outcome]:
        """Every file that lies ready for the table, in the order create, update, inputs by arrival.

        A file that the database cannot take fails, whoever is at fault, and keeps no other from the table.

        Raises:
            TransientError, AccessRefused, SettingsError: the database or the store did not do its part, and would not
                for another file. The file it happened at and those behind it stay where they are.
        """
        for dropped in look_at(self.store, table, tick_seconds=self.settings.landing_tick_seconds):
            try:
                yield self._work_off(dropped, run_id)
            except FileNotFoundError:
                continue  # another process has taken it since

    def put_away_strays(self) -> Iterator[Stranded]:
        """What lies where no file of a table may lie is moved to failed/ at the root, with the reason beside it."""
        for stray in look(self.store, tick_seconds=self.settings.landing_tick_seconds).strays:
            kept_as = archive_stray(self.store, stray, datetime.now(UTC))
            yield Stranded(stray.entry.text, stray.refused, kept_as)

    def door(self, table: TableRef) -> Destination:
        """The destination of the table.

        Raises:
            FileRefused: files may not name it.
        """
        door = self.doors.get(table.destination)
        if door is None:
            raise refuse(self.closed.get(table.destination, f"{table.destination} is not configured here."))
        if table.database not in door.databases:
            known = ", ".join(sorted(door.databases)) or "none"
            raise refuse(
                f"is no database that files may name; of {table.destination} there are: {known}", value=table.database
            )
        return door.destination

    def _work_off(self, dropped: Dropped, run_id: str) -> Outcome:
        started = time.monotonic()
        table = dropped.path.table
        claim: Claim | None = None
        try:
            destination = self.door(table)
            with self.folder() as folder:
                file = self.fetch(dropped.path, dropped.entry.key, folder, self.store)
                claim = _claim(dropped, file, run_id)
                applied = self._apply(destination, claim, dropped.path, file)
        except NoTable:
            return self._wait(dropped, claim, run_id)
        except FileRefused as refused:
            return self._fail(dropped, refused, claim, run_id)
        except OF_ALL_FILES:
            raise
        except PermanentError as error:
            return self._fail(dropped, refuse(str(error)), claim, run_id, at_fault="platform")
        if applied.was_known and self.store.stat(dropped.entry.key) is None:
            raise FileNotFoundError(dropped.entry.key)  # who put it away has told of it
        kept_as = archive_succeeded(
            self.store, dropped, datetime.now(UTC), list_of=claim if applied.counts.set_aside else None
        )
        return Done(dropped, destination.label, applied, kept_as, time.monotonic() - started)

    def _apply(self, destination: Destination, claim: Claim, path: DropPath, file: InputFile) -> Applied:
        if (before := destination.applied(claim)) is not None:
            return before  # by whatever rules it was loaded: they may be others now
        if path.task is Task.CREATE:
            return destination.create(claim, read_table_spec(file.path.read_bytes(), path.table.destination))
        if path.task is Task.ALTER:
            change = read_schema_change(file.path.read_bytes())
            self.known(destination, path.table)
            return destination.alter(claim, change)
        for attempt in range(1, MOST_CHECKS + 1):
            try:
                with self.checked(path, file, self.known(destination, path.table)) as rows:
                    stage_list(self.store, claim, rows.checked.set_aside)
                    return destination.load(claim, rows)
            except TableChanged:
                if attempt == MOST_CHECKS:
                    raise
        raise AssertionError("the last attempt returns or raises")

    @contextmanager
    def checked(self, path: DropPath, file: InputFile, known: KnownTable) -> Iterator[RowsToLoad]:
        """The rows of a file that passed the gate, for as long as the block lasts.

        Raises:
            FileRefused: with what is wrong, line by line.
        """
        if path.task is Task.UPSERT and not known.spec.primary_key:
            raise refuse(
                f"{path.table} has no primary_key, so no row can be told to be the same: input/update/ needs one. "
                "Drop the file in input/load/, or create the table with a primary_key."
            )
        limit = {"duckdb_memory_limit": self.settings.propagator_memory_limit}
        with open_engine(self.settings.model_copy(update=limit)) as engine:
            checked = check_rows(engine, file, known.spec, is_update=path.task is Task.UPSERT)
            yield RowsToLoad(checked, known, engine, file.path.parent, is_parquet=file.format == "parquet")

    def known(self, destination: Destination, table: TableRef) -> KnownTable:
        """The table as files have made it.

        Raises:
            NoTable: none has.
        """
        known = destination.known_table(table)
        if known is None:
            raise NoTable
        return known

    def fetch(self, path: DropPath, key: str, folder: Path, store: Store) -> InputFile:
        """The file on this machine, and its sha256."""
        most = MOST_BYTES if path.task.is_schema else self.settings.propagator_max_bytes
        return fetch(store, path, key, folder / "dropped", most_bytes=most)

    def folder(self) -> AbstractContextManager[Path]:
        """A place for files on the way; gone after the block."""
        return spill_folder(self.settings.spill_dir)

    def _wait(self, dropped: Dropped, claim: Claim | None, run_id: str) -> Outcome:
        patience = timedelta(seconds=self.settings.propagator_wait_seconds)
        until = (dropped.entry.written_at or datetime.now(UTC)) + patience
        if datetime.now(UTC) < until:
            return Waiting(dropped, until)
        table = dropped.path.table
        refused = refuse(
            f"There is no table {table}: no file in {table.folder}/{Task.CREATE.value}/ made it within "
            f"{patience.total_seconds():.0f} seconds."
        )
        return self._fail(dropped, refused, claim, run_id)

    def _fail(
        self, dropped: Dropped, refused: FileRefused, claim: Claim | None, run_id: str, at_fault: Fault = "file"
    ) -> Failed:
        if claim is not None:
            drop_list(self.store, claim)
        attempt = Attempt(datetime.now(UTC), run_id, claim.sha256 if claim else None)
        kept_as = archive_failed(self.store, dropped, refused, attempt, at_fault=at_fault)
        table = dropped.path.table
        label = self.doors[table.destination].destination.label if table.destination in self.doors else None
        return Failed(dropped, label or table.destination, refused, kept_as, at_fault)


def _claim(dropped: Dropped, file: InputFile, run_id: str) -> Claim:
    path = dropped.path
    return Claim(path.table, path.task, path.key, file.sha256, dropped.entry.version, file.size_bytes, run_id)
