"""Runs of the ingest jobs from the command line, on the instance that the UI shows."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from slice_platform.cli.notify import send_kept
from slice_platform.components.lake_dataset import INGEST_PREFIX
from slice_platform.components.lake_partitions import RANGE_END_TAG, RANGE_TAG
from slice_platform.components.landing_sensor import STRAYS_JOB
from slice_platform.components.runtime import reporting, run_lake
from slice_platform.errors import PermanentError
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import look
from slice_platform.lake.partitions import WHOLE_TABLE

QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
TAGS = {"slice/from": "cli"}


def ingest_all(names: list[str] | None, console: Console) -> list[dg.AssetCheckEvaluation]:
    """Run `ingest_<dataset>` for each named dataset, or for all with something to do, one after the other.

    Returns every check evaluation of these runs.

    Raises:
        PermanentError: a run failed; the message names it and says where to look.
    """
    with run_lake() as lake:
        wanted = [lake.dataset(name).name for name in names] if names else with_work(lake)
        has_strays = names is None and bool(look(lake).strays)
    if not wanted and not has_strays:
        console.print("Nothing to do: landing is empty and everything received is published.")
        return []
    from slice_platform.definitions import defs  # loads every folder below defs/

    definitions = defs()
    jobs = [f"{INGEST_PREFIX}{name}" for name in wanted] + ([STRAYS_JOB] if has_strays else [])
    try:
        with dg.DagsterInstance.get() as instance:
            return [one for job in jobs for one in run_job(definitions, instance, job, console)]
    finally:
        send_kept()


def with_work(lake: Lake) -> list[str]:
    """Datasets with files in landing, or received and not yet published; of a set that waits its check is told."""
    landing = look(lake)
    writing = {entry.key.split("/")[1] for entry in landing.still_written}
    in_landing = landing.pending.keys() | landing.waiting.keys() | writing
    return sorted((in_landing | lake.ledger.unfinished_datasets()) & lake.datasets.keys())


def run_job(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    console: Console,
    *,
    run_config: Mapping[str, object] = MappingProxyType({}),
) -> list[dg.AssetCheckEvaluation]:
    """Run one job in this process, with bars on a terminal; its check evaluations.

    Raises:
        PermanentError: the run failed; the message says where to look.
    """
    columns = (
        TextColumn("{task.description:<28}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"{job}: {what}", total=of)
            bars.update(tasks[what], completed=done)

        with reporting(show):
            result = definitions.resolve_job_def(job).execute_in_process(
                instance=instance, run_config={**QUIET, **run_config}, raise_on_error=False, tags=TAGS
            )
    return _evaluations(result, job)


def rebuild_range(definitions: dg.Definitions, instance: dg.DagsterInstance, name: str, keys: Sequence[str]) -> None:
    """Materialize a contiguous range of partitions of curated/<name> in one run, as a backfill would.

    Raises:
        PermanentError: the run failed; the message says where to look.
    """
    materialize(definitions, instance, dg.AssetKey(["curated", name]), keys)


def materialize(
    definitions: dg.Definitions, instance: dg.DagsterInstance, key: dg.AssetKey, keys: Sequence[str]
) -> list[dg.AssetCheckEvaluation]:
    """Materialize a contiguous range of partitions of an asset in one run, with its checks.

    Raises:
        PermanentError: the run or a check of it failed; the message says where to look.
    """
    is_divided = list(keys) != [WHOLE_TABLE]
    result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        run_config=QUIET,
        asset_selection=[key],
        tags={**TAGS, **({RANGE_TAG: keys[0], RANGE_END_TAG: keys[-1]} if is_divided else {})},
        raise_on_error=False,
    )
    return _evaluations(result, key.to_user_string())


def materialize_one(key: Sequence[str]) -> None:
    """Materialize an asset without partitions.

    Raises:
        PermanentError: the run failed; the message says where to look.
    """
    from slice_platform.definitions import defs  # loads every folder below defs/

    with dg.DagsterInstance.get() as instance:
        materialize(defs(), instance, dg.AssetKey(key), [WHOLE_TABLE])


def _evaluations(result: dg.ExecuteInProcessResult, job: str) -> list[dg.AssetCheckEvaluation]:
    if not result.success:
        failures = why_failed(result)
        raise PermanentError(
            f"Run {result.run_id} of {job} failed: {failures.rstrip('.')}. Its log is in the UI: slice dev."
        )
    return list(result.get_asset_check_evaluations())


def why_failed(result: dg.ExecuteInProcessResult) -> str:
    return "; ".join(_reason(event) for event in result.get_step_failure_events())


def _reason(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    error = failure.error
    return (error.cause or error).message.strip() if error else "no reason given"
