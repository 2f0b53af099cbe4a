"""The SQL of a destination, as text: what is run, what `slice propagate check` prints and what tests compare.

Names come from the allow-list of `identifiers` and are quoted all the same; values never stand in a statement, but for
addresses that the platform itself made. The base speaks what Postgres and Redshift have in common.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.table_spec import Column, ForeignKey, TableSpec

LEDGER, PROJECTIONS = "_slice_load_ledger", "_slice_projections"
STAGE = "_stg_rows"
SHORT_WAIT_SECONDS = 3  # of a change of a table for its readers: so long others wait behind it, and no longer
_LEDGER = {
    "id": "id", "object_key": "text", "sha256": "text", "version": "text", "table_name": "text", "task": "text",
    "size_bytes": "number", "rows_read": "number", "rows_set_aside": "number", "rows_inserted": "number",
    "rows_updated": "number", "run_id": "text",
}  # fmt: skip
_OF_SCHEMAS = {"spec": "document", "spec_version": "document_number"}
LEDGER_COLUMNS = tuple(_LEDGER)
_PROJECTIONS = {
    "id": "id", "table_name": "text", "partition_key": "text", "source": "text", "lineage": "text",
    "version": "number", "snapshot_id": "document_number", "window_start": "text", "window_end": "text",
    "row_count": "number", "checksum_low": "number", "checksum_high": "number", "rows_deleted": "number",
    "rows_inserted": "number", "rows_updated": "number", "is_stale": "number", "run_id": "text",
}  # fmt: skip
PROJECTION_COLUMNS = tuple(_PROJECTIONS)


class Dialect(ABC):
    """Statements for tables named by a `TableRef`. Each method gives text; nothing is run here.

    `ledger_types` spells what the columns of the ledger are: id, text, number, document, document_number and moment,
    the last of which is when the row is written.
    """

    ledger_types: Mapping[str, str]

    @abstractmethod
    def in_database(self, database: str, name: str) -> str:
        """The full name of something in a `database=` of a path."""

    @abstractmethod
    def type_of(self, kind: ColumnType) -> str:
        """How the destination spells a type."""

    @abstractmethod
    def lock(self, ref: TableRef) -> str:
        """Wait until nobody else changes the table through us; held to the end of the transaction."""

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def listed(self, names: Iterable[str]) -> str:
        return ", ".join(self.quoted(name) for name in names)

    def table(self, ref: TableRef) -> str:
        return self.in_database(ref.database, ref.table)

    def ledger(self, database: str) -> str:
        return self.in_database(database, LEDGER)

    def projections(self, database: str) -> str:
        return self.in_database(database, PROJECTIONS)

    @property
    def stage(self) -> str:
        return self.quoted(STAGE)

    # Tables

    def create_table(self, ref: TableRef, spec: TableSpec) -> tuple[str, ...]:
        lines = [
            f"{self.quoted(column.name)} {kind}{' NOT NULL' * (column.name in spec.primary_key)}"
            for column, kind in zip(spec.columns, self._types(spec.columns, indexed=spec.keys), strict=True)
        ]
        if spec.primary_key:
            lines.append(f"PRIMARY KEY ({self.listed(spec.primary_key)})")
        lines += [self._foreign_key(ref, key) for key in spec.foreign_keys]
        body = ",\n  ".join(lines)
        return (f"CREATE TABLE {self.table(ref)} (\n  {body}\n){self._table_options(spec)}",)

    def add_columns(self, ref: TableRef, columns: Sequence[Column], beside: Sequence[Column] = ()) -> tuple[str, ...]:
        """`beside` are the columns that are there."""
        kinds = zip(columns, self._types(columns, beside=beside), strict=True)
        return self._alter(ref, [f"ADD COLUMN {self.quoted(column.name)} {kind}" for column, kind in kinds])

    def drop_columns(self, ref: TableRef, names: Iterable[str]) -> tuple[str, ...]:
        return self._alter(ref, [f"DROP COLUMN {self.quoted(name)}" for name in names])

    def short_waits(self) -> tuple[str, ...]:
        """Let a change of a table that waits for its readers give way soon: who comes next queues behind it."""
        return ()

    def _alter(self, ref: TableRef, changes: Sequence[str]) -> tuple[str, ...]:
        """One statement per column, as Redshift wants it."""
        return tuple(f"ALTER TABLE {self.table(ref)} {change}" for change in changes)

    def _types(
        self,
        columns: Sequence[Column],
        *,
        indexed: frozenset[str] = frozenset(),  # noqa: ARG002 -- MySQL asks
        beside: Sequence[Column] = (),  # noqa: ARG002 -- MySQL asks
    ) -> list[str]:
        """Of the columns, in their order; `indexed` are names of those that keys rest on."""
        return [self.type_of(column.type) for column in columns]

    def _foreign_key(self, ref: TableRef, key: ForeignKey) -> str:
        target = self.in_database(ref.database, key.table)
        return f"FOREIGN KEY ({self.listed(key.columns)}) REFERENCES {target} ({self.listed(key.references)})"

    def _table_options(self, spec: TableSpec) -> str:  # noqa: ARG002 -- Redshift has some
        return ""

    # The ledger; values in the order of LEDGER_COLUMNS

    def create_ledger(self, database: str) -> tuple[str, ...]:
        """Make the ledger of files, unless it is there."""
        return self._create_book(self.ledger(database), {**_LEDGER, **_OF_SCHEMAS, "loaded_at": "moment"})

    def create_projections(self, database: str) -> tuple[str, ...]:
        """Make the ledger of projections, one row per partition, unless it is there."""
        return self._create_book(self.projections(database), {**_PROJECTIONS, "projected_at": "moment"})

    def _create_book(self, book: str, columns: Mapping[str, str]) -> tuple[str, ...]:
        body = ",\n  ".join(f"{self.quoted(name)} {self.ledger_types[what]}" for name, what in columns.items())
        return (f"CREATE TABLE IF NOT EXISTS {book} (\n  {body}\n)",)

    def find_claim(self, database: str) -> str:
        """By its id: rows read, set aside, inserted and updated, the object's version, the run, and when."""
        counts = ("rows_read", "rows_set_aside", "rows_inserted", "rows_updated")
        columns = self.listed((*counts, "version", "run_id", "loaded_at"))
        return f"SELECT {columns} FROM {self.ledger(database)} WHERE {self.quoted('id')} = %s"

    def newest_spec(self, database: str) -> str:
        """By the table's name: its description and the number of it."""
        columns = self.listed(("spec", "spec_version"))
        name, version = self.quoted("table_name"), self.quoted("spec_version")
        where = f"{name} = %s AND {version} IS NOT NULL"
        return f"SELECT {columns} FROM {self.ledger(database)} WHERE {where} ORDER BY {version} DESC LIMIT 1"

    def record(self, database: str, *, with_spec: bool) -> str:
        columns = (*_LEDGER, *_OF_SCHEMAS) if with_spec else LEDGER_COLUMNS
        places = ", ".join(["%s"] * len(columns))
        return f"INSERT INTO {self.ledger(database)} ({self.listed(columns)}) VALUES ({places})"

    def forget(self, database: str) -> str:
        """By another id and its own: the row of a file no longer answers for it."""
        one = self.quoted("id")
        return f"UPDATE {self.ledger(database)} SET {one} = %s WHERE {one} = %s"

    # Rows

    def create_stage(self, columns: Sequence[Column], key: Sequence[str] = ()) -> str:  # noqa: ARG002 -- MySQL asks
        """A place for the rows of one file, which nobody else sees and which ends with the session.

        By `key` they are looked for, and no two have the same.
        """
        kinds = zip(columns, self._types(columns), strict=True)
        body = ", ".join(f"{self.quoted(column.name)} {kind}" for column, kind in kinds)
        return f"CREATE TEMPORARY TABLE {self.stage} ({body})"

    def count_stage(self) -> str:
        return f"SELECT count(*) FROM {self.stage}"

    def count_known(self, ref: TableRef, key: Iterable[str]) -> str:
        """How many staged rows have a row of the same key in the table."""
        return f"SELECT count(*) FROM {self.stage} JOIN {self.table(ref)} ON {self._same_key(ref, key)}"

    def some_known(self, ref: TableRef, key: tuple[str, ...]) -> str:
        """The keys of a few of them."""
        names = ", ".join(f"{self.stage}.{self.quoted(name)}" for name in key)
        return f"SELECT {names} FROM {self.stage} JOIN {self.table(ref)} ON {self._same_key(ref, key)} LIMIT 3"

    def insert(self, ref: TableRef, columns: Iterable[Column]) -> str:
        names = self.listed(column.name for column in columns)
        return f"INSERT INTO {self.table(ref)} ({names}) SELECT {names} FROM {self.stage}"

    def merge(self, ref: TableRef, key: tuple[str, ...], columns: tuple[Column, ...]) -> str:
        """Rows of a known key get what the file has for them and keep the rest; the others are inserted."""
        table, names = self.table(ref), [column.name for column in columns]
        changed = [name for name in names if name not in key] or [key[0]]  # MERGE wants both branches on Redshift
        sets = ", ".join(f"{self.quoted(name)} = {self.stage}.{self.quoted(name)}" for name in changed)
        values = ", ".join(f"{self.stage}.{self.quoted(name)}" for name in names)
        return (
            f"MERGE INTO {table} USING {self.stage} ON {self._same_key(ref, key)}\n"
            f"WHEN MATCHED THEN UPDATE SET {sets}\n"
            f"WHEN NOT MATCHED THEN INSERT ({self.listed(names)}) VALUES ({values})"
        )

    def _same_key(self, ref: TableRef, key: Iterable[str]) -> str:
        pairs = (f"{self.table(ref)}.{self.quoted(name)} = {self.stage}.{self.quoted(name)}" for name in key)
        return " AND ".join(pairs)
