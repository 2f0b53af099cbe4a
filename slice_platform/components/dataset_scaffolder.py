"""`dg scaffold defs slice_platform.components.lake_dataset.LakeDataset NAME --sample FILE`: a dataset from a sample."""

from pathlib import Path

import click
import dagster as dg
from pydantic import BaseModel, Field

from slice_platform.errors import PermanentError, SliceError
from slice_platform.settings import load_settings


class SampleParams(BaseModel):
    """What `slice new-dataset` takes, too. Lists are given with commas: dg has no repeated options."""

    sample: str | None = Field(default=None, description="Files or folders with sample rows; several with commas.")
    key: str | None = Field(default=None, description="Columns that name a row, with commas; default guessed.")
    partition: str | None = Field(default=None, description="COLUMN, COLUMN:GRAIN or none; default guessed.")
    rows: int = Field(default=200_000, description="How many rows of the samples to read.")


class DatasetScaffolder(dg.Scaffolder[SampleParams]):
    """Writes contract.yaml and defs.yaml; the folder that dg made is removed again where that fails."""

    @classmethod
    def get_scaffold_params(cls) -> type[SampleParams]:
        return SampleParams

    def scaffold(self, request: dg.ScaffoldRequest[SampleParams]) -> None:
        """Raises click.ClickException, so that dg prints a sentence and no stack."""
        try:
            _scaffold(request)
        except SliceError as error:
            if request.target_path.is_dir() and not any(request.target_path.iterdir()):
                request.target_path.rmdir()
            raise click.ClickException(str(error)) from error


def _scaffold(request: dg.ScaffoldRequest[SampleParams]) -> None:
    # Loading the definitions imports this module, and has no use for what reads samples.
    from slice_platform.lake.sampling.new_dataset import Request, propose, refuse_name, write  # noqa: PLC0415

    params, name = request.params, request.target_path.name
    if request.scaffold_format != "yaml" or request.append:
        raise PermanentError(f"Scaffolding {name!r}: a dataset is two YAML files. Leave out --format.")
    if not params.sample:
        raise PermanentError(
            f"Scaffolding {name!r}: the types are concluded from rows. Give --sample FILE, or write both files by hand "
            "(docs/datasets.md)."
        )
    settings = load_settings()
    refuse_name(settings, name)
    proposal = propose(
        settings,
        Request(
            dataset=name,
            samples=tuple(_existing(part) for part in _parts(params.sample)),
            key=tuple(_parts(params.key or "")),
            partition=params.partition,
            rows=params.rows,
        ),
    )
    write(request.target_path, proposal)
    click.echo(f"Wrote contract.yaml and defs.yaml from {proposal.draft.source}; guesses are marked `guess`.")


def _parts(listed: str) -> list[str]:
    return [part.strip() for part in listed.split(",") if part.strip()]


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.exists():
        raise PermanentError(f"Reading the sample {name!r}: there is no such file or folder here. Check the path.")
    return path
