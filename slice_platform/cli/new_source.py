"""What `slice new-dataset --from` does and tells: a dataset from a table of a database, and the source that fills it.

The URL is used once and written nowhere: runs find it in an environment variable.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import urlsplit

import click

from slice_platform.cli.new_dataset import free_folder, told
from slice_platform.errors import PermanentError
from slice_platform.lake.sampling.known_columns import KnownColumn, KnownProposal, KnownTable, propose_known
from slice_platform.lake.sampling.new_dataset import Request, write
from slice_platform.settings import Settings, load_settings
from slice_platform.spill import spill_folder
from slice_platform.warehouse.source.reading import Ask, Shape, SourceServer, Wanted
from slice_platform.warehouse.source.server import server_at
from slice_platform.warehouse.source.spec import COMPONENT, CursorSpec, SourceSpec, refuse_contradictions
from slice_platform.warehouse.source.spilled import spill
from slice_platform.warehouse.source.window import next_window
from slice_platform.yaml_lines import read_yaml

_OVERLAP = "15m"


@dataclass(frozen=True)
class NewSource:
    """What a person asks for. Only `url` holds a password."""

    url: str | None
    table: str | None
    query: str | None
    cursor: str | None
    url_variable: str | None

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.table, self.query)


def make_new_source(request: Request, source: NewSource, *, only_print: bool) -> None:
    """Write the folders of the dataset and of its source, or print their files; then tell what a person should know."""
    settings = load_settings()
    server = _server(request, source)
    folder = free_folder(settings, request.dataset, only_print=only_print)
    beside = folder.with_name(f"{request.dataset}_source")
    if not only_print and beside.exists():
        raise PermanentError(f"Writing {str(beside)!r}: it exists, and nothing is overwritten. Remove it first.")
    proposal, overlap = _proposal(settings, server, request, source)
    text = source_text(proposal, source, overlap)
    if only_print:
        click.echo(f"# --- {request.dataset}/contract.yaml\n{proposal.contract}")
        click.echo(f"# --- {request.dataset}/defs.yaml\n{proposal.defs}")
        click.echo(f"# --- {beside.name}/defs.yaml\n{text}", nl=False)
    else:
        write(folder, proposal)
        _write_source(beside, text)
    for line in told(proposal):
        click.echo(line, err=only_print)
    if not only_print:
        click.echo(f"\nWrote {folder}/\n  contract.yaml  what the data is; guesses are marked `guess`")
        click.echo(
            f"  defs.yaml      what the platform does with it\nWrote {beside}/\n  defs.yaml      where it is read"
        )
        for line in next_steps(proposal, source):
            click.echo(line)


def source_text(proposal: KnownProposal, source: NewSource, overlap: str) -> str:
    """The defs.yaml of the source."""
    return "".join(f"{line}\n" for line in _source_lines(proposal, source, overlap))


def next_steps(proposal: KnownProposal, source: NewSource) -> Iterator[str]:
    name, variable = proposal.draft.dataset, variable_of(proposal.draft.dataset, source)
    yield "Next:"
    yield f"  set {variable}, in the environment or in .env, to {without_password(source.url or '')}"
    yield f"  slice dev     and run the job offload_{name} there; the sensor ingests what it reads"
    yield f"  slice ingest {name}     does so at once"


def variable_of(dataset: str, source: NewSource) -> str:
    return source.url_variable or f"{dataset.upper()}_DATABASE_URL"


def without_password(url: str) -> str:
    """The URL with a place for the password; what could hold one in another place is left out."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    user = f"{parts.username}:PASSWORD@" if parts.username else ""
    return f"{parts.scheme}://{user}{host}{parts.path}"


