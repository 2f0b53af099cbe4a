"""The code location: everything below defs/, the sensors of what is dropped, one executor."""

from pathlib import Path

import dagster as dg

from slice_platform.components.alerts import alerts_sensor
from slice_platform.components.corrections import correction_jobs
from slice_platform.components.database_source import with_sources
from slice_platform.components.in_step import compare_job, compare_schedule
from slice_platform.components.jarvis import Slack, outbox_asset, outbox_check, outbox_sensor
from slice_platform.components.lake_dataset import INGEST_PREFIX
from slice_platform.components.landing_sensor import landing_sensor
from slice_platform.components.propagator import propagate_job, propagator_sensor
from slice_platform.components.refresh import REFRESH_PREFIX
from slice_platform.components.refresh_sensor import refresh_sensor
from slice_platform.components.runtime import tables_at
from slice_platform.notify.routing import read_routing
from slice_platform.settings import load_settings


@dg.definitions
def defs() -> dg.Definitions:
    """Loads without network, credentials or side effects.

    Steps run in the process of their run: a process per step costs seconds on every one of them.
    """
    loaded = dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
    settings = load_settings()
    tables_at(Path(__file__).parent / "defs")  # also what one folder alone cannot know, such as two copies of one name
    sensor = landing_sensor(_jobs(loaded, INGEST_PREFIX), tick_seconds=settings.landing_tick_seconds)
    refresh = refresh_sensor(_jobs(loaded, REFRESH_PREFIX), tick_seconds=settings.refresh_tick_seconds)
    read_routing(settings.notify_routes)  # a mistake in it is told now
    propagate, compare = propagate_job(), compare_job()
    own = dg.Definitions(
        sensors=[
            sensor,
            refresh,
            propagator_sensor(propagate, tick_seconds=settings.landing_tick_seconds),
            alerts_sensor(),
            outbox_sensor(),
        ],
        jobs=[*correction_jobs(), propagate, compare],
        schedules=[compare_schedule(compare)],
        assets=[outbox_asset()],
        asset_checks=[outbox_check()],
        resources={"slack": Slack()},
        executor=dg.in_process_executor,
    )
    return with_sources(dg.Definitions.merge(loaded, own))


def _jobs(loaded: dg.Definitions, prefix: str) -> list[dg.JobDefinition]:
    return [job for job in loaded.jobs or [] if isinstance(job, dg.JobDefinition) and job.name.startswith(prefix)]
