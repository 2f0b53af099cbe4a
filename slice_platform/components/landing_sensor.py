"""One sensor for all datasets: what lies in landing, or was received and not published, is to do.

Level-triggered: it compares what is with what should be at every tick and remembers nothing it could miss.
The cursor only slows it down: a set of files whose run did not take it is asked for again ever more rarely.
"""

from collections.abc import Sequence

import dagster as dg

from slice_platform.components.asked import digest_of, fingerprint_of
from slice_platform.components.job_requests import ask
from slice_platform.components.lake_dataset import INGEST_PREFIX
from slice_platform.components.runtime import run_lake, told_to_dagster
from slice_platform.components.set_checks import fingerprint, last_told
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import look
from slice_platform.lake.receive import set_aside_strays
from slice_platform.lake.taken_sets import has_taken_sets
from slice_platform.records import FileStatus

STRAYS_JOB = "set_aside_strays"


def strays_job() -> dg.JobDefinition:
    """Moves objects of no known dataset from landing to quarantine, with the reason."""

    @dg.op(name="set_aside", out=dg.Out(dg.Nothing))
    def set_aside(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake:
            for row in set_aside_strays(lake, look(lake).strays):
                context.log.warning(f"{row.source_key} is in quarantine: {row.error}")

    @dg.job(name=STRAYS_JOB, description="Put objects that belong to no dataset into quarantine, never silently.")
    def strays() -> None:
        set_aside()

    return strays


def landing_sensor(ingest_jobs: Sequence[dg.JobDefinition], *, tick_seconds: float) -> dg.SensorDefinition:
    """Requests `ingest_<dataset>` for each dataset with pending files, one run at a time per dataset."""

    @dg.sensor(
        name="landing_sensor",
        jobs=[*ingest_jobs, strays_job()],
        minimum_interval_seconds=max(1, round(tick_seconds)),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Watches landing; a file is published once it rested for one tick.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        result = ask(context, _to_do(context.instance))
        return result if result.run_requests else dg.SkipReason("Nothing pending in landing that is not under way.")

    return sensor


def _to_do(instance: dg.DagsterInstance) -> dict[str, str]:
    """Job -> fingerprint of what it is needed for: files to take or publish, and sets of which nobody was told."""
    with run_lake() as lake:
        landing = look(lake)
        todo = {f"{INGEST_PREFIX}{name}": fingerprint_of(entries) for name, entries in landing.pending.items()}
        for name in lake.ledger.unfinished_datasets() & lake.datasets.keys():
            if not _can_be_published(lake, lake.datasets[name]):
                continue
            waiting = lake.ledger.list_files(name, statuses=[FileStatus.RECEIVED])
            job = f"{INGEST_PREFIX}{name}"
            todo[job] = digest_of([todo.get(job, ""), *(str(file.id) for file in waiting)])
        for name in [dataset.name for dataset in lake.datasets.values() if dataset.spec.sets]:
            told = fingerprint(landing.waiting.get(name, []))
            if told != last_told(instance, name):
                job = f"{INGEST_PREFIX}{name}"
                todo[job] = digest_of([todo.get(job, ""), told])
        if landing.strays:
            todo[STRAYS_JOB] = fingerprint_of(landing.strays)
    return todo


def _can_be_published(lake: Lake, dataset: Dataset) -> bool:
    """Files of a set that is not complete wait in raw: no run can do anything for them."""
    if dataset.spec.sets is None:
        return True
    return has_taken_sets(lake, dataset) or bool(lake.ledger.open_batches(dataset.name))
