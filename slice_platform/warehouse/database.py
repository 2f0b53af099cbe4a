"""A database as we use it: what differs between servers, and the part of the way that files and projections share.

Whoever changes a table holds a lock of it, in one transaction with a row of the ledger, and is tried again where the
database was busy or away. Statements of schemas are written so that they may be repeated, because MySQL commits each of
them by itself.
"""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from slice_platform.errors import AccountingError, DestinationBusy, DestinationUnavailable, TableChanged
from slice_platform.warehouse.claim import Claim, Counts, KnownTable, Load
from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.dialect import LEDGER, Dialect
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.schema_work import ActualTable, TablePlan
from slice_platform.warehouse.session import Session, Value
from slice_platform.warehouse.table_spec import read_table_spec, spec_document

MOST_ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.2
_Result_co = TypeVar("_Result_co", covariant=True)


class Attempt(Protocol[_Result_co]):
    """Work that may be done again from its beginning."""

    def __call__(self, *, is_first: bool) -> _Result_co: ...


class Database(ABC):
    """A database server. Safe to use from several processes at once, for the same table as well."""

    name: DestinationName
    dialect: Dialect

    @property
    def label(self) -> str:
        """How it is called where people read of it."""
        return self.name

    def __init__(self, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._has_books: set[tuple[str, str]] = set()

    def known_table(self, ref: TableRef) -> KnownTable | None:
        """The table as files have made it; None where no file has, or where it is gone."""
        with self._transaction(ref) as session:
            return self._known(session, ref)

    # Hooks

    @abstractmethod
    def catalog_type(self, kind: ColumnType) -> str:
        """A type in the words of the database's catalog."""

    @abstractmethod
    def _transaction(self, ref: TableRef, rows: RowsToLoad | None = None) -> AbstractContextManager[Session]:
        """One transaction on a connection of its own: committed at the end of the block, else rolled back.

        Raises:
            DestinationUnavailable, DestinationBusy: the same may succeed later.
            AccessRefused: the database refuses us.
            FileRefused: the database refuses what the file asks for.
        """

    @abstractmethod
    def _is_ledger_there(self, session: Session, database: str) -> bool: ...

    @abstractmethod
    def _actual_columns(self, session: Session, ref: TableRef) -> dict[str, str] | None:
        """Columns of the table and their types, as the catalog has them; None where there is no table."""

    def _actual_key(self, session: Session, ref: TableRef) -> frozenset[str] | None:  # noqa: ARG002 -- for those that can
        """The primary key that the database keeps; None where it keeps none, whatever its catalog says."""
        return None

    @abstractmethod
    def _fill_statement(self, target: str, claim: Load, rows: RowsToLoad) -> str:
        """The statement that brings the rows into `target`, in bulk."""

    @abstractmethod
    def _fill(self, session: Session, target: str, claim: Load, rows: RowsToLoad) -> int:
        """Bring the rows into `target`; how many the database took."""

    def _goes_straight_in(self, task: Task, rows: RowsToLoad) -> bool:  # noqa: ARG002 -- for those that can
        """Whether rows need no stage: the database itself tells how many it took, and keeps its keys."""
        return False

    # What files and projections share

    def _retried(self, attempt: Attempt[_Result_co]) -> _Result_co:
        number = 1
        while True:
            try:
                return attempt(is_first=number == 1)
            except (DestinationBusy, DestinationUnavailable):
                if number == MOST_ATTEMPTS:
                    raise
                # Jitter: those that met once must not meet again.
                self._pause(FIRST_PAUSE_SECONDS * 2 ** (number - 1) * random.uniform(0.5, 1.5))  # noqa: S311
                number += 1

    def _ensure_ledger(self, ref: TableRef) -> None:
        def is_there(session: Session, of: TableRef) -> bool:
            return self._is_ledger_there(session, of.database)

        self._ensure_book(ref, LEDGER, is_there, self.dialect.create_ledger)

    def _ensure_book(
        self,
        ref: TableRef,
        name: str,
        is_there: Callable[[Session, TableRef], bool],
        create: Callable[[str], tuple[str, ...]],
    ) -> None:
        """A table of our own is there."""
        if (ref.database, name) in self._has_books:
            return
        try:
            self._make_book(ref, is_there, create)
        except FileRefused:
            self._make_book(ref, is_there, create)  # another process made it at the same time
        self._has_books.add((ref.database, name))

    def _make_book(
        self, ref: TableRef, is_there: Callable[[Session, TableRef], bool], create: Callable[[str], tuple[str, ...]]
    ) -> None:
        with self._transaction(ref) as session:
            if not is_there(session, ref):
                for statement in create(ref.database):
                    session.run(statement)

    def _lock(self, session: Session, ref: TableRef) -> None:
        session.run(self.dialect.lock(ref))

    def _record(self, session: Session, claim: Claim, counts: Counts, plan: TablePlan | None) -> None:
        values: list[Value] = [
            claim.id, claim.key, claim.sha256, claim.version, claim.table.table, claim.task.value, claim.size_bytes,
            counts.read, counts.set_aside, counts.inserted, counts.updated, claim.run_id,
        ]  # fmt: skip
        if plan:
            values += [spec_document(plan.spec), plan.version]
        session.run(self.dialect.record(claim.table.database, with_spec=plan is not None), *values)

    def _known(self, session: Session, ref: TableRef) -> KnownTable | None:
        described = self._described(session, ref)
        return described if described and self._actual_columns(session, ref) is not None else None

    def _described(self, session: Session, ref: TableRef) -> KnownTable | None:
        """By the ledger, whether the table is there or not."""
        if not self._is_ledger_there(session, ref.database):
            return None
        found = session.rows(self.dialect.newest_spec(ref.database), ref.table)
        if not found:
            return None
        document, version = found[0]
        return KnownTable(read_table_spec(document.encode(), ref.destination), int(version))

    def _check_unchanged(self, session: Session, ref: TableRef, known: KnownTable) -> None:
        now = session.rows(self.dialect.newest_spec(ref.database), ref.table)
        if not now or int(now[0][1]) != known.version:
            raise TableChanged(f"Loading into {ref}: the table was altered while the file was checked. Try again.")

    def _actual(self, session: Session, ref: TableRef) -> ActualTable | None:
        columns = self._actual_columns(session, ref)
        return ActualTable(columns, self._actual_key(session, ref)) if columns is not None else None

    def _run_all(self, session: Session, plan: TablePlan) -> TablePlan:
        for statement in (*(self.dialect.short_waits() if plan.statements else ()), *plan.statements):
            session.run(statement)
        return plan

    def _expect(self, ref: TableRef, expected: int, counted: int, what: str) -> None:
        if counted != expected:
            raise AccountingError(
                f"Loading into {ref}: there are {expected} rows, {counted} were {what}. Nothing was changed; this "
                "is a fault of the platform or of the database: keep the file and report it.",
                check="rows_loaded",
            )
