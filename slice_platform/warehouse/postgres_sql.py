"""The SQL of Postgres, 15 or newer: a `database=` is a database, its tables lie in the schema public."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from slice_platform.warehouse.column_type import ColumnType, Kind
from slice_platform.warehouse.dialect import SHORT_WAIT_SECONDS, Dialect
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.table_spec import Column

SCHEMA = "public"
_CATALOG_NAMES = {
    Kind.DECIMAL: "numeric", Kind.VARCHAR: "character varying", Kind.CHAR: "character", Kind.SUPER: "jsonb",
    Kind.TIMESTAMP: "timestamp without time zone", Kind.TIMESTAMPTZ: "timestamp with time zone",
}  # fmt: skip


class PostgresDialect(Dialect):
    ledger_types = MappingProxyType(
        {
            "id": "TEXT PRIMARY KEY",
            "text": "TEXT NOT NULL",
            "number": "BIGINT NOT NULL",
            "document": "TEXT",
            "document_number": "BIGINT",
            "moment": "TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()",
        }
    )

    def in_database(self, database: str, name: str) -> str:  # noqa: ARG002 -- the connection is to it
        return f"{self.quoted(SCHEMA)}.{self.quoted(name)}"

    def type_of(self, kind: ColumnType) -> str:
        return "JSONB" if kind.kind is Kind.SUPER else str(kind)

    def catalog_type(self, kind: ColumnType) -> str:
        """As `format_type` spells it."""
        name = _CATALOG_NAMES.get(kind.kind, kind.kind.value.lower())
        return name + str(kind).lower().removeprefix(kind.kind.value.lower())

    def lock(self, ref: TableRef) -> str:
        """By a number that the name gives: the table need not exist yet."""
        return f"SELECT pg_advisory_xact_lock(hashtextextended('{ref}', 0))"

    def short_waits(self) -> tuple[str, ...]:
        return (f"SET LOCAL lock_timeout = '{SHORT_WAIT_SECONDS}s'",)

    def _create_book(self, book: str, columns: Mapping[str, str]) -> tuple[str, ...]:
        # Two that create one table at a time fail in the catalog, IF NOT EXISTS or not.
        return (
            "SELECT pg_advisory_xact_lock(hashtextextended('slice ledger', 0))",
            *super()._create_book(book, columns),
        )

    def create_stage(self, columns: Sequence[Column], key: Sequence[str] = ()) -> str:
        return f"{super().create_stage(columns, key)} ON COMMIT DROP"

    def has_ledger(self, database: str) -> str:
        return f"SELECT count(*) FROM pg_class WHERE oid = to_regclass('{self.ledger(database)}')"

    def columns_of(self) -> str:
        """By the table's name: its columns and their types; nothing where there is no such table."""
        return (
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a\n"
            "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace\n"
            f"WHERE n.nspname = '{SCHEMA}' AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped\n"
            "ORDER BY a.attnum"
        )

    def key_of(self) -> str:
        """By the table's name: the columns of its primary key."""
        return (
            "SELECT a.attname FROM pg_constraint k\n"
            "JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace\n"
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)\n"
            f"WHERE n.nspname = '{SCHEMA}' AND c.relname = %s AND k.contype = 'p'"
        )

    def copy_in(self, target: str, columns: tuple[Column, ...], *, has_header: bool) -> str:
        names = self.listed(column.name for column in columns)
        return f"COPY {target} ({names}) FROM STDIN WITH (FORMAT csv, HEADER {str(has_header).lower()})"

    def copy_arrow(self, target: str, columns: tuple[Column, ...]) -> str:
        """What ADBC runs by itself."""
        names = self.listed(column.name for column in columns)
        return f"COPY {target} ({names}) FROM STDIN WITH (FORMAT binary)"
