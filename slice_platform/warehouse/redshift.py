"""Redshift as a destination: a cleaned file and a manifest in S3, COPY into a temporary table, MERGE or INSERT."""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from slice_platform.errors import DestinationBusy
from slice_platform.store import Store
from slice_platform.warehouse.claim import Claim, Counts
from slice_platform.warehouse.clean_rows import CsvStyle, write_csv
from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.destination import Destination, RowsToLoad
from slice_platform.warehouse.drop_path import DestinationName, TableRef
from slice_platform.warehouse.pending import STAGING
from slice_platform.warehouse.postgres_errors import as_ours, said_by, state_of
from slice_platform.warehouse.redshift_sql import MOST_DOCUMENT_BYTES, CopySource, RedshiftDialect
from slice_platform.warehouse.refusal import refuse
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

    def _fill_statement(self, target: str, claim: Claim, rows: RowsToLoad) -> str:
        manifest = self._store.path(f"{_staged(claim)}.manifest")
        return self.dialect.copy_in(target, rows.checked.columns, CopySource(manifest, _null(claim), self._iam_role))

    def _fill(self, session: Session, target: str, claim: Claim, rows: RowsToLoad) -> int:
        place = _staged(claim)
        plain, packed = rows.folder / "rows.csv", rows.folder / "rows.csv.gz"
        write_csv(rows.engine, rows.checked, plain, CsvStyle(null=_null(claim)))
        with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as to:
            shutil.copyfileobj(source, to, 1024**2)
        try:
            self._store.copy_in(str(packed), f"{place}.csv.gz")
            entry = {"url": self._store.path(f"{place}.csv.gz"), "mandatory": True}
            content = {"entries": [{**entry, "meta": {"content_length": packed.stat().st_size}}]}
            self._store.write(f"{place}.manifest", json.dumps(content).encode())
            return session.run(self._fill_statement(target, claim, rows))
        finally:
            self._store.remove(f"{place}.manifest")
            self._store.remove(f"{place}.csv.gz")

    def _record(self, session: Session, claim: Claim, counts: Counts, plan: TablePlan | None) -> None:
        if plan and len(document := spec_document(plan.spec).encode()) > MOST_DOCUMENT_BYTES:
            raise refuse(
                f"The description of {claim.table} has {len(document):,} bytes; Redshift's ledger holds "
                f"{MOST_DOCUMENT_BYTES:,}. Use shorter names."
            )
        super()._record(session, claim, counts, plan)
        found = session.rows(self.dialect.claimants(claim.table.database), claim.id)
        if found != [(claim.run_id,)]:
            raise DestinationBusy(f"Loading {claim.key!r}: another run has booked it meanwhile. Nothing was changed.")

    @contextmanager
    def _transaction(self, ref: TableRef, rows: RowsToLoad | None = None) -> Iterator[Session]:  # noqa: ARG002 -- as it is
        try:
            connection = self._connect()
            try:
                yield RedshiftSession(connection.cursor())
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                connection.close()
        except Exception as error:
            if type(error).__module__.partition(".")[0] not in ("psycopg", "redshift_connector"):
                raise
            raise redshift_error(f"Working on {ref}", error) from error


def redshift_error(doing: str, error: Exception) -> Exception:
    """An error of a driver as ours. That a transaction lost against another is told by the number 1023 in its text."""
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    state, said = details.get("C") or state_of(error), details.get("M") or said_by(error)
    if "1023" in said or "Serializable isolation violation" in said:
        return DestinationBusy(f"{doing} had to give way: {said}. The file stays where it is and is tried again.")
    return as_ours(doing, state, said)


def _null(claim: Claim) -> str:
    """A word that no value of the file is: it is made from the digest of the file."""
    return f"_slice_null_{claim.id}"


def _staged(claim: Claim) -> str:
    """Of one run: another that does the same at the same time has its own."""
    return f"{STAGING}/{claim.id}-{claim.run_id}"


def _spelled(kind: str, length: int | None, precision: int | None, scale: int | None) -> str:
    if kind in _SIZED:
        return f"{kind}({length})"
    return f"{kind}({precision},{scale})" if kind == "numeric" else kind
