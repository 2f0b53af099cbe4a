"""Files read by the reader alone, without a table: good rows, rejects, or the reason why the file is set aside."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import duckdb

from slice_platform.engine import run
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake, open_lake
from slice_platform.lake.reader import rejects_of, stage
from slice_platform.records import FileRow, FileStatus
from slice_platform.settings import load_settings
from slice_platform_tests.lake.feeds import feed

TOO_FEW, TOO_MANY = "fewer fields than the header has", "more fields than the header has"
NOT_CLOSED = "a quote is not closed, or text follows a closing quote"
NOT_TEXT = "the line is not valid text of the file's encoding"
TOO_LONG = "the line is longer than 16 MB"
NOT_JSON, NO_OBJECT = "the line is not JSON", "the line is not a JSON object"
REQUIRED = "required, but empty"

Refusal = tuple[int | None, str | None, str, str]  # line, column, reason, raw text


@dataclass(frozen=True)
class Reading:
    """What the reader made of one file."""

    problem: str | None
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    rejects: list[Refusal] = field(default_factory=list)
    read: int = 0


@dataclass(frozen=True, repr=False)
class Reader:
    """Reads files that were written straight into raw; `repr` is short because hypothesis prints it."""

    lake: Lake
    connection: duckdb.DuckDBPyConnection
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def read(self, name: str, content: bytes) -> Reading:
        """Read one file of the dataset `feed` and hold what must hold for every file."""
        number = next(self.numbers)
        key = f"raw/feed/{number}"
        self.lake.store.write(key, content)
        file = _file_row(number, key, f"landing/feed/{name}", len(content))
        (staged,) = stage(self.lake, self.connection, self.lake.dataset("feed"), [file])
        if staged.problem is not None:
            assert run(self.connection, "select count(*) from stage") == [(0,)]
            return Reading(staged.problem)
        found = rejects_of(self.lake, self.connection, staged)
        rejects = [(one.line, one.column, one.reason, one.raw) for one in found]
        names = ", ".join(f'"{name}"' for name in self.lake.dataset("feed").contract.names)
        rows = run(self.connection, f"select {names} from stage where _errors is null order by _row")
        assert staged.rows_read == len(rows) + staged.rows_rejected
        self.lake.store.remove(key)
        return Reading(None, rows, rejects, staged.rows_read)


@contextmanager
def reader_of(home: Path, *columns: dict[str, Any], **attributes: Any) -> Iterator[Reader]:
    """A reader of files of a feed with these columns."""
    feed(*columns, **attributes)["feed"].write(home / "defs" / "feed")
    with open_lake(load_settings(home=home, defs_dir=home / "defs")) as lake, engine(lake) as connection:
        yield Reader(lake, connection)


def _file_row(number: int, key: str, source_key: str, size_bytes: int) -> FileRow:
    now = datetime.now(UTC)
    return FileRow(
        id=number,
        dataset="feed",
        source_key=source_key,
        version="1",
        size_bytes=size_bytes,
        plain_bytes=0,
        sha256=None,
        received_at=now,
        raw_key=key,
        status=FileStatus.RECEIVED,
        left_landing=True,
        rows_read=0,
        rows_published=0,
        rows_duplicate=0,
        rows_rejected=0,
        error=None,
        repeat_of=None,
    )
