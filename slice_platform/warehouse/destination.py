"""A database that files change: each file in one transaction, once.

All destinations go the same way, which stands here; what differs are hooks. The claim is looked for under a lock of the
table, the rows are staged, counted, merged or inserted and counted again, the ledger row is written, and all of it is
committed at once. Whoever dies on the way has changed nothing; whoever comes again finds the ledger row.

Statements of schemas are written so that they may be repeated, because MySQL commits each of them by itself.
"""

import random
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from slice_platform.errors import AccountingError, DestinationBusy, DestinationUnavailable, TableChanged
from slice_platform.warehouse.claim import Applied, Claim, Counts, KnownTable
from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.dialect import Dialect
from slice_platform.warehouse.drop_path import DestinationName, TableRef, Task
from slice_platform.warehouse.gate import CheckedRows
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.schema_change import SchemaChange
from slice_platform.warehouse.schema_work import ActualTable, TablePlan, plan_change, plan_table
from slice_platform.warehouse.session import Session, Value
from slice_platform.warehouse.table_spec import TableSpec, read_table_spec, spec_document

MOST_ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class RowsToLoad:
    """Rows that passed the gate, and what is needed to bring them to the database."""

    checked: CheckedRows
    known: KnownTable  # as the gate knew it
    engine: DuckDBPyConnection  # that reads them
    folder: Path  # for files on the way; the caller removes it
    is_parquet: bool = False

    @property
    def counts(self) -> Counts:
        return Counts(read=self.checked.rows + self.checked.rows_set_aside, set_aside=self.checked.rows_set_aside)


