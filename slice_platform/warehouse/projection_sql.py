"""The SQL of projections: partitions that come and go, and the ledger that knows them. Text alone; nothing is run here.

The base speaks what Postgres and Redshift have in common. The bounds of a window stand in a statement as literals: they
are moments of our own making.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from slice_platform.warehouse.checksum import checksum
from slice_platform.warehouse.checksum_spelling import MySqlSpelling, RedshiftSpelling, Spelling
from slice_platform.warehouse.column_type import Kind
from slice_platform.warehouse.dialect import PROJECTION_COLUMNS, Dialect
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.projection import ProjectedTable, Window
from slice_platform.warehouse.projection_spec import MOST_PREFIX, index_name
from slice_platform.warehouse.table_spec import Column

_READ = (
    "partition_key", "source", "lineage", "version", "snapshot_id", "row_count", "checksum_low", "checksum_high",
    "rows_deleted", "rows_inserted", "rows_updated", "is_stale", "run_id", "projected_at",
)  # fmt: skip


class ProjectionSql:
    """Statements for projected tables in the words of a dialect."""

    spelling: Spelling = Spelling()

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    # The ledger

    def recorded(self, database: str, *, by: str) -> str:
        """By a table's name, or by the id of a partition: what the ledger has."""
        d = self._dialect
        return f"SELECT {d.listed(_READ)} FROM {d.projections(database)} WHERE {d.quoted(by)} = %s"

    def count_recorded(self, database: str) -> str:
        """By a table's name: how many partitions of it were projected."""
        d = self._dialect
        return f"SELECT count(*) FROM {d.projections(database)} WHERE {d.quoted('table_name')} = %s"

    def forget(self, database: str, *, by: str) -> str:
        """By a table's name, or by the id of a partition."""
        d = self._dialect
        return f"DELETE FROM {d.projections(database)} WHERE {d.quoted(by)} = %s"

    def record(self, database: str) -> str:
        """By values in the order of PROJECTION_COLUMNS."""
        d, places = self._dialect, ", ".join(["%s"] * len(PROJECTION_COLUMNS))
        return f"INSERT INTO {d.projections(database)} ({d.listed(PROJECTION_COLUMNS)}) VALUES ({places})"

    def claimants(self, database: str) -> str:
        """By a partition's id, the runs that say they wrote it: one, unless two could not see each other."""
        d = self._dialect
        return f"SELECT {d.quoted('run_id')} FROM {d.projections(database)} WHERE {d.quoted('id')} = %s"

    def make_stale(self, database: str) -> str:
        """By a table's name, the id of a partition, and two moments: others that lie about there lack rows now."""
        q, book = self._dialect.quoted, self._dialect.projections(database)
        return (
            f"UPDATE {book} SET {q('is_stale')} = 1 WHERE {q('table_name')} = %s AND {q('id')} <> %s\n"
            f"AND {q('window_start')} <= %s AND {q('window_end')} > %s"
        )

    # Rows

    def within(self, table: ProjectedTable, window: Window | None) -> str:
        """True of the rows of the window; empty where that is all rows."""
        if window is None or table.partition_column is None:
            return ""
        name, (first, last) = self._dialect.quoted(table.partition_column), window
        return f"{name} >= {self._moment(table, first)} AND {name} < {self._moment(table, last)}"

    def any_row(self, ref: TableRef) -> str:
        d = self._dialect
        return f"SELECT count(*) FROM (SELECT 1 AS {d.quoted('one')} FROM {d.table(ref)} LIMIT 1) AS {d.quoted('some')}"

    def delete(self, table: ProjectedTable, window: Window | None) -> str:
        return f"DELETE FROM {self._dialect.table(table.ref)}{_where(self.within(table, window))}"

    def clear(self, ref: TableRef, columns: tuple[str, ...]) -> str:
        """Rows have NULL in the columns; those that have already are not touched."""
        d = self._dialect
        sets = ", ".join(f"{d.quoted(name)} = NULL" for name in columns)
        filled = " OR ".join(f"{d.quoted(name)} IS NOT NULL" for name in columns)
        return f"UPDATE {d.table(ref)} SET {sets} WHERE {filled}"

    def delete_gone(self, table: ProjectedTable, window: Window | None) -> str:
        """Rows of the window whose key is not staged."""
        known = f"NOT EXISTS (SELECT 1 FROM {self._dialect.stage} WHERE {self._same_key(table)})"
        return f"DELETE FROM {self._dialect.table(table.ref)}{_where(self.within(table, window), known)}"

    def moved(self, table: ProjectedTable, window: Window) -> str:
        """Rows that are staged and lie in another partition: how many, and the first and the last moment of it."""
        d = self._dialect
        name = f"{d.table(table.ref)}.{d.quoted(table.partition_column or '')}"
        outside = f"({name} < {self._moment(table, window[0])} OR {name} >= {self._moment(table, window[1])})"
        return (
            f"SELECT count(*), min({name}), max({name}) FROM {d.stage} JOIN {d.table(table.ref)} "
            f"ON {self._same_key(table)} WHERE {outside}"
        )

    def update_changed(self, table: ProjectedTable) -> str:
        """Rows whose key is staged get what is staged, where that is something else."""
        sets = ", ".join(f"{self._dialect.quoted(name)} = {self._staged(name)}" for name in table.spec.names)
        return (
            f"UPDATE {self._dialect.table(table.ref)} SET {sets} FROM {self._dialect.stage}\n"
            f"WHERE {self._same_key(table)} AND ({self._differs(table)})"
        )

    def insert_new(self, table: ProjectedTable) -> str:
        """Rows whose key is not in the table."""
        d, names = self._dialect, table.spec.names
        return (
            f"INSERT INTO {d.table(table.ref)} ({d.listed(names)}) SELECT {', '.join(map(self._staged, names))}\n"
            f"FROM {d.stage} WHERE NOT EXISTS (SELECT 1 FROM {d.table(table.ref)} WHERE {self._same_key(table)})"
        )

    def measure(self, table: ProjectedTable, window: Window | None) -> str:
        """How many rows of the window there are, and their checksum."""
        total = checksum(self.spelling, [(self._dialect.quoted(one.name), one.type) for one in table.spec.columns])
        where = _where(self.within(table, window))
        return f"SELECT count(*), {total}\nFROM {self._dialect.table(table.ref)}{where}"

    def count(self, table: ProjectedTable, window: Window | None) -> str:
        """How many rows of the window there are."""
        return f"SELECT count(*)\nFROM {self._dialect.table(table.ref)}{_where(self.within(table, window))}"

    # Indexes

    def index_names(self, ref: TableRef) -> str | None:
        """Of those that the table has; None where there are no indexes."""
        return f"SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename = '{ref.table}'"

    def create_index(self, table: ProjectedTable, columns: tuple[str, ...]) -> str:
        d = self._dialect
        name, parts = index_name(table.ref, columns), ", ".join(map(d.quoted, columns))
        return f"CREATE INDEX IF NOT EXISTS {d.quoted(name)} ON {d.table(table.ref)} ({parts})"

    def _moment(self, table: ProjectedTable, moment: datetime) -> str:
        is_zoned = _column(table, table.partition_column or "").type.kind is Kind.TIMESTAMPTZ
        return f"TIMESTAMPTZ '{written(moment)}+00'" if is_zoned else f"TIMESTAMP '{written(moment)}'"

    def _staged(self, name: str) -> str:
        return f"{self._dialect.stage}.{self._dialect.quoted(name)}"

    def _in_table(self, table: ProjectedTable, name: str) -> str:
        return f"{self._dialect.table(table.ref)}.{self._dialect.quoted(name)}"

    def _same_key(self, table: ProjectedTable) -> str:
        return " AND ".join(f"{self._in_table(table, name)} = {self._staged(name)}" for name in table.spec.primary_key)

    def _differs(self, table: ProjectedTable) -> str:
        pairs = [(self._in_table(table, name), self._staged(name)) for name in table.spec.names]
        return " OR ".join(f"{ours} IS DISTINCT FROM {theirs}" for ours, theirs in pairs)


