"""A new dataset from rows of a database: its catalog knows the types, a sample shows the rest.

What the catalog knows is no guess. Only text that stands for something narrower, a document or a number of any scale,
is concluded from the rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from slice_platform.lake.sampling.columns import ColumnGuess, conclude
from slice_platform.lake.sampling.heads import take_heads
from slice_platform.lake.sampling.new_dataset import Proposal, Request
from slice_platform.lake.sampling.odcs_type import (
    BOOLEAN,
    DATE,
    INSTANT,
    INTEGER,
    NUMBER,
    STRING,
    TIME,
    TIMESTAMP,
    OdcsType,
    decimal,
)
from slice_platform.lake.sampling.proposals import propose_key, propose_order, propose_partition
from slice_platform.lake.sampling.prove import prove
from slice_platform.lake.sampling.texts import PLACES, SampleTable, find_json_columns, load_texts, scratch_lake
from slice_platform.lake.sampling.yaml_files import Draft
from slice_platform.lake.sampling.yaml_text import scalar
from slice_platform.settings import Settings

_BEYOND_64_BITS = decimal(20, 0)


@dataclass(frozen=True)
class KnownColumn:
    """What the catalog says. `is_required` None: it does not say, as for a query."""

    arrow: pa.DataType
    is_required: bool | None = None
    comment: str | None = None
    may_be_narrower: bool = False


@dataclass(frozen=True)
class KnownTable:
    """A table or query by name, its primary key and columns, and the column that says when a row changed."""

    name: str
    columns: Mapping[str, KnownColumn]
    key: tuple[str, ...] = ()
    cursor: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class KnownProposal(Proposal):
    """A proposal that tells facts of the catalog as facts."""

    known: KnownTable

    @property
    def contract(self) -> str:
        return "".join(f"{line}\n" for line in self._lines(super().contract.splitlines()))

    @property
    def defs(self) -> str:
        text = super().defs
        return text.replace("guess, by the name: ", "") if self.known.cursor else text

    def _lines(self, lines: list[str]) -> Iterator[str]:
        beginnings = {f"      - name: {scalar(column.name)}": column.name for column in self.draft.columns}
        for line in lines:
            if line == "    # description: One row per ..." and self.known.comment:
                yield f"    description: {_quoted(self.known.comment)}"
                continue
            yield line
            if line in beginnings:
                yield from self._facts(beginnings[line])

    def _facts(self, name: str) -> Iterator[str]:
        column = self.known.columns.get(name)
        if column is not None and column.comment:
            yield f"        description: {_quoted(column.comment)}"
        if column is not None and column.is_required and name not in self.draft.key.columns:
            yield "        required: true"


def propose_known(settings: Settings, request: Request, known: KnownTable) -> KnownProposal:
    """Conclude both files from the rows in the samples, Parquet, and from what is known of their columns.

    Nothing is written but below SLICE_HOME, and that is removed.

    Raises:
        PermanentError: there are no rows, or key or partition cannot be as asked.
    """
    settings.spill_dir.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(dir=settings.spill_dir, prefix="sample-") as scratch,
        scratch_lake(Path(scratch).resolve()) as (lake, connection),
    ):
        heads = take_heads(list(request.samples), request.rows, Path(lake.store.path(PLACES)))
        table = find_json_columns(load_texts(lake, connection, heads))
        columns = [_with_type(column, known.columns.get(column.name)) for column in conclude(table)]
        draft = replace(_draft(request, table, columns, known), files=tuple(head.spec for head in heads))
        draft, proof = prove(lake, connection, draft, heads)
    return KnownProposal(draft, proof, request.samples, known)


def odcs_of(kind: pa.DataType) -> OdcsType:
    """The type of a contract that takes every value of an Arrow type."""
    if pa.types.is_decimal(kind):
        return decimal(kind.precision, kind.scale)
    if pa.types.is_timestamp(kind):
        return INSTANT if kind.tz else TIMESTAMP
    found = (
        (pa.types.is_boolean, BOOLEAN),
        (pa.types.is_uint64, _BEYOND_64_BITS),
        (pa.types.is_integer, INTEGER),
        (pa.types.is_floating, NUMBER),
        (pa.types.is_date, DATE),
        (pa.types.is_time, TIME),
    )
    return next((one for fits, one in found if fits(kind)), STRING)


def _with_type(guess: ColumnGuess, known: KnownColumn | None) -> ColumnGuess:
    if known is None:
        return guess
    required = guess.is_required if known.is_required is None else known.is_required
    found = odcs_of(known.arrow)
    is_document = guess.type.kind in ("object", "array")
    if found == guess.type or (found == STRING and (known.may_be_narrower or is_document)):
        return replace(guess, is_required=required)
    return replace(guess, type=found, notes=(), doubts=(), is_required=required)


def _draft(request: Request, table: SampleTable, columns: list[ColumnGuess], known: KnownTable) -> Draft:
    has_all = set(known.key) <= {column.name for column in columns}
    asked = request.key or (known.key if has_all else ())
    key = propose_key(table, columns, request.dataset, asked)
    if asked and not request.key:
        key = replace(key, why="the table's primary key")
    partition, none = propose_partition(table, columns, request.partition)
    order = (known.cursor,) if known.cursor else propose_order(columns, key.columns)
    said = [replace(c, is_required=False) if _is_fact(known, c.name) else c for c in columns]
    return Draft(
        dataset=request.dataset,
        samples=(known.name,),
        rows=table.rows,
        is_whole=table.rows < request.rows,
        files=(),
        columns=tuple(said),
        left_out=tuple(table.left_out.items()),
        nulls=(),
        key=key,
        order_by=order if key.columns else (),
        partition=partition,
        no_partition=none,
    )


def _is_fact(known: KnownTable, name: str) -> bool:
    """Whether the contract says it without the word `guess`."""
    return name in known.columns and known.columns[name].is_required is not None


def _quoted(text: str) -> str:
    found = scalar(text)
    return found if found.startswith('"') else f'"{found}"'