class Destination(ABC):
    """A database server. Safe to use from several processes at once, for the same table as well."""

    name: DestinationName
    dialect: Dialect

    @property
    def label(self) -> str:
        """How it is called where people read of it."""
        return self.name

    def __init__(self, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._pause = pause
        self._has_ledger: set[str] = set()

    def known_table(self, ref: TableRef) -> KnownTable | None:
        """The table as files have made it; None where no file has, or where it is gone."""
        with self._transaction(ref) as session:
            return self._known(session, ref)

    def applied(self, claim: Claim) -> Applied | None:
        """What the file did when it was delivered before; None where it never was."""
        with self._transaction(claim.table) as session:
            return self._before(session, claim) if self._is_ledger_there(session, claim.table.database) else None

    def create(self, claim: Claim, spec: TableSpec) -> Applied:
        """The table is there, as described.

        Raises:
            FileRefused: there is another one of that name.
        """

        def act(session: Session) -> tuple[Counts, TablePlan]:
            plan = self._plan_create(session, claim.table, spec)
            if self._find(session, claim) is not None:
                session.run(self.dialect.forget(claim.table.database), uuid.uuid4().hex, claim.id)
            return Counts(), self._run_all(session, plan)

        return self._once(claim, act)

    def alter(self, claim: Claim, change: SchemaChange) -> Applied:
        """The table's columns are changed; rows of before have NULL in new ones.

        Raises:
            FileRefused: the change does not fit the table.
        """

        def act(session: Session) -> tuple[Counts, TablePlan]:
            plan = self._plan_alter(session, claim.table, change)
            return Counts(), self._run_all(session, plan)

        return self._once(claim, act)

    def load(self, claim: Claim, rows: RowsToLoad) -> Applied:
        """The rows are in the table: inserted, or by their key inserted or updated.

        Raises:
            FileRefused: they do not go together with the rows that are there.
            TableChanged: the table is another one by now; the file has to pass the gate again.
            AccountingError: the database did not take the rows as they were given; nothing was changed.
        """

        def act(session: Session) -> tuple[Counts, None]:
            self._check_unchanged(session, claim.table, rows.known)
            return self._load(session, claim, rows), None

        return self._once(claim, act, rows)

    def preview_create(self, ref: TableRef, spec: TableSpec) -> TablePlan:
        """What `create` would run, as things stand; nothing is changed."""
        with self._transaction(ref) as session:
            return self._plan_create(session, ref, spec)

    def preview_alter(self, ref: TableRef, change: SchemaChange) -> TablePlan:
        """What `alter` would run, as things stand; nothing is changed."""
        with self._transaction(ref) as session:
            return self._plan_alter(session, ref, change)

    def preview_load(self, claim: Claim, rows: RowsToLoad) -> tuple[str, ...]:
        """The statements that `load` runs between lock and commit."""
        sql, ref = self.dialect, claim.table
        key, columns = rows.known.spec.primary_key, rows.checked.columns
        if self._goes_straight_in(claim.task, rows):
            return (self._fill_statement(sql.table(ref), claim, rows), sql.record(ref.database, with_spec=False))
        counted = (sql.count_known(ref, key),) if key else ()
        change = sql.merge(ref, key, columns) if claim.task is Task.UPSERT else sql.insert(ref, columns)
        return (
            sql.create_stage(columns), self._fill_statement(sql.stage, claim, rows), sql.count_stage(), *counted,
            change, *counted, sql.record(ref.database, with_spec=False),
        )  # fmt: skip

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
    def _fill_statement(self, target: str, claim: Claim, rows: RowsToLoad) -> str:
        """The statement that brings the rows into `target`, in bulk."""

    @abstractmethod
    def _fill(self, session: Session, target: str, claim: Claim, rows: RowsToLoad) -> int:
        """Bring the rows into `target`; how many the database took."""

    def _goes_straight_in(self, task: Task, rows: RowsToLoad) -> bool:  # noqa: ARG002 -- for those that can
        """Whether rows need no stage: the database itself tells how many it took, and keeps its keys."""
        return False

    # The way of every file

    def _once(
        self, claim: Claim, act: Callable[[Session], tuple[Counts, TablePlan | None]], rows: RowsToLoad | None = None
    ) -> Applied:
        attempt = 1
        while True:
            try:
                return self._attempt(claim, act, rows, is_first=attempt == 1)
            except (DestinationBusy, DestinationUnavailable):
                if attempt == MOST_ATTEMPTS:
                    raise
                # Jitter: those that met once must not meet again.
                self._pause(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311
                attempt += 1

    def _attempt(
        self,
        claim: Claim,
        act: Callable[[Session], tuple[Counts, TablePlan | None]],
        rows: RowsToLoad | None,
        *,
        is_first: bool,
    ) -> Applied:
        ref = claim.table
        self._ensure_ledger(ref)
        with self._transaction(ref, rows) as session:
            self._lock(session, ref)
            if (before := self._before(session, claim)) is not None:
                # The answer to our own commit may have been lost on the way.
                is_ours = not is_first and before.run_id == claim.run_id
                return replace(before, was_known=not is_ours)
            counts, plan = act(session)
            self._record(session, claim, counts, plan)
            statements = tuple(session.statements)
        return Applied(
            claim.id, counts, datetime.now(UTC), version=claim.version, run_id=claim.run_id, statements=statements,
            notes=plan.notes if plan else (),
        )  # fmt: skip

    def _ensure_ledger(self, ref: TableRef) -> None:
        if ref.database in self._has_ledger:
            return
        try:
            self._make_ledger(ref)
        except FileRefused:
            self._make_ledger(ref)  # another process made it at the same time
        self._has_ledger.add(ref.database)

    def _make_ledger(self, ref: TableRef) -> None:
        with self._transaction(ref) as session:
            if not self._is_ledger_there(session, ref.database):
                for statement in self.dialect.create_ledger(ref.database):
                    session.run(statement)

    def _lock(self, session: Session, ref: TableRef) -> None:
        session.run(self.dialect.lock(ref))

    def _before(self, session: Session, claim: Claim) -> Applied | None:
        """What the file has done already: nothing, if it made a table that is gone."""
        before = self._find(session, claim)
        is_gone = before and claim.task is Task.CREATE and self._actual_columns(session, claim.table) is None
        return None if is_gone else before

    def _find(self, session: Session, claim: Claim) -> Applied | None:
        found = session.rows(self.dialect.find_claim(claim.table.database), claim.id)
        if not found:
            return None
        *counts, version, run_id, at = found[0]
        when = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        return Applied(claim.id, Counts(*counts), when, was_known=True, version=version, run_id=run_id)

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

    def _plan_create(self, session: Session, ref: TableRef, spec: TableSpec) -> TablePlan:
        known, actual = self._described(session, ref), self._actual(session, ref)
        return plan_table(self.dialect, self.catalog_type, ref, spec, known, actual)

    def _plan_alter(self, session: Session, ref: TableRef, change: SchemaChange) -> TablePlan:
        """What an update file leads to, as things stand; nothing is changed."""
        known = self._known(session, ref)
        if known is None:
            raise refuse(f"There is no table {ref}: create it first, with a file in schema/create.")
        return plan_change(self.dialect, self.catalog_type, ref, change, known, self._actual(session, ref))

    def _actual(self, session: Session, ref: TableRef) -> ActualTable | None:
        columns = self._actual_columns(session, ref)
        return ActualTable(columns, self._actual_key(session, ref)) if columns is not None else None

    def _run_all(self, session: Session, plan: TablePlan) -> TablePlan:
        for statement in (*(self.dialect.short_waits() if plan.statements else ()), *plan.statements):
            session.run(statement)
        return plan

    def _load(self, session: Session, claim: Claim, rows: RowsToLoad) -> Counts:
        sql, ref = self.dialect, claim.table
        counts, expected = rows.counts, rows.checked.rows
        if self._goes_straight_in(claim.task, rows):
            self._expect(ref, expected, self._fill(session, sql.table(ref), claim, rows), "inserted")
            return Counts(counts.read, counts.set_aside, inserted=expected)
        session.run(sql.create_stage(rows.checked.columns))
        self._fill(session, sql.stage, claim, rows)
        self._expect(ref, expected, session.count(sql.count_stage()), "staged")
        updated = self._change(session, claim, rows)
        return Counts(counts.read, counts.set_aside, inserted=expected - updated, updated=updated)

    def _change(self, session: Session, claim: Claim, rows: RowsToLoad) -> int:
        """Bring the staged rows into the table; how many of them were updates."""
        sql, ref, key, columns = self.dialect, claim.table, rows.known.spec.primary_key, rows.checked.columns
        known = session.count(sql.count_known(ref, key)) if key else 0
        if claim.task is Task.UPSERT:
            session.run(sql.merge(ref, key, columns))
        else:
            if known:
                raise _known_keys(key, known, session.rows(sql.some_known(ref, key)))
            session.run(sql.insert(ref, columns))
        if key:
            self._expect(ref, rows.checked.rows, session.count(sql.count_known(ref, key)), "found in the table")
        return known

    def _expect(self, ref: TableRef, expected: int, counted: int, what: str) -> None:
        if counted != expected:
            raise AccountingError(
                f"Loading into {ref}: the file has {expected} rows, {counted} were {what}. Nothing was changed; this "
                "is a fault of the platform or of the database: keep the file and report it.",
                check="rows_loaded",
            )


def _known_keys(key: Iterable[str], total: int, some: list[tuple[object, ...]]) -> FileRefused:
    names = ", ".join(key)
    found = [
        Finding(
            "is in the table already; rows in input/load are new ones. Drop the file in input/update to change them",
            column=names,
            value=", ".join(str(value) for value in row),
        )
        for row in some
    ]
    return FileRefused(*found, total=total)
