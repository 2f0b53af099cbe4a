"""Redshift as a destination: a cleaned file and a manifest in S3, COPY into a temporary table, MERGE or INSERT."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from slice_platform.errors import DestinationBusy
from slice_platform.store import Store
from slice_platform.warehouse.checksum import Measure
from slice_platform.warehouse.claim import Applied, Claim, Counts, KnownTable, Load
from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.destination import Destination
from slice_platform.warehouse.drop_path import DestinationName, TableRef
from slice_platform.warehouse.projection import Changes, PartitionClaim, Projected, ProjectedTable
from slice_platform.warehouse.projection_sql import RedshiftProjectionSql
from slice_platform.warehouse.redshift_errors import RowsRefused, is_of_redshift, redshift_error
from slice_platform.warehouse.redshift_sql import MOST_DOCUMENT_BYTES, CopySource, RedshiftDialect
from slice_platform.warehouse.redshift_staging import Staging, remove_stale
from slice_platform.warehouse.refusal import FileRefused, refuse
from slice_platform.warehouse.rows_to_load import RowsToLoad
from slice_platform.warehouse.schema_work import TablePlan
from slice_platform.warehouse.session import Session, Value
from slice_platform.warehouse.table_spec import spec_document

Connect = Callable[[], Any]  # a connection of the DB API with %s for values, in a transaction
_SIZED = ("character varying", "character")


class RedshiftSession(Session):
    def __init__(self, cursor: Any) -> None:
        super().__init__()
        self._cursor = cursor

    def _run(self, statement: str, values: tuple[Value, ...]) -> int:
        self._cursor.execute(statement, values or None)
        return int(self._cursor.rowcount)

    def _rows(self, statement: str, values: tuple[Value, ...]) -> list[tuple[Any, ...]]:
        self._cursor.execute(statement, values or None)
        return [tuple(row) for row in self._cursor.fetchall()]


class RedshiftDestination(Destination):
    """The schemas of one database. Files on the way lie below `_staging/` of `store`, where COPY has to reach them."""

    name: DestinationName = "redshift"

    def __init__(
        self, connect: Connect, store: Store, *, iam_role: str | None, label: str = "redshift", **options: Any
    ) -> None:
        super().__init__(**options)
        self.dialect: RedshiftDialect = RedshiftDialect()
        self.projections: RedshiftProjectionSql = RedshiftProjectionSql(self.dialect)
        self._connect, self._store, self._iam_role, self._label = connect, store, iam_role, label

    @property
    def label(self) -> str:
        return self._label

    def catalog_type(self, kind: ColumnType) -> str:
        return self.dialect.catalog_type(kind)

    def _is_ledger_there(self, session: Session, database: str) -> bool:
        return bool(session.count(self.dialect.has_ledger(), database))

    def _actual_columns(self, session: Session, ref: TableRef) -> dict[str, str] | None:
        rows = session.rows(self.dialect.columns_of(), ref.database, ref.table)
        return {name: _spelled(kind, length, precision, scale) for name, kind, length, precision, scale in rows} or None

    def load(self, claim: Claim, rows: RowsToLoad) -> Applied:
        """As of every destination. What takes long by itself, the way to S3, is done before anything is locked."""
        with self._in_s3(claim, rows):
            return super().load(claim, rows)

    def project(
        self, table: ProjectedTable, claim: PartitionClaim, rows: RowsToLoad, *, again: bool = False
    ) -> Projected:
        """As of every destination, and the way to S3 as with `load`."""
        with self._in_s3(claim, rows):
            return super().project(table, claim, rows, again=again)

    @contextmanager
    def _in_s3(self, claim: Load, rows: RowsToLoad) -> Iterator[None]:
        """The rows are where COPY reaches them. Those that it refuses are told.

        Raises:
            FileRefused: it refused some.
        """
        staging = Staging(self._store, claim)
        remove_stale(self._store, datetime.now(UTC))
        with staging.filled(rows):
            try:
                yield
            except RowsRefused as refused:
                findings = staging.findings(rows, self._load_errors(claim.table, staging.rows))
                raise FileRefused(*findings or refused.findings) from refused

    def _load_errors(self, ref: TableRef, address: str) -> list[tuple[Any, ...]]:
        """What a COPY that failed noted of a file; nothing where neither view is there, or none shows it."""
        for statement in self.dialect.load_errors():
            try:
                with self._transaction(ref) as session:
                    if found := session.rows(statement, address):
                        return found
            except FileRefused:
                continue  # no such view: older clusters have the second alone, serverless the first
        return []

    def _check_unchanged(self, session: Session, ref: TableRef, known: KnownTable) -> None:
        super()._check_unchanged(session, ref, known)
        session.run(self.dialect.hold(ref.database), ref.table, known.version)

    def _fill_statement(self, target: str, claim: Load, rows: RowsToLoad) -> str:
        staging = Staging(self._store, claim)
        return self.dialect.copy_in(
            target, rows.checked.columns, CopySource(staging.manifest, staging.null, self._iam_role)
        )

    def _fill(self, session: Session, target: str, claim: Load, rows: RowsToLoad) -> int:
        return session.run(self._fill_statement(target, claim, rows))

    def _record(self, session: Session, claim: Claim, counts: Counts, plan: TablePlan | None) -> None:
        if plan and len(document := spec_document(plan.spec).encode()) > MOST_DOCUMENT_BYTES:
            raise refuse(
                f"The description of {claim.table} has {len(document):,} bytes; Redshift's ledger holds "
                f"{MOST_DOCUMENT_BYTES:,}. Use shorter names."
            )
        super()._record(session, claim, counts, plan)
        _check_alone(claim, session.rows(self.dialect.claimants(claim.table.database), claim.id))

    def _record_projection(self, session: Session, claim: PartitionClaim, measure: Measure, changes: Changes) -> None:
        super()._record_projection(session, claim, measure, changes)
        _check_alone(claim, session.rows(self.projections.claimants(claim.table.database), claim.row_id))

    @contextmanager
    def _transaction(self, ref: TableRef, rows: RowsToLoad | None = None) -> Iterator[Session]:  # noqa: ARG002 -- as it is
        try:
            connection = self._connect()
            try:
                yield RedshiftSession(connection.cursor())
                connection.commit()
            except BaseException:
                with suppress(Exception):  # of a connection that broke; what broke it is told
                    connection.rollback()
                raise
            finally:
                with suppress(Exception):  # as above
                    connection.close()
        except Exception as error:
            if not is_of_redshift(error):
                raise
            raise redshift_error(f"Working on {ref}", error) from error


def _check_alone(claim: Load, found: list[tuple[Any, ...]]) -> None:
    """Ours is the one row of the claim; else two could not see each other, and one has to give way.

    Raises:
        DestinationBusy: it is not.
    """
    if found != [(claim.run_id,)]:
        raise DestinationBusy(f"Loading {claim.key!r}: another run has booked it meanwhile. Nothing was changed.")


def _spelled(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    if kind in _SIZED:
        return f"{kind}({length})"
    return f"{kind}({precision},{scale})" if kind == "numeric" else kind
