"""The ledger's tables, and how those of an earlier release are brought up to date."""

from datetime import UTC, datetime

import sqlalchemy as sa


class SafeText(sa.types.TypeDecorator[str]):
    """Text that may quote a file: what Postgres refuses, NUL and lone surrogates, is kept as an escape."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002 -- of SQLAlchemy
        if value is None:
            return None
        return value.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


class Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone; what was stored is UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 -- of SQLAlchemy
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


metadata = sa.MetaData()
_utc = sa.DateTime(timezone=True)

files = sa.Table(
    "files",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("dataset", sa.String(200), nullable=False),
    sa.Column("source_key", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("plain_bytes", sa.BigInteger, nullable=False, default=0),
    sa.Column("sha256", sa.String(64)),
    sa.Column("received_at", _utc, nullable=False),
    sa.Column("raw_key", sa.Text),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("left_landing", sa.Boolean, nullable=False, default=False),
    sa.Column("rows_read", sa.BigInteger, nullable=False, default=0),
    sa.Column("rows_published", sa.BigInteger, nullable=False, default=0),
    sa.Column("rows_duplicate", sa.BigInteger, nullable=False, default=0),
    sa.Column("rows_rejected", sa.BigInteger, nullable=False, default=0),
    sa.Column("error", SafeText),
    sa.Column("repeat_of", sa.Integer),
    sa.Column("superseded_by", sa.Integer),
    sa.Column("read_as", sa.String(16)),  # what its reading rested on: columns, rules, file spec
    sa.Index("files_by_name", "dataset", "source_key"),
    sa.Index("files_by_status", "dataset", "status"),
    sa.Index("files_in_landing", "dataset", "left_landing"),
    sqlite_autoincrement=True,  # ids are never reused, not even after a deleted row: the order rests on them
)
file_partitions = sa.Table(
    "file_partitions",
    metadata,
    sa.Column("file_id", sa.Integer, primary_key=True),
    sa.Column("partition_key", sa.String(40), primary_key=True),
    sa.Index("files_by_partition", "partition_key"),
)
# (a, b): at some commit a row of file a lost against a row of file b. Where b is withdrawn, a's rows may come back.
hidden_rows = sa.Table(
    "hidden_rows",
    metadata,
    sa.Column("file_id", sa.Integer, primary_key=True),
    sa.Column("by_file_id", sa.Integer, primary_key=True),
    sa.Index("hidden_rows_by", "by_file_id"),
)
batches = sa.Table(
    "batches",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("dataset", sa.String(200), nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("opened_at", _utc, nullable=False),
    sa.Column("receipt", sa.Text),
    sa.Column("snapshot_id", sa.BigInteger),
    sa.Index("batches_by_state", "dataset", "state"),
)
partitions = sa.Table(
    "partitions",
    metadata,
    sa.Column("dataset", sa.String(200), primary_key=True),
    sa.Column("partition_key", sa.String(40), primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("data_files", sa.Integer, nullable=False),
    sa.Column("updated_at", _utc, nullable=False),
)
# Of tables that are made from others, business tables and projections: what each partition was made from.
built_partitions = sa.Table(
    "built_partitions",
    metadata,
    sa.Column("target", sa.String(200), primary_key=True),
    sa.Column("partition_key", sa.String(40), primary_key=True),
    sa.Column("inputs", sa.Text, nullable=False),  # JSON: input -> digest of the versions it had
    sa.Column("built_at", _utc, nullable=False),
)


def add_missing_columns(engine: sa.Engine) -> None:
    """Bring a ledger that an earlier release made up to date: it gains the optional columns it lacks."""
    inspector = sa.inspect(engine)
    for table in metadata.sorted_tables:
        there = {column["name"] for column in inspector.get_columns(table.name)}
        for column in table.columns:
            if column.name not in there:
                kind = column.type.compile(engine.dialect)
                with engine.begin() as connection:
                    connection.execute(sa.text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"))
