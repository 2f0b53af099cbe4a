"""The text of contract.yaml and defs.yaml. What was guessed stands there with the word `guess`, for a person."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from slice_platform.lake.dataset import COMPONENT, FileSpec
from slice_platform.lake.sampling.columns import ColumnGuess
from slice_platform.lake.sampling.odcs_type import OdcsType
from slice_platform.lake.sampling.proposals import KeyProposal, PartitionProposal
from slice_platform.lake.sampling.yaml_text import escaped, scalar


@dataclass(frozen=True)
class Draft:
    """Everything that is concluded from the samples."""

    dataset: str
    samples: tuple[str, ...]  # names of the files
    rows: int
    is_whole: bool  # whether the samples were read to their end
    files: tuple[FileSpec, ...]
    columns: tuple[ColumnGuess, ...]
    left_out: tuple[tuple[str, str], ...]
    nulls: tuple[tuple[str, str], ...]  # spelling and why
    key: KeyProposal
    order_by: tuple[str, ...]
    partition: PartitionProposal | None
    no_partition: str

    @property
    def mode(self) -> str:
        return "merge" if self.key.columns else "append"

    @property
    def source(self) -> str:
        rows = f"{self.rows:,} rows" if self.is_whole else f"the first {self.rows:,} rows"
        more = f" and {len(self.samples) - 1} more" if len(self.samples) > 1 else ""
        return f"{rows} of {escaped(self.samples[0])}{more}"

    def with_columns(self, columns: tuple[ColumnGuess, ...]) -> "Draft":
        return replace(self, columns=columns)


def contract_text(draft: Draft) -> str:
    """contract.yaml."""
    return "".join(f"{line}\n" for line in _contract(draft))


def defs_text(draft: Draft) -> str:
    """defs.yaml."""
    return "".join(f"{line}\n" for line in _defs(draft))


def _contract(draft: Draft) -> Iterator[str]:
    yield f"# Written from {draft.source}."
    yield "# What says `guess` was concluded from these rows alone: look it over, then make the status active."
    yield "apiVersion: v3.1.0"
    yield "kind: DataContract"
    yield f"id: {scalar(draft.dataset)}"
    yield "version: 1.0.0"
    yield "status: draft"
    yield "schema:"
    yield f"  - name: {scalar(draft.dataset)}"
    yield "    # description: One row per ..."
    if not draft.key.columns:
        yield f"    # No primaryKey: {draft.key.why}."
    for name, why in draft.left_out:
        yield f'    # Left out: "{escaped(name)}": {why}. It stays in raw.'
    yield "    properties:"
    for column in draft.columns:
        yield from _property(draft, column)


def _property(draft: Draft, column: ColumnGuess) -> Iterator[str]:
    pad = "        "
    for note in (*column.doubts, *column.notes):
        yield f"      # {_on_one_line(note)}"
    yield f"      - name: {scalar(column.name)}"
    yield from _type(column.type, pad)
    yield from _rules(draft, column, pad)
    yield from _inner(column.type, pad)


def _rules(draft: Draft, column: ColumnGuess, pad: str) -> Iterator[str]:
    if column.name in draft.key.columns:
        yield f"{pad}primaryKey: true{_key_note(draft)}"
        if len(draft.key.columns) > 1:
            yield f"{pad}primaryKeyPosition: {draft.key.columns.index(column.name) + 1}"
    elif column.is_required:
        yield f"{pad}required: true  # guess: no gap in {draft.rows:,} rows"
    if column.personal:
        yield f"{pad}# classification: confidential  # guess: {column.personal}; it is then not shown in previews"
    if column.allowed and column.name not in draft.key.columns:
        listed = ", ".join(f"{{value: {scalar(value)}}}" for value in column.allowed)
        yield f"{pad}# enum: [{listed}]  # guess: no other value in {draft.rows:,} rows"


def _key_note(draft: Draft) -> str:
    return f"  # guess: {draft.key.why}" if draft.key.is_guess else ""


def _type(one: OdcsType, pad: str) -> Iterator[str]:
    yield f"{pad}logicalType: {one.kind}"
    if one.physical:
        yield f"{pad}physicalType: {one.physical}"
    if one.options:
        listed = ", ".join(f"{name}: {'true' if value is True else scalar(str(value))}" for name, value in one.options)
        yield f"{pad}logicalTypeOptions: {{{listed}}}"


def _inner(one: OdcsType, pad: str) -> Iterator[str]:
    if one.fields:
        yield f"{pad}properties:"
        for name, inner in one.fields:
            yield f"{pad}  - name: {scalar(name)}"
            yield from _whole(inner, pad + "    ")
    if one.items is not None:
        yield f"{pad}items:"
        yield from _whole(one.items, pad + "  ")


def _whole(one: OdcsType, pad: str) -> Iterator[str]:
    yield from _type(one, pad)
    yield from _inner(one, pad)


def _defs(draft: Draft) -> Iterator[str]:
    yield f"# Written from {draft.source}."
    yield f"type: {COMPONENT}"
    yield "attributes:"
    yield "  files:"
    for spec in draft.files:
        yield from _file(draft, spec)
    yield from _mode(draft)
    yield from _partition(draft)


def _file(draft: Draft, spec: FileSpec) -> Iterator[str]:
    yield f'    - pattern: "{escaped(spec.pattern)}"'
    yield f"      format: {spec.format}"
    default = FileSpec(pattern="*", format="csv")
    for name in ("compression", "encoding", "delimiter", "quote"):
        if (value := getattr(spec, name)) != getattr(default, name):
            yield f"      {name}: {scalar(value)}"
    if draft.nulls:
        why = "; ".join(_on_one_line(why) for _, why in draft.nulls[:3])
        yield f"      null_values: [{', '.join(scalar(one) for one, _ in draft.nulls)}]  # guess: {why}"


def _mode(draft: Draft) -> Iterator[str]:
    if not draft.key.columns:
        yield f"  # guess: {draft.key.why}."
        yield "  # With a key (primaryKey in contract.yaml) mode merge keeps one row per key."
        yield "  mode: append"
        return
    yield "  mode: merge  # one row per key, which is the contract's primaryKey"
    if draft.order_by:
        listed = ", ".join(scalar(name) for name in draft.order_by)
        yield f"  order_by: [{listed}]  # guess, by the name: of rows with one key the greatest stays"
    else:
        yield "  # order_by: [...]  # no column tells when a row changed: of rows with one key the latest file's stays"


def _partition(draft: Draft) -> Iterator[str]:
    if draft.partition is None:
        yield f"  # No partition: {draft.no_partition}."
        return
    one = draft.partition
    word = "" if one.why == "as asked" else f"  # guess: {one.why}"
    yield "  partition:"
    yield f"    column: {scalar(one.column)}{'' if one.why == 'as asked' else '  # guess: when the row happened'}"
    yield f"    grain: {one.grain}{word}"
    yield f"    start: {one.start:%Y-%m-%d}  # earlier rows are rejected"


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
