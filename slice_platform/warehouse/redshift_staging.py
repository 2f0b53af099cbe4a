"""Rows on their way to Redshift: a cleaned file and its manifest below `_staging/`, where COPY reaches them.

They lie there for one load. What a loader that was killed left behind is removed by the next ones, by its age.
"""

import csv
import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from slice_platform.store import Store
from slice_platform.warehouse.claim import Load
from slice_platform.warehouse.clean_rows import CsvStyle, write_csv
from slice_platform.warehouse.csv_records import csv_records
from slice_platform.warehouse.pending import STAGING
from slice_platform.warehouse.refusal import Finding
from slice_platform.warehouse.rows_to_load import RowsToLoad

STALE = timedelta(days=2)  # longer than all attempts at a load can take
_SHOWN = 100


@dataclass(frozen=True)
class Staging:
    """Where the rows of a claim lie: of one run, as another that does the same at the same time has its own place."""

    store: Store
    claim: Load

    @property
    def null(self) -> str:
        """A word that no value of the file is: it is made from a digest."""
        return f"_slice_null_{self.claim.id}"

    @property
    def manifest(self) -> str:
        return self.store.path(f"{self._place}.manifest")

    @property
    def rows(self) -> str:
        return self.store.path(f"{self._place}.csv.gz")

    @contextmanager
    def filled(self, rows: RowsToLoad) -> Iterator[None]:
        """The rows and the manifest are there, for as long as the block lasts."""
        packed = _packed(rows, self.null)
        try:
            self.store.copy_in(str(packed), f"{self._place}.csv.gz")
            entry = {"url": self.rows, "mandatory": True, "meta": {"content_length": packed.stat().st_size}}
            self.store.write(f"{self._place}.manifest", json.dumps({"entries": [entry]}).encode())
            yield
        finally:
            self.store.remove(f"{self._place}.manifest")
            self.store.remove(f"{self._place}.csv.gz")

    def findings(self, rows: RowsToLoad, errors: Iterable[tuple[Any, ...]]) -> list[Finding]:
        """What COPY says of lines of the cleaned file, told of the file that was dropped."""
        return [
            self._finding(rows, int(line or 0), (column or "").strip(), (reason or "").strip())
            for line, column, reason in errors
        ]

    @property
    def _place(self) -> str:
        return f"{STAGING}/{self.claim.id}-{self.claim.run_id}"

    def _finding(self, rows: RowsToLoad, line: int, column: str, reason: str) -> Finding:
        values = _row_at(_plain(rows), line)
        named = dict(zip((one.name for one in rows.checked.columns), values, strict=False))
        shown = value[:_SHOWN] if (value := named.get(column, self.null)) != self.null else None
        reason = f"was refused by Redshift: {reason}"
        if values and rows.checked.raw_csv is not None:  # just these rows, below a header
            (found,) = islice(csv_records(rows.checked.raw_csv), line, line + 1)
            return Finding(reason, found.line, column or None, shown)
        where = f" (row {line} of those that passed the check)" if values else ""
        return Finding(f"{reason}{where}", column=column or None, value=shown)


def remove_stale(store: Store, now: datetime) -> None:
    """What lies below `_staging/` for longer than any load lasts is gone. One listing, of little: loads tidy up."""
    for entry in store.children(STAGING).objects:
        if entry.written_at is not None and now - entry.written_at > STALE:
            store.remove(entry.key)


def _plain(rows: RowsToLoad) -> Path:
    return rows.folder / "rows.csv"


def _packed(rows: RowsToLoad, null: str) -> Path:
    packed = rows.folder / "rows.csv.gz"
    write_csv(rows.engine, rows.checked, _plain(rows), CsvStyle(null=null))
    with _plain(rows).open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as to:
        shutil.copyfileobj(source, to, 1024**2)
    return packed


def _row_at(path: Path, line: int) -> list[str]:
    """The row at a line of the cleaned file; empty where that cannot be told.

    Behind a value with a line end it cannot: whether Redshift counts lines or rows, its documentation does not say.
    """
    with path.open(encoding="utf-8", newline="") as source:
        reader = csv.reader(source)
        for number, values in enumerate(reader, start=1):
            if number > line or reader.line_num != number:
                break
            if number == line:
                return values
    return []