class RedshiftProjectionSql(ProjectionSql):
    """No IS DISTINCT FROM there, text that compares alike whatever blanks end it, and documents that do not compare."""

    spelling: Spelling = RedshiftSpelling()

    def index_names(self, ref: TableRef) -> str | None:  # noqa: ARG002 -- there are none
        return None

    def _differs(self, table: ProjectedTable) -> str:
        """A row with a document always does."""
        if any(column.type.kind is Kind.SUPER for column in table.spec.columns):
            return "1 = 1"
        return " OR ".join(part for column in table.spec.columns for part in self._differences(table, column))

    def _differences(self, table: ProjectedTable, column: Column) -> Iterable[str]:
        ours, theirs = self._in_table(table, column.name), self._staged(column.name)
        yield f"{ours} <> {theirs}"
        if column.type.length is not None:
            yield f"OCTET_LENGTH({ours}) <> OCTET_LENGTH({theirs})"
        if column.name not in table.spec.primary_key:
            yield f"({ours} IS NULL AND {theirs} IS NOT NULL)"
            yield f"({ours} IS NOT NULL AND {theirs} IS NULL)"


class MySqlProjectionSql(ProjectionSql):
    spelling: Spelling = MySqlSpelling()

    def update_changed(self, table: ProjectedTable) -> str:
        pairs = [(self._in_table(table, name), self._staged(name)) for name in table.spec.names]
        sets = ", ".join(f"{ours} = {theirs}" for ours, theirs in pairs)
        same = " AND ".join(f"{ours} <=> {theirs}" for ours, theirs in pairs)
        return (
            f"UPDATE {self._dialect.table(table.ref)} JOIN {self._dialect.stage} ON {self._same_key(table)}\n"
            f"SET {sets} WHERE NOT ({same})"
        )

    def index_names(self, ref: TableRef) -> str | None:
        return (
            "SELECT DISTINCT index_name FROM information_schema.statistics\n"
            f"WHERE table_schema = '{ref.database}' AND table_name = '{ref.table}'"
        )

    def create_index(self, table: ProjectedTable, columns: tuple[str, ...]) -> str:
        """Of text the first characters, as TEXT cannot be in an index as a whole."""
        d = self._dialect
        parts = []
        for name in columns:
            length = _column(table, name).type.length
            parts.append(d.quoted(name) + (f"({min(length, MOST_PREFIX)})" if length is not None else ""))
        return f"CREATE INDEX {d.quoted(index_name(table.ref, columns))} ON {d.table(table.ref)} ({', '.join(parts)})"

    def _moment(self, table: ProjectedTable, moment: datetime) -> str:  # noqa: ARG002 -- all moments are in UTC there
        return f"TIMESTAMP '{written(moment)}'"


def written(moment: datetime) -> str:
    """A moment in UTC, of as many characters as any other: texts compare as moments do."""
    in_utc = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return in_utc.isoformat(" ", "microseconds")


def _where(*conditions: str) -> str:
    """Of those that say something."""
    said: Sequence[str] = [one for one in conditions if one]
    return f" WHERE {' AND '.join(said)}" if said else ""


def _column(table: ProjectedTable, name: str) -> Column:
    return next(column for column in table.spec.columns if column.name == name)
