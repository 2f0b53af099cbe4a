"""Tables of a database that projections fill: made and widened as the lake's are, and what the ledger knows of them."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.claim import Claim, Counts, KnownTable
from slice_platform.warehouse.database import Database
from slice_platform.warehouse.dialect import PROJECTIONS
from slice_platform.warehouse.drop_path import TableRef, Task
from slice_platform.warehouse.projection import Changes, ProjectedTable, ProjectionRow
from slice_platform.warehouse.projection_spec import check_projection, index_name, settled
from slice_platform.warehouse.projection_sql import ProjectionSql
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.schema_work import ActualTable, TablePlan, plan_evolution, plan_table
from slice_platform.warehouse.session import Session
from slice_platform.warehouse.table_spec import spec_document


class ProjectedTables(Database):
    """A database with a ledger of projections, made when the first of them comes."""

    projections: ProjectionSql

    def ensure(self, table: ProjectedTable) -> tuple[str, ...]:
        """The table is there as described: made, or with the columns that are new. The statements that were run.

        Rows of before have NULL in new columns until their partition is projected again. Columns that are no longer
        described stay, and have NULL in all rows. A table that was dropped is made anew, and nothing counts as
        projected into it. Safe to repeat: what is there is not done again.

        Raises:
            FileRefused: the description is wrong, or there is a table of that name with another type or key, or with
                rows that no projection wrote; the message says what to do.
        """
        if wrong := check_projection(table):
            raise FileRefused(*map(Finding, wrong))
        table = settled(table)

        def attempt(*, is_first: bool) -> tuple[str, ...]:  # noqa: ARG001 -- what is there is looked at anew
            return self._ensured(table)

        return self._retried(attempt)

    def recorded(self, ref: TableRef) -> dict[str, ProjectionRow]:
        """What the ledger has of the table's partitions, by their keys; nothing, where the table is gone."""
        with self._transaction(ref) as session:
            if not self._has_projections(session, ref) or self._actual_columns(session, ref) is None:
                return {}
            found = session.rows(self.projections.recorded(ref.database, by="table_name"), ref.table)
        return {row.partition_key: row for row in map(projection_row, found)}

    def _ensured(self, table: ProjectedTable) -> tuple[str, ...]:
        ref = table.ref
        self._ensure_ledger(ref)
        self._ensure_projections(ref)
        with self._transaction(ref) as session:
            self._lock(session, ref)
            known, actual = self._described(session, ref), self._actual(session, ref)
            if actual is None:
                # First, as MySQL commits both at once: rows of a table that is gone must not count for the new one.
                session.run(self.projections.forget(ref.database, by="table_name"), ref.table)
            else:
                self._check_ours(session, ref)
            plan = self._plan_ensure(table, known, actual)
            self._run_all(session, plan)
            gone = _gone(table, known) if known is not None and actual is not None else ()
            if gone:
                session.run(self.projections.clear(table.ref, gone))
            if known is None or plan.version != known.version:
                task = Task.ALTER if actual and known else Task.CREATE
                self._record(session, _claim_of(table, plan, task), Counts(), plan)
            return (*plan.statements, *self._index(session, table))

    def _plan_ensure(self, table: ProjectedTable, known: KnownTable | None, actual: ActualTable | None) -> TablePlan:
        if known is not None and actual is not None:
            return plan_evolution(self.dialect, self.catalog_type, table.ref, table.spec, known, actual)
        return plan_table(self.dialect, self.catalog_type, table.ref, table.spec, known, actual)

    def _index(self, session: Session, table: ProjectedTable) -> tuple[str, ...]:
        """Make the indexes that are missing."""
        if not table.indexes or (asked := self.projections.index_names(table.ref)) is None:
            return ()
        there = {str(name) for (name,) in session.rows(asked)}
        wanted = [columns for columns in table.indexes if index_name(table.ref, columns) not in there]
        statements = tuple(self.projections.create_index(table, columns) for columns in wanted)
        for statement in statements:
            session.run(statement)
        return statements

    def _ensure_projections(self, ref: TableRef) -> None:
        self._ensure_book(ref, PROJECTIONS, self._has_projections, self.dialect.create_projections)

    def _has_projections(self, session: Session, ref: TableRef) -> bool:
        return self._actual_columns(session, TableRef(ref.destination, ref.database, PROJECTIONS)) is not None

    def _check_ours(self, session: Session, ref: TableRef) -> None:
        """A table with rows that no projection wrote belongs to somebody.

        Raises:
            FileRefused: it is such a table.
        """
        if session.count(self.projections.count_recorded(ref.database), ref.table):
            return
        if session.count(self.projections.any_row(ref)):
            raise refuse(
                f"There is a table {ref} with rows that no projection wrote, so none of it is touched. Choose another "
                "`table:`, or drop it."
            )


def _gone(table: ProjectedTable, known: KnownTable) -> tuple[str, ...]:
    """Columns that a projection once wrote and is not asked for any more: what is in them may be personal."""
    keys = known.spec.keys
    return tuple(name for name in known.spec.names if name not in table.spec.names and name not in keys)


def _claim_of(table: ProjectedTable, plan: TablePlan, task: Task) -> Claim:
    """The change of a table in the ledger of files: as if a file had brought it."""
    document = f"{plan.version}\0{spec_document(plan.spec)}".encode()
    key = f"projection/{table.ref.folder}"
    return Claim(table.ref, task, key, hashlib.sha256(document).hexdigest(), str(plan.version), len(document), key)


def projection_row(row: tuple[Any, ...]) -> ProjectionRow:
    partition, source, lineage, version, snapshot_id, rows, low, high, *changed, is_stale, run_id, at = row
    return ProjectionRow(
        partition, source, lineage, int(version), None if snapshot_id is None else int(snapshot_id),
        Measure(int(rows), int(low), int(high)), Changes(*map(int, changed)), run_id,
        _in_utc(at), is_stale=bool(is_stale),
    )  # fmt: skip


def _in_utc(moment: datetime) -> datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
