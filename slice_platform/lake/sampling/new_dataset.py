"""A new dataset from samples: concluded, tried on the samples, then written whole or not at all."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from slice_platform.errors import PermanentError
from slice_platform.lake.dataset import Dataset, dataset_of
from slice_platform.lake.sampling.columns import ColumnGuess, conclude, null_spellings
from slice_platform.lake.sampling.heads import Head, sample_files, take_heads
from slice_platform.lake.sampling.proposals import propose_key, propose_order, propose_partition
from slice_platform.lake.sampling.prove import Proof, prove
from slice_platform.lake.sampling.texts import PLACES, SampleTable, find_json_columns, load_texts, scratch_lake
from slice_platform.lake.sampling.yaml_files import Draft, contract_text, defs_text
from slice_platform.settings import Settings

MOST_ROWS = 200_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,62}")  # landing ignores what begins with an underscore


@dataclass(frozen=True)
class Request:
    """What a person asks for. `partition` is `column`, `column:grain` or `none`."""

    dataset: str
    samples: tuple[Path, ...]
    key: tuple[str, ...] = ()
    partition: str | None = None
    rows: int = MOST_ROWS


@dataclass(frozen=True)
class Proposal:
    """Both files, and what stands behind them."""

    draft: Draft
    proof: Proof
    samples: tuple[Path, ...]

    @property
    def contract(self) -> str:
        return contract_text(self.draft)

    @property
    def defs(self) -> str:
        return defs_text(self.draft)


def refuse_name(settings: Settings, name: str) -> None:
    """Raise PermanentError unless a new dataset can have this name."""
    if not _NAME.fullmatch(name):
        raise PermanentError(
            f"Naming a dataset {name!r}: expected up to 63 letters, digits and underscores, not beginning with an "
            "underscore. It names the table, the folder and the job."
        )
    for path in settings.defs_dir.rglob("contract.yaml"):
        if path.parent.name.lower() == name.lower():
            raise PermanentError(
                f"Naming a dataset {name!r}: {path.parent.name!r} is defined in {str(path.parent)!r} already, and "
                "nothing is overwritten. Choose another name, or edit its two files."
            )


def propose(settings: Settings, request: Request) -> Proposal:
    """Conclude both files from the samples and try them: the reader takes every record that is one.

    Nothing is written but below SLICE_HOME, and that is removed.

    Raises:
        PermanentError: a sample cannot be used, or key or partition cannot be as asked.
    """
    if request.rows < 1:
        raise PermanentError(f"Reading {request.rows} rows of the samples: expected 1 or more.")
    samples = sample_files(list(request.samples))
    settings.spill_dir.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=settings.spill_dir, prefix="sample-") as scratch:
        folder = Path(scratch).resolve()
        with scratch_lake(folder) as (lake, connection):
            heads = take_heads(samples, request.rows, Path(lake.store.path(PLACES)))
            table = find_json_columns(load_texts(lake, connection, heads))
            columns = conclude(table)
            nulls = null_spellings(table, columns) if table.format == "csv" else {}
            if nulls:
                table = find_json_columns(load_texts(lake, connection, heads, tuple(nulls)))
                columns = conclude(table)
            draft, proof = prove(lake, connection, _draft(request, table, columns, heads, nulls), heads)
    return Proposal(draft, proof, tuple(samples))


def _draft(
    request: Request, table: SampleTable, columns: list[ColumnGuess], heads: list[Head], nulls: dict[str, str]
) -> Draft:
    key = propose_key(table, columns, request.dataset, request.key)
    partition, none = propose_partition(table, columns, request.partition)
    specs = {h.spec.pattern: h.spec.model_copy(update={"null_values": tuple(nulls)}) for h in heads}
    return Draft(
        dataset=request.dataset,
        samples=tuple(head.sample.name for head in heads),
        rows=table.rows,
        is_whole=all(head.is_whole for head in heads),
        files=tuple(specs.values()),
        columns=tuple(columns),
        left_out=tuple(table.left_out.items()),
        nulls=tuple(nulls.items()),
        key=key,
        order_by=propose_order(columns, key.columns) if key.columns else (),
        partition=partition,
        no_partition=none,
    )


def write(folder: Path, proposal: Proposal) -> Dataset:
    """Make `folder` with both files, in one step; it must not exist, or be empty.

    Raises:
        PermanentError: it holds something, or cannot be written. Nothing is left behind then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PermanentError(
            f"Writing {str(folder)!r}: it exists, and nothing is overwritten. Choose another name, or remove it first."
        )
    aside: str | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the folder of all datasets, not in it: what loads them must not find half of one.
        aside = mkdtemp(dir=folder.parent.parent, prefix=".new-dataset-")
        made = Path(aside) / folder.name
        made.mkdir()
        (made / "contract.yaml").write_text(proposal.contract, encoding="utf-8")
        (made / "defs.yaml").write_text(proposal.defs, encoding="utf-8")
        dataset_of(made)
        os.rename(made, folder)  # noqa: PTH104  # fails where the folder has come to hold something meanwhile
    except OSError as error:
        advice = "Mend the folder's permissions, or print both files with --print."
        raise PermanentError(f"Writing {str(folder)!r}: {error.strerror or error}. {advice}") from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return dataset_of(folder)
