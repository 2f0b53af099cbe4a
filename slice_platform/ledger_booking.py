"""What a committed batch changes in the ledger: accounts, withdrawals, and whose rows hid whose."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from slice_platform.ledger_tables import built_partitions, file_partitions, files, hidden_rows
from slice_platform.records import BuiltPartition, FileAccount, FileStatus, Withdrawal


def book_file(connection: sa.Connection, account: FileAccount) -> None:
    _hand_on_hidden(connection, account.file_id)
    connection.execute(
        files.update()
        .where(files.c.id == account.file_id)
        .values(
            status=FileStatus.PUBLISHED if account.superseded_by is None else FileStatus.SUPERSEDED,
            superseded_by=account.superseded_by,
            error=None,
            read_as=account.read_as,
            rows_read=account.read,
            rows_published=account.published,
            rows_duplicate=account.duplicate,
            rows_rejected=account.rejected,
            plain_bytes=account.plain_bytes,
        )
    )
    connection.execute(file_partitions.delete().where(file_partitions.c.file_id == account.file_id))
    if account.partitions:
        connection.execute(
            file_partitions.insert(),
            [{"file_id": account.file_id, "partition_key": key} for key in account.partitions],
        )


def move_to_duplicate(connection: sa.Connection, file_id: int, rows: int) -> None:
    counts = {"rows_published": files.c.rows_published - rows, "rows_duplicate": files.c.rows_duplicate + rows}
    connection.execute(files.update().where(files.c.id == file_id).values(**counts))


def book_withdrawal(connection: sa.Connection, withdrawal: Withdrawal) -> None:
    now = {"status": withdrawal.status, "superseded_by": withdrawal.superseded_by}
    counts = {"rows_published": 0, "rows_duplicate": files.c.rows_duplicate + files.c.rows_published}
    connection.execute(files.update().where(files.c.id == withdrawal.file_id).values(**now, **counts))


def book_built(connection: sa.Connection, target: str, built: Iterable[BuiltPartition]) -> None:
    """The partitions are what their inputs gave; what was known of them before is replaced."""
    now = datetime.now(UTC)
    for one in built:
        here = (built_partitions.c.target == target, built_partitions.c.partition_key == one.partition_key)
        connection.execute(built_partitions.delete().where(*here))
        values = {"target": target, "partition_key": one.partition_key, "built_at": now}
        connection.execute(built_partitions.insert().values(**values, inputs=json.dumps(one.inputs, sort_keys=True)))


def note_hidden(connection: sa.Connection, pairs: Iterable[tuple[int, int]]) -> None:
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"file_id": file_id, "by_file_id": by_file_id} for file_id, by_file_id in pairs]
    if rows:
        connection.execute(insert(hidden_rows).on_conflict_do_nothing(), rows)


def _hand_on_hidden(connection: sa.Connection, file_id: int) -> None:
    """A file is read anew and may no longer hold what hid a row: whatever hides the file may hide that row, too."""
    lower, upper = hidden_rows.alias(), hidden_rows.alias()
    pairs = sa.select(lower.c.file_id, upper.c.by_file_id).where(
        lower.c.by_file_id == file_id, upper.c.file_id == file_id, lower.c.file_id != upper.c.by_file_id
    )
    note_hidden(connection, [(row.file_id, row.by_file_id) for row in connection.execute(pairs)])
