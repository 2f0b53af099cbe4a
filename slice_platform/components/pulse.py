"""The component `Pulse`: monitors of services, from git to Heartbeat, or run by the platform itself."""

import dagster as dg
from pydantic import BaseModel

from slice_platform.components.asked import digest_of
from slice_platform.components.job_requests import ask
from slice_platform.components.operations import FenceConfig
from slice_platform.components.pulse_jobs import PROBE_OP, SYNC_OP, ProbeConfig, probe_job, publish_job, sync_job
from slice_platform.components.pulse_runtime import heartbeat_dir, monitors_to_run, published_store
from slice_platform.components.runtime import is_in_flight
from slice_platform.errors import PulseManifestBroken
from slice_platform.ops.pulse.manifest import read_manifest
from slice_platform.ops.pulse.spec import PulseSpec
from slice_platform.ops.pulse.sync import behind
from slice_platform.settings import Settings, load_settings


class Pulse(dg.Component):
    """Monitors as files in git, one per service, that a bucket and a sensor bring to Heartbeat within a minute."""

    def __init__(self, spec: PulseSpec) -> None:
        self.spec = spec

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return PulseSpec

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> "Pulse":  # noqa: ARG003  # Dagster's signature
        assert isinstance(attributes, PulseSpec)
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002  # Dagster's signature
        sync, probe = sync_job(self.spec), probe_job(self.spec)
        return dg.Definitions(
            jobs=[publish_job(self.spec), sync, probe],
            sensors=[pulse_sensor(sync, self.spec)],
            schedules=[probe_schedule(probe, self.spec)],
        )


def pulse_sensor(job: dg.JobDefinition, spec: PulseSpec) -> dg.SensorDefinition:
    """Compares what is published with what Heartbeat's directory has, and has the difference brought."""

    @dg.sensor(
        name="pulse_sensor",
        job=job,
        minimum_interval_seconds=spec.tick_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings published monitors into Heartbeat's directory, and puts back what somebody changed there.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        todo = _to_do(load_settings())
        if todo is None:
            return dg.SkipReason("Nothing is published yet: slice pulse publish --apply")
        result = ask(context, {job.name: digest_of(todo)} if todo else {})
        config = dg.RunConfig(ops={SYNC_OP: FenceConfig(apply=True)})
        requests = [dg.RunRequest(run_config=config, tags=dict(one.tags)) for one in result.run_requests or []]
        said = None if requests else "The last request is under way." if todo else "Heartbeat's directory is in step."
        return dg.SensorResult(run_requests=requests, cursor=result.cursor, skip_reason=said)

    return sensor


def _to_do(settings: Settings) -> tuple[str, ...] | None:
    """What a sync would look at; None where nothing is published.

    What cannot be told is to do, too: the run that is asked for fails, and by that people learn of it.
    """
    try:
        manifest = read_manifest(published_store(settings))
        return None if manifest is None else behind(manifest, heartbeat_dir(settings))
    except PulseManifestBroken as error:
        return (str(error),)


def probe_schedule(job: dg.JobDefinition, spec: PulseSpec) -> dg.ScheduleDefinition:
    """Runs what is due, one round at a time. Stopped unless the YAML says `is_on: true`: it makes a file a minute."""
    status = dg.DefaultScheduleStatus.RUNNING if spec.probe.is_on else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=spec.probe.schedule,
        execution_timezone="UTC",
        default_status=status,
        description="Runs the monitors that are due, where there is no Heartbeat.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        directory = monitors_to_run(load_settings())
        if not any(directory.glob("*.yml")):
            return dg.SkipReason(f"No monitors in {directory}: add one, docs/pulse.md tells how.")
        if is_in_flight(context.instance, job.name):
            return dg.SkipReason("The last round is still under way.")
        return dg.RunRequest(run_config=dg.RunConfig(ops={PROBE_OP: ProbeConfig(only_due=True)}))

    return schedule
