"""How far each source was read: a table beside the ledger, written once the file of it lies in landing.

A crash in between leaves the earlier position: the same rows are sent once more, and the merge of the dataset takes
them for what they are.
"""

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from slice_platform.metadata_db import MetadataDb

_metadata = sa.MetaData()
source_cursors = sa.Table(
    "source_cursors",
    _metadata,
    sa.Column("dataset", sa.String(200), primary_key=True),
    sa.Column("source", sa.String(64), nullable=False),  # fingerprint of what is read: another one begins anew
    sa.Column("high", sa.Text, nullable=False),  # greatest value that was sent, ISO 8601 or a whole number
    sa.Column("tail", sa.Text, nullable=False),  # fingerprint of the rows that the next overlap reads again
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True)
class Position:
    """Where the reading of a source stands."""

    source: str
    high: str
    tail: str
    file: str


class SourceCursors:
    """The positions of all sources, in the database that the ledger lies in; safe for several processes."""

    def __init__(self, url: str, *, lock_dir: Path, lock_timeout_seconds: float) -> None:
        self._lock_timeout_seconds = lock_timeout_seconds
        self._db = MetadataDb(url, lock_dir=lock_dir)
        try:
            with self._hold("_source_cursors", "the table of the cursors of sources"):  # several may make it at once
                _metadata.create_all(self._db.engine)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._db.close()

    def exclusive(self, dataset: str) -> AbstractContextManager[None]:
        """Work on the source of a dataset alone.

        Raises:
            DatasetBusy: another process did for the whole time-out.
        """
        return self._hold(f"_source_{dataset}", f"the source of {dataset!r}")

    def last(self, dataset: str) -> Position | None:
        with self._db.engine.connect() as connection:
            found = connection.execute(sa.select(source_cursors).where(source_cursors.c.dataset == dataset)).first()
        return Position(found.source, found.high, found.tail, found.file) if found else None

    def keep(self, dataset: str, position: Position) -> None:
        with self._db.engine.begin() as connection:
            connection.execute(source_cursors.delete().where(source_cursors.c.dataset == dataset))
            values = {"dataset": dataset, "sent_at": datetime.now(UTC), **asdict(position)}
            connection.execute(source_cursors.insert().values(**values))

    def _hold(self, name: str, of: str) -> AbstractContextManager[None]:
        return self._db.exclusive(name, of=of, timeout_seconds=self._lock_timeout_seconds)
