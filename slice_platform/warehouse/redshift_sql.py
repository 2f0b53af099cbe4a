"""The SQL of Redshift: a `database=` is a schema of the database that the connection is to.

Keys are not enforced there, so nothing here relies on them: loads of one schema take turns by a lock of its ledger, all
loads of a table change one row of it, and the ledger row is only written where there is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from slice_platform.warehouse.column_type import ColumnType, Kind
from slice_platform.warehouse.dialect import LEDGER_COLUMNS, Dialect
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.table_spec import Column, TableSpec

MOST_DOCUMENT_BYTES = 65_535
MOST_LOAD_ERRORS = 20
_TEXT = "VARCHAR(1024)"
_NUMBERS = ("size_bytes", "rows_read", "rows_set_aside", "rows_inserted", "rows_updated", "spec_version")
# Of the ledger's columns; a value bare in a SELECT has no type on Redshift, and cannot be converted to one.
_BOUND_AS = {"id": "CHAR(32)", "spec": f"VARCHAR({MOST_DOCUMENT_BYTES})", **dict.fromkeys(_NUMBERS, "BIGINT")}
_CATALOG_NAMES = {
    Kind.DECIMAL: "numeric", Kind.VARCHAR: "character varying", Kind.CHAR: "character",
    Kind.TIMESTAMP: "timestamp without time zone", Kind.TIMESTAMPTZ: "timestamp with time zone",
}  # fmt: skip


@dataclass(frozen=True)
class CopySource:
    """What COPY reads. All of it is ours: addresses, the setting of a role, and the word that stands for NULL."""

    manifest: str
    null: str
    iam_role: str | None = None  # None: the cluster's own


class RedshiftDialect(Dialect):
    ledger_types = MappingProxyType(
        {
            "id": "CHAR(32) NOT NULL",
            "text": f"{_TEXT} NOT NULL",
            "number": "BIGINT NOT NULL",
            "document": f"VARCHAR({MOST_DOCUMENT_BYTES})",
            "document_number": "BIGINT",
            "moment": "TIMESTAMP NOT NULL DEFAULT SYSDATE",  # GETDATE() has whole seconds
        }
    )

    def in_database(self, database: str, name: str) -> str:
        return f"{self.quoted(database)}.{self.quoted(name)}"

    def type_of(self, kind: ColumnType) -> str:
        return str(kind)

    def catalog_type(self, kind: ColumnType) -> str:
        """As `columns_of` spells it."""
        name = _CATALOG_NAMES.get(kind.kind, kind.kind.value.lower())
        return name + str(kind).lower().removeprefix(kind.kind.value.lower())

    def lock(self, ref: TableRef) -> str:
        """The first statement of a transaction: only what is read behind it is read as it is then."""
        return f"LOCK TABLE {self.ledger(ref.database)}"

    def has_ledger(self) -> str:
        return (
            "SELECT count(*) FROM information_schema.tables "
            "WHERE table_schema = %s AND table_name = '_slice_load_ledger'"
        )

    def columns_of(self) -> str:
        """By schema and table: columns and their types; nothing where there is no such table."""
        return (
            "SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale\n"
            "FROM information_schema.columns WHERE table_schema = %s AND table_name = %s ORDER BY ordinal_position"
        )

    def _create_book(self, book: str, columns: Mapping[str, str]) -> tuple[str, ...]:
        (statement,) = super()._create_book(book, columns)
        return (f"{statement} DISTSTYLE ALL SORTKEY({self.quoted('table_name')})",)

    def record(self, database: str, *, with_spec: bool) -> str:
        """Guarded: it writes no second row for a file that it sees booked."""
        columns = (*LEDGER_COLUMNS, "spec", "spec_version") if with_spec else LEDGER_COLUMNS
        places = ", ".join(f"CAST(%s AS {_BOUND_AS.get(name, _TEXT)}) AS {self.quoted(name)}" for name in columns)
        ledger, names, one = self.ledger(database), self.listed(columns), self.quoted("id")
        return (
            f"INSERT INTO {ledger} ({names})\nSELECT {names} FROM (SELECT {places}) AS claim\n"
            f"WHERE NOT EXISTS (SELECT 1 FROM {ledger} AS known WHERE known.{one} = claim.{one})"
        )

    def hold(self, database: str) -> str:
        """By a table's name and the number of its description: change that row, and nothing in it.

        Two transactions cannot both change a row that each saw as it was before: without the lock, one has to give way.
        """
        version = self.quoted("spec_version")
        where = f"{self.quoted('table_name')} = %s AND {version} = %s"
        return f"UPDATE {self.ledger(database)} SET {version} = {version} WHERE {where}"

    def claimants(self, database: str) -> str:
        """The runs that have booked a file, by its id: one, unless two could not see each other."""
        return f"SELECT {self.quoted('run_id')} FROM {self.ledger(database)} WHERE {self.quoted('id')} = %s"

    def copy_in(self, target: str, columns: tuple[Column, ...], source: "CopySource") -> str:
        """COPY of one file by its manifest. Without one the address would be a prefix, and take others as well.

        Every value stands in quotes and NULL is a word of ours, so that an empty text stays one.
        """
        role = f"'{source.iam_role}'" if source.iam_role else "default"
        names = self.listed(column.name for column in columns)
        return (
            f"COPY {target} ({names}) FROM '{source.manifest}' IAM_ROLE {role} MANIFEST GZIP FORMAT AS CSV\n"
            f"NULL AS '{source.null}' DATEFORMAT 'YYYY-MM-DD' TIMEFORMAT 'auto' ENCODING AS UTF8 MAXERROR 0 "
            "COMPUPDATE OFF"
        )

    def load_errors(self) -> tuple[str, ...]:
        """By the address of a file: lines, columns and reasons of a COPY that failed. The newer view, then the older.

        Not by the id of the query: pg_last_copy_id() forgets it with the transaction, and the address is of one run.
        """
        views = (
            ("sys_load_error_detail", "file_name", "column_name, error_message"),
            ("stl_load_errors", "filename", "colname, err_reason"),
        )
        return tuple(
            f"SELECT line_number, {columns} FROM {view}\n"
            f"WHERE {file} = CAST(%s AS CHAR(256)) ORDER BY line_number LIMIT {MOST_LOAD_ERRORS}"
            for view, file, columns in views
        )

    def _table_options(self, spec: TableSpec) -> str:
        assert spec.dist_key is not None
        return f" DISTSTYLE KEY DISTKEY({self.quoted(spec.dist_key)}) COMPOUND SORTKEY({self.listed(spec.sort_key)})"
