"""Why a dropped file is refused: an outcome, not an error. The file is moved to failed/ with what is said here."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Place: TypeAlias = Literal["line", "row"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, where it is, and what was found there."""

    reason: str
    line: int | None = None  # of the file, from 1; None where it is about the file as a whole
    column: str | None = None
    value: str | None = None
    place: Place = "line"  # what `line` counts: Parquet has rows alone

    def __str__(self) -> str:
        """As an analyst reads it: `line 17, column phone_no: 'abc' is not INTEGER`."""
        where = [f"{self.place} {self.line}"] if self.line is not None else []
        where += [f"column {self.column}"] if self.column is not None else []
        what = self.reason if self.value is None else f"{self.value!r} {self.reason}"
        return f"{', '.join(where)}: {what}" if where else what


class FileRefused(Exception):  # noqa: N818  # an outcome
    """The file cannot be used. `findings` are the first of `total`; nothing of the file has reached a database."""

    def __init__(self, *findings: Finding, total: int | None = None) -> None:
        self.findings = findings
        self.total = len(findings) if total is None else total
        super().__init__("; ".join(map(str, findings[:3])))


def refuse(reason: str, *, value: str | None = None, column: str | None = None) -> FileRefused:
    return FileRefused(Finding(reason, column=column, value=value))


def key_taken(said: str) -> FileRefused:
    """A unique key of the table forbids a row, as the database says."""
    return refuse(
        f"A row of such a key is there already: {said}. To change rows, upsert them: a file in input/update/, a "
        "projection with mode: upsert"
    )
