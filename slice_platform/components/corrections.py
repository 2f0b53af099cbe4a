"""Three jobs over all datasets for what a person decides: take a file back, replay, rebuild a whole table."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

import dagster as dg
from pydantic import Field

from slice_platform.components.lake_events import tell
from slice_platform.components.runtime import report, run_lake, told_to_dagster
from slice_platform.lake.accounts import Published
from slice_platform.lake.corrections import replay, retract
from slice_platform.lake.ingest import rebuild_partitions
from slice_platform.lake.lake import Lake

RETRACT, REPLAY, REBUILD = "retract", "replay", "rebuild"


class RetractConfig(dg.Config):
    """Which file to take back."""

    dataset: str
    file: str = Field(description="Its id in `slice files`, its path below landing/<dataset>/, or its name.")


class ReplayConfig(dg.Config):
    """What to read again."""

    dataset: str
    file: str | None = Field(default=None, description="Id, path or name; default everything set aside.")


class RebuildConfig(dg.Config):
    """Which table to make again."""

    dataset: str


Work: TypeAlias = Callable[[Lake], Iterable[Published]]


def correction_jobs() -> list[dg.JobDefinition]:
    """`retract`, `replay` and `rebuild`; their config names the dataset."""
    return [_retract_job(), _replay_job(), _rebuild_job()]


def _retract_job() -> dg.JobDefinition:
    @dg.op(name="retract_file", out=dg.Out(dg.Nothing))
    def op(context: dg.OpExecutionContext, config: RetractConfig) -> None:
        _do(context, config.dataset, lambda lake: retract(lake, config.dataset, config.file))

    @dg.job(name=RETRACT, description="Take back a file that was sent by mistake; raw and ledger keep it.")
    def job() -> None:
        op()

    return job


def _replay_job() -> dg.JobDefinition:
    @dg.op(name="replay_files", out=dg.Out(dg.Nothing))
    def op(context: dg.OpExecutionContext, config: ReplayConfig) -> None:
        _do(context, config.dataset, lambda lake: replay(lake, config.dataset, config.file, report))

    @dg.job(name=REPLAY, description="Read files and rows in quarantine again, after the contract was mended.")
    def job() -> None:
        op()

    return job


def _rebuild_job() -> dg.JobDefinition:
    @dg.op(name="rebuild_table", out=dg.Out(dg.Nothing))
    def op(context: dg.OpExecutionContext, config: RebuildConfig) -> None:
        _do(context, config.dataset, lambda lake: [rebuild_partitions(lake, config.dataset, None, report)])

    @dg.job(
        name=REBUILD,
        description="Make a whole table again from raw, in one commit, under the contract as it is now. "
        "Single partitions: materialize them, or run a backfill.",
    )
    def job() -> None:
        op()

    return job


def _do(context: dg.OpExecutionContext, name: str, work: Work) -> None:
    with told_to_dagster(), run_lake() as lake:
        tell(context, lake, lake.dataset(name), work(lake))
