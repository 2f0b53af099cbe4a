"""A database that files change: each file in one transaction, once. Projections change it as well, in the same way.

The claim is looked for under a lock of the table, the rows are staged, counted, merged or inserted and counted again,
the ledger row is written, and all of it is committed at once. Whoever dies on the way has changed nothing; whoever
comes again finds the ledger row.
"""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from slice_platform.warehouse.claim import Applied, Claim, Counts
from slice_platform.warehouse.drop_path import TableRef, Task
from slice_platform.warehouse.partition_loads import PartitionLoads
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.schema_change import SchemaChange
from slice_platform.warehouse.schema_work import TablePlan, plan_change, plan_table
from slice_platform.warehouse.session import Session
from slice_platform.warehouse.table_spec import TableSpec


class Destination(PartitionLoads):
    """A database that files and projections change."""

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

    # The way of every file

    def _once(
        self, claim: Claim, act: Callable[[Session], tuple[Counts, TablePlan | None]], rows: RowsToLoad | None = None
    ) -> Applied:
        return self._retried(lambda *, is_first: self._attempt(claim, act, rows, is_first=is_first))

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

    def _plan_create(self, session: Session, ref: TableRef, spec: TableSpec) -> TablePlan:
        known, actual = self._described(session, ref), self._actual(session, ref)
        return plan_table(self.dialect, self.catalog_type, ref, spec, known, actual)

    def _plan_alter(self, session: Session, ref: TableRef, change: SchemaChange) -> TablePlan:
        """What an update file leads to, as things stand; nothing is changed."""
        known = self._known(session, ref)
        if known is None:
            raise refuse(f"There is no table {ref}: create it first, with a file in schema/create.")
        return plan_change(self.dialect, self.catalog_type, ref, change, known, self._actual(session, ref))

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
