"""A file of text written down again as Parquet: every value as text, and the line where its record begins.

Text that the fast scan cannot vouch for is judged from there, by the same rules and with lines to name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from slice_platform.warehouse.csv_records import Record
from slice_platform.warehouse.json_records import JsonRecord
from slice_platform.warehouse.refusal import Finding

LINE = "_line"  # no column's name: those have no such beginning once they passed the door
MOST_FINDINGS = 1_000
_MOST_NAMES = 20
_BATCH_CELLS, _BATCH_BYTES = 200_000, 32 * 1024**2


@dataclass
class Transcript:
    """Records were written to `path`; `unread` more could not be read, the first of them told in `findings`.

    `seen` are the columns that some record had.
    """

    path: Path
    columns: tuple[str, ...]
    unread: int = 0
    findings: list[Finding] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def refuse(self, finding: Finding) -> None:
        self.unread += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


def transcribe_csv(records: Iterable[Record], columns: tuple[str, ...], path: Path) -> Transcript:
    """All records behind the header."""
    made = Transcript(path, columns)

    def rows() -> Iterator[tuple[int, tuple[str | None, ...]]]:
        for record in records:
            if record.finding is not None:
                made.refuse(record.finding)
            elif len(record.fields) != len(columns):
                some = len(record.fields)
                made.refuse(Finding(f"{some} field{'s' * (some != 1)}, expected {len(columns)}", record.line))
            else:
                yield record.line, record.fields

    _write(rows(), made)
    return made


def transcribe_json(
    records: Iterable[JsonRecord], columns: tuple[str, ...], path: Path, *, same_keys: bool
) -> Transcript:
    """All objects, with NULL for what one of them lacks; with `same_keys` those that have the keys of the first."""
    made = Transcript(path, columns)

    def rows() -> Iterator[tuple[int, tuple[str | None, ...]]]:
        first: JsonRecord | None = None
        for record in records:
            if record.finding is not None:
                made.refuse(record.finding)
                continue
            first = first or record
            if same_keys and record.values.keys() != first.values.keys():
                made.refuse(_other_keys(record, first))
            else:
                made.seen.update(record.values)
                yield record.line, tuple(map(record.values.get, columns))

    _write(rows(), made)
    return made


def _other_keys(record: JsonRecord, first: JsonRecord) -> Finding:
    had, has = first.values.keys(), record.values.keys()
    differs = [
        f"{verb} {', '.join(sorted(names)[:_MOST_NAMES])}"
        for verb, names in (("lacks", had - has), ("has", has - had))
        if names
    ]
    return Finding(
        f"{' and '.join(differs)}, other than line {first.line}; in input/update/ all lines have the same keys, or "
        "columns of rows that are there would be emptied. Write null for that, or drop a file for each set of keys",
        record.line,
    )


def _write(rows: Iterator[tuple[int, tuple[str | None, ...]]], made: Transcript) -> None:
    import pyarrow as pa  # noqa: PLC0415 -- loading definitions must not wait for it
    import pyarrow.parquet as pq  # noqa: PLC0415 -- as above

    schema = pa.schema([(LINE, pa.int64()), *((name, pa.string()) for name in made.columns)])
    most = max(_BATCH_CELLS // len(schema), 1)
    with pq.ParquetWriter(made.path, schema, compression="lz4") as writer:
        for batch in _batches(rows, most):
            lines = pa.array([line for line, _ in batch], pa.int64())
            values: list[Any] = [
                pa.array(column, pa.string()) for column in zip(*(row for _, row in batch), strict=True)
            ]
            writer.write_table(pa.Table.from_arrays([lines, *values], schema=schema))


def _batches(
    rows: Iterator[tuple[int, tuple[str | None, ...]]], most: int
) -> Iterator[list[tuple[int, tuple[str | None, ...]]]]:
    """As many rows as fit both limits, so that a few long ones do not fill memory."""
    while batch := list(islice(rows, 1)):
        size = 0
        for row in rows:
            batch.append(row)
            size += sum(len(value) for value in row[1] if value)
            if len(batch) >= most or size >= _BATCH_BYTES:
                break
        yield batch