def _server(request: Request, source: NewSource) -> SourceServer:
    if request.samples:
        raise PermanentError(
            "A dataset is made from files or from a database: give --sample alone, or --from with --table or --query."
        )
    if source.url is None or (source.table is None) == (source.query is None):
        raise PermanentError(
            "Making a dataset takes --sample FILE, or --from URL with one of --table and --query, such as "
            "--from postgresql://joe@host/shop --table public.orders."
        )
    if request.rows < 1:
        raise PermanentError(f"Reading {request.rows} rows of the table: expected 1 or more.")
    return server_at(source.url, setting="--from")


def _proposal(
    settings: Settings, server: SourceServer, request: Request, source: NewSource
) -> tuple[KnownProposal, str]:
    """Both files of the dataset, and the overlap that fits the cursor."""
    overlap = "0"
    with spill_folder(settings.spill_dir) as folder:
        sample = folder / f"{request.dataset}.parquet"
        with server.reading(source.wanted) as session:
            if source.cursor is not None:
                overlap = _checked_overlap(session.shape, source.cursor)
                next_window(session, CursorSpec(column=source.cursor), None)
            spilled = spill(session.batches(Ask(limit=request.rows)), session.shape.arrow, sample)
            known = _known(session.shape, source)
        if not spilled.rows:
            raise PermanentError(
                f"Reading {source.wanted} of {server.label}: it has no rows, and a dataset is concluded from some. "
                "Fill it first, or write contract.yaml by hand (docs/datasets.md)."
            )
        proposal = propose_known(settings, replace(request, samples=(sample,)), known)
    if source.cursor is not None and not proposal.draft.key.columns:
        raise PermanentError(
            f"Reading {source.wanted} by {source.cursor!r}: increments need a key, by which a row that comes again is "
            "known, and there is none. Give --key, or leave --cursor out."
        )
    return proposal, overlap


def _known(shape: Shape, source: NewSource) -> KnownTable:
    columns = {
        one.name: KnownColumn(
            one.arrow, one.is_required if source.table else None, one.comment, may_be_narrower=one.may_be_narrower
        )
        for one in shape.columns
    }
    return KnownTable(str(source.wanted), columns, shape.key, source.cursor, shape.comment)


def _checked_overlap(shape: Shape, cursor: str) -> str:
    """A time, unless the cursor is a number."""
    kind = str(shape.column(cursor, "--cursor").arrow)
    return "0" if "int" in kind else _OVERLAP


def _source_lines(proposal: KnownProposal, source: NewSource, overlap: str) -> Iterator[str]:
    name = proposal.draft.dataset
    yield f"# Reads {source.wanted} into the dataset {name}."
    yield f"type: {COMPONENT}"
    yield "attributes:"
    yield f"  dataset: {name}"
    yield f"  url_variable: {variable_of(name, source)}  # postgresql:// or mysql://user:password@host/database"
    if source.table:
        yield f"  table: {json.dumps(source.table)}"
    else:
        yield f"  query: {json.dumps(source.query)}"
    if source.cursor:
        yield f"  cursor: {{column: {json.dumps(source.cursor)}, overlap: {overlap}}}"
        yield "  # retention: {after: 60d, column: ...}  # older rows may be deleted there once the lake holds them"
    else:
        yield "  # cursor: {column: ..., overlap: 15m}  # without it all rows are read, each time"
    yield '  # schedule: "*/15 * * * *"  # in UTC; without it the job is run by hand'


def _write_source(folder: Path, text: str) -> None:
    """Make the folder with its file in one step; what is written is what will be read."""
    aside: str | None = None
    try:
        aside = mkdtemp(dir=folder.parent.parent, prefix=".new-source-")
        made = Path(aside) / folder.name
        made.mkdir()
        (made / "defs.yaml").write_text(text, encoding="utf-8")
        written = read_yaml(made / "defs.yaml")
        refuse_contradictions(written, SourceSpec.model_validate({**written.content["attributes"], "database": "any"}))
        os.rename(made, folder)  # noqa: PTH104  # fails where the folder has come to hold something meanwhile
    except OSError as error:
        raise PermanentError(f"Writing {str(folder)!r}: {error.strerror or error}. Mend its permissions.") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
