"""What `slice new-dataset` does and tells: what was read, what was guessed, and what to type next."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

import click

from slice_platform.errors import PermanentError
from slice_platform.lake.sampling.columns import ColumnGuess
from slice_platform.lake.sampling.new_dataset import Proposal, Request, propose, refuse_name, write
from slice_platform.lake.sampling.yaml_files import Draft
from slice_platform.settings import Settings, load_settings

_MOST_TOLD = 12


def make_new_dataset(request: Request, *, only_print: bool) -> None:
    """Write the dataset's folder, or print both files; then tell what a person should know."""
    settings = load_settings()
    folder = free_folder(settings, request.dataset, only_print=only_print)
    proposal = propose(settings, request)
    if only_print:
        click.echo(f"# --- {request.dataset}/contract.yaml\n{proposal.contract}")
        click.echo(f"# --- {request.dataset}/defs.yaml\n{proposal.defs}", nl=False)
    else:
        write(folder, proposal)
    for line in told(proposal):
        click.echo(line, err=only_print)
    if not only_print:
        click.echo(f"\nWrote {folder}/\n  contract.yaml  what the data is; guesses are marked `guess`")
        click.echo("  defs.yaml      what the platform does with it")
        for line in next_steps(proposal):
            click.echo(line)


def free_folder(settings: Settings, name: str, *, only_print: bool) -> Path:
    """Where the dataset's files go. Raises PermanentError where the name is taken or is none."""
    refuse_name(settings, name)
    folder = settings.defs_dir / name
    if not only_print and folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise PermanentError(f"Writing {str(folder)!r}: it exists, and nothing is overwritten. Choose another name.")
    return folder


def told(proposal: Proposal) -> Iterator[str]:
    """What was read and concluded, in a screenful even for hundreds of columns."""
    draft = proposal.draft
    yield f"{draft.dataset}: {draft.source}, read as {_reading(draft)}"
    yield f"  {len(draft.columns)} columns: {_kinds(draft)}"
    yield from _decisions(draft)
    yield from _doubts(draft)
    yield from _proven(proposal)


def next_steps(proposal: Proposal) -> Iterator[str]:
    samples = " ".join(quote(str(path)) for path in proposal.samples[:3])
    more = " ..." if len(proposal.samples) > 3 else ""
    yield "Next:"
    yield f"  slice drop {proposal.draft.dataset} {samples}{more}"
    yield f"  slice ingest {proposal.draft.dataset}"


def _reading(draft: Draft) -> str:
    spec = draft.files[0]
    if spec.format != "csv":
        return spec.format
    delimiter = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.get(spec.delimiter, spec.delimiter)
    nulls = f", {' and '.join(spec.null_values)} as NULL" if spec.null_values else ""
    return f"csv: {spec.encoding}, {delimiter}{nulls}"


def _kinds(draft: Draft) -> str:
    kinds = Counter(_kind(column) for column in draft.columns)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _kind(column: ColumnGuess) -> str:
    return "decimal" if column.type.physical else str(column.type.kind)


def _decisions(draft: Draft) -> Iterator[str]:
    if draft.key.columns:
        guess = "guess: " if draft.key.is_guess else ""
        yield f"  key        {', '.join(draft.key.columns)}  ({guess}{draft.key.why})"
    else:
        yield f"  key        none: {draft.key.why}; mode append. Choose one with --key"
    if draft.order_by:
        yield f"  order_by   {draft.order_by[0]}  (guess: of rows with one key the greatest stays)"
    if draft.partition is None:
        yield f"  partition  none: {draft.no_partition}"
    else:
        one = draft.partition
        why = one.why if one.why == "as asked" else f"guess: {one.why}"
        yield f"  partition  {one.column} by {one.grain} from {one.start:%Y-%m-%d}  ({why})"


def _doubts(draft: Draft) -> Iterator[str]:
    found = [f"  {name or '(no name)'}: left out, {why}" for name, why in draft.left_out]
    found += [f"  {column.name}: {doubt}" for column in draft.columns for doubt in column.doubts]
    if personal := [column.name for column in draft.columns if column.personal]:
        listed = ", ".join(personal[:8]) + (" ..." if len(personal) > 8 else "")
        found.append(f"  {listed}: may be about persons; a `classification` hides them in previews")
    if not found:
        return
    yield "Look at:"
    yield from (_on_one_line(line) for line in found[:_MOST_TOLD])
    if len(found) > _MOST_TOLD:
        yield f"  ... and {len(found) - _MOST_TOLD} more, in the comments of contract.yaml"


def _proven(proposal: Proposal) -> Iterator[str]:
    proof = proposal.proof
    taken = proof.rows_read - proof.rejected
    parts = (
        f" into {proof.partitions:,} partition{'s' if proof.partitions != 1 else ''}"
        if proposal.draft.partition
        else ""
    )
    yield f"Tried: the reader takes {taken:,} of {proof.rows_read:,} rows{parts}, {proof.rejected:,} rejected."
    if proof.duplicates:
        yield f"  {proof.duplicates:,} of them share their key with another row, and only one row of a key stays."
    for reason in proof.reasons:
        yield f"  {reason}"
    if proof.refused_files:
        yield f"  Above tolerated_rejects (5%), so it would be set aside: {', '.join(proof.refused_files)}"


def _on_one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def request_of(
    name: str, samples: tuple[Path, ...], keys: tuple[str, ...], partition: str | None, rows: int
) -> Request:
    """Keys may come as --key a --key b, or as --key a,b."""
    names = tuple(part.strip() for key in keys for part in key.split(",") if part.strip())
    return Request(name, samples, tuple(dict.fromkeys(names)), partition, rows)
