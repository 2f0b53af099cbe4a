"""How a run meets the lake, and how the platform's errors become Dagster's."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path

import dagster as dg
from dagster import DagsterRunStatus

from slice_platform.errors import SliceError, TransientError
from slice_platform.lake.ingest import Progress
from slice_platform.lake.lake import Lake, Tables, load_tables, open_lake
from slice_platform.projections.projection import all_projections
from slice_platform.settings import load_settings

IN_FLIGHT = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
RETRIES = 3
RETRY_SECONDS = 10.0


def _tell_nobody(_what: str, _done: int, _of: int) -> None:
    return None


_progress: ContextVar[Progress] = ContextVar("slice_progress", default=_tell_nobody)


@contextmanager
def run_lake() -> Iterator[Lake]:
    """The lake of this deployment, for the length of a step or a sensor tick."""
    settings = load_settings()
    with open_lake(settings, tables_at(settings.defs_dir)) as lake:
        yield lake


@contextmanager
def told_to_dagster() -> Iterator[None]:
    """Transient errors are retried by Dagster, permanent ones are not."""
    try:
        yield
    except TransientError as error:
        raise dg.RetryRequested(max_retries=RETRIES, seconds_to_wait=RETRY_SECONDS) from error
    except SliceError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error


def is_in_flight(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of the job waits or is under way."""
    return bool(instance.get_runs(filters=dg.RunsFilter(job_name=job, statuses=IN_FLIGHT), limit=1))


def tables_at(defs_dir: Path) -> Tables:
    """Every table below the folder, read once as long as no file of it changes.

    Raises:
        ContractError: one of them is wrong, or two contradict each other.
    """
    files = sorted(path for end in ("yaml", "sql") for path in defs_dir.rglob(f"*.{end}"))
    return _tables(defs_dir, tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files))


@lru_cache(maxsize=4)
def _tables(defs_dir: Path, _files: tuple[tuple[str, int, int], ...]) -> Tables:
    tables = load_tables(defs_dir)
    all_projections(tables)  # two of them may claim one table
    return tables


@contextmanager
def reporting(progress: Progress) -> Iterator[None]:
    """Steps that run in this process tell `progress` how far they are; other runs tell nobody."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


def report(what: str, done: int, of: int) -> None:
    _progress.get()(what, done, of)
