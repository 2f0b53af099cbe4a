"""Partitions of the lake's tables, brought into a database: each in one transaction, and never an older over a newer.

The partition's row in the ledger is looked at under a lock of the table. Rows are staged and counted; those of before
give way; what is then in the table is measured there and compared with what was sent; the row in the ledger is written,
and all of it is committed at once. Whoever dies on the way has changed nothing; whoever comes again finds the row.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time

from slice_platform.errors import AccountingError, TableChanged
from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.projected_tables import ProjectedTables, projection_row
from slice_platform.warehouse.projection import (
    Changes,
    PartitionClaim,
    Projected,
    ProjectedTable,
    ProjectionRow,
    Window,
)
from slice_platform.warehouse.projection_sql import written
from slice_platform.warehouse.refusal import refuse
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.session import Session, Value


class PartitionLoads(ProjectedTables):
    """A database that partitions are projected into, by several processes at once if need be."""

    def project(
        self, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad, *, again: bool = False
    ) -> Projected:
        """The partition's rows are in the table, as its mode wants it; a newer version that is there stays.

        Atomic, and safe to repeat: a version that is there changes nothing. `again` writes the same version anew, to
        repair what somebody else changed; never an older one. The lake's table made anew is another lineage, of which
        any version is newer than all of the former.

        Raises:
            FileRefused: the table belongs to somebody else, or the rows do not go together with those that are there.
            TableChanged: the table is gone, or another one by now: `ensure` it, and check the rows again.
            AccountingError: the database does not hold the rows as they were given; nothing was changed.
        """
        _check_claim(table, claim, rows)

        def attempt(*, is_first: bool) -> Projected:
            return self._project(table, claim, rows, is_again=again, is_first=is_first)

        return self._retried(attempt)

    def measure(self, table: ProjectedTable, windows: Mapping[str, Window | None]) -> dict[str, Measure]:
        """What is in the table now, by the keys that `windows` have: of rows in each window, all columns but SUPER.

        With mode append this is compared with the ledger, not with the lake: rows that left the lake stay there.
        """
        with self._transaction(table.ref) as session:
            if self._actual_columns(session, table.ref) is None:
                return dict.fromkeys(windows, Measure())
            return {key: self._measured(session, table, window) for key, window in windows.items()}

    def count(self, table: ProjectedTable) -> int:
        """How many rows the table has now, whoever brought them."""
        with self._transaction(table.ref) as session:
            if self._actual_columns(session, table.ref) is None:
                return 0
            return session.count(self.projections.count(table, None))

    def _project(
        self, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad, *, is_again: bool, is_first: bool
    ) -> Projected:
        ref = table.ref
        self._ensure_ledger(ref)
        self._ensure_projections(ref)
        with self._transaction(ref, rows) as session:
            self._lock(session, ref)
            if self._actual_columns(session, ref) is None:
                raise TableChanged(f"Projecting {claim.key} into {ref}: there is no such table. Ensure it first.")
            before = self._before_claim(session, claim)
            if before and (answer := _answer(before, claim, is_again=is_again, is_first=is_first)) is not None:
                return answer
            self._check_ours(session, ref)
            self._check_unchanged(session, ref, rows.known)
            changes = self._bring(session, table, claim, rows)
            measure = self._left(session, table, claim, rows)
            _check_measure(table, claim, rows, measure)
            self._record_projection(session, claim, measure, changes)
            statements = tuple(session.statements)
        return Projected(True, changes, measure, claim.version, statements)  # noqa: FBT003 -- its first field

    def _before_claim(self, session: Session, claim: PartitionClaim) -> ProjectionRow | None:
        found = session.rows(self.projections.recorded(claim.table.database, by="id"), claim.row_id)
        return projection_row(found[0]) if found else None

    def _bring(self, session: Session, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad) -> Changes:
        match table.mode:
            case "replace_partition":
                return self._replace(session, table, claim, rows)
            case "upsert":
                return self._upsert(session, table, claim, rows)
            case "append":
                return self._append(session, table, claim, rows)

    def _replace(self, session: Session, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad) -> Changes:
        sql, expected = self.dialect, rows.checked.rows
        deleted = session.run(self.projections.delete(table, claim.window))
        if self._goes_straight_in(Task.LOAD, rows):
            if expected:
                taken = self._fill(session, sql.table(table.ref), claim, rows)
                self._expect(table.ref, expected, taken, "inserted")
            return Changes(deleted, inserted=expected)
        self._stage(session, table, claim, rows)
        session.run(sql.insert(table.ref, rows.checked.columns))
        return Changes(deleted, inserted=expected)

    def _upsert(self, session: Session, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad) -> Changes:
        sql = self.projections
        self._stage(session, table, claim, rows, key=table.spec.primary_key)
        moved = self._take_over(session, table, claim)
        deleted = session.run(sql.delete_gone(table, claim.window))
        updated = session.run(sql.update_changed(table))
        return Changes(deleted, session.run(sql.insert_new(table)), updated, moved)

    def _append(self, session: Session, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad) -> Changes:
        """Of rows that are there, only that they are is asked for: they may have been changed since, here or there."""
        key = table.spec.primary_key
        self._stage(session, table, claim, rows, key=key)
        inserted = session.run(self.projections.insert_new(table))
        known = session.count(self.dialect.count_known(table.ref, key))
        self._expect(table.ref, rows.checked.rows, known, "found in the table")
        return Changes(inserted=inserted)

    def _stage(
        self,
        session: Session,
        table: ProjectedTable,
        claim: PartitionClaim,
        rows: RowsToLoad,
        *,
        key: tuple[str, ...] = (),
    ) -> None:
        sql = self.dialect
        session.run(sql.create_stage(rows.checked.columns, key))
        if rows.checked.rows:
            self._fill(session, sql.stage, claim, rows)
        self._expect(table.ref, rows.checked.rows, session.count(sql.count_stage()), "staged")

    def _take_over(self, session: Session, table: ProjectedTable, claim: PartitionClaim) -> int:
        """How many staged rows lie in other partitions. Those are marked: what they lose may have to come back.

        It has to where we are the older ones. Which we are cannot be told here, as versions are of one partition.
        """
        if claim.window is None:
            return 0
        ((moved, first, last),) = session.rows(self.projections.moved(table, claim.window))
        if moved:
            bounds = [written(_moment(last)), written(_moment(first))]
            session.run(self.projections.make_stale(claim.table.database), claim.table.table, claim.row_id, *bounds)
        return int(moved)

    def _left(self, session: Session, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad) -> Measure:
        """What the partition came to: counted where COPY alone put it in as it is, else summed up as well."""
        sent = rows.checked.measure
        if sent is None or table.mode != "replace_partition" or not self._goes_straight_in(Task.LOAD, rows):
            return self._measured(session, table, claim.window)
        return replace(sent, rows=session.count(self.projections.count(table, claim.window)))

    def _measured(self, session: Session, table: ProjectedTable, window: Window | None) -> Measure:
        ((rows, total),) = session.rows(self.projections.measure(table, window))
        return Measure.of(int(rows), int(total))

    def _record_projection(self, session: Session, claim: PartitionClaim, measure: Measure, changes: Changes) -> None:
        bounds = [written(one) for one in claim.window] if claim.window else ["", ""]
        values: list[Value] = [
            claim.row_id, claim.table.table, claim.partition_key, claim.source, claim.lineage, claim.version,
            claim.snapshot_id, *bounds, measure.rows, measure.low, measure.high, changes.deleted, changes.inserted,
            changes.updated, 0, claim.run_id,
        ]  # fmt: skip
        session.run(self.projections.forget(claim.table.database, by="id"), claim.row_id)
        session.run(self.projections.record(claim.table.database), *values)


def _check_claim(table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad) -> None:
    """What nobody but a programmer gets wrong, told before it deletes what it should not."""
    if claim.table != table.ref:
        raise refuse(f"Projecting {claim.key}: it is claimed for {claim.table}, and was given for {table.ref}.")
    if claim.window is not None and table.partition_column is None:
        raise refuse(f"Projecting {claim.key} into {table.ref}: it has a window, and the table no partition_column.")
    if {column.name for column in rows.checked.columns} != set(table.spec.names):
        raise refuse(
            f"Projecting {claim.key} into {table.ref}: the rows have the columns "
            f"{[column.name for column in rows.checked.columns]}, the table has {[*table.spec.names]}."
        )


def _answer(before: ProjectionRow, claim: PartitionClaim, *, is_again: bool, is_first: bool) -> Projected | None:
    """What there is to say of a partition that is there already; None where it has to be projected all the same."""
    if before.lineage != claim.lineage or before.version < claim.version:
        return None
    # The answer to our own commit may have been lost on the way.
    is_ours = not is_first and (before.run_id, before.version) == (claim.run_id, claim.version)
    if not is_ours and before.version == claim.version and (is_again or before.is_stale):
        return None
    changes = before.changes if is_ours else Changes()
    return Projected(is_ours, changes, before.measure, before.version)


def _check_measure(table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad, found: Measure) -> None:
    """With mode append rows of before stay as they are, so there is nothing to compare with."""
    sent = rows.checked.measure
    if table.mode == "append" or (found == sent if sent else found.rows == rows.checked.rows):
        return
    lie = f" Do all of them lie in {claim.window[0]} to {claim.window[1]}?" if claim.window else ""
    said = (
        f"{rows.checked.rows} rows were sent, {found.rows} are there"
        if found.rows != rows.checked.rows
        else (f"all {found.rows} rows are there, and some with other values")
    )
    raise AccountingError(
        f"Projecting {claim.key} into {table.ref}: {said}.{lie} Nothing was changed; else this is a fault of the "
        "platform or of the database: report it.",
        check="rows_projected",
    )


def _moment(value: datetime | date) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time())
