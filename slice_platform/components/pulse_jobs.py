"""The jobs of Pulse: publish, sync, probe. Each is thin: what it does is in `slice_platform.ops.pulse`."""

from collections.abc import Callable

import dagster as dg
from pydantic import Field

from slice_platform.components.jarvis import TOLD_TAG
from slice_platform.components.operations import FenceConfig, actor_of, outcome_metadata, tell_outcome
from slice_platform.components.pulse_runtime import (
    PROBE,
    Probed,
    heartbeat_dir,
    monitors_to_run,
    probe_round,
    published_store,
    tell_problems,
    tell_refusal,
)
from slice_platform.components.runtime import told_to_dagster
from slice_platform.errors import FenceRefused
from slice_platform.ops.fence import Mandate
from slice_platform.ops.journal import Journal, open_journal
from slice_platform.ops.pulse import publish, sync
from slice_platform.ops.pulse.monitors_dir import read_dir
from slice_platform.ops.pulse.publish import Delivered
from slice_platform.ops.pulse.spec import PulseSpec
from slice_platform.ops.pulse.uptime import Status
from slice_platform.settings import Settings, load_settings

PUBLISH_OP, SYNC_OP, PROBE_OP = "publish_monitors", "sync_monitors", "probe_monitors"
_Work = Callable[[Settings, Mandate, Journal], Delivered]


class ProbeConfig(dg.Config):
    """Which monitors are run."""

    only_due: bool = Field(default=False, description="Only those whose schedule says so; else all that are enabled.")


def publish_job(spec: PulseSpec) -> dg.JobDefinition:
    """The bucket has what the directory in git has."""

    def work(settings: Settings, mandate: Mandate, journal: Journal) -> Delivered:
        return publish.publish(read_dir(settings.pulse_monitors_dir), published_store(settings), mandate, journal)

    op = _fenced_op(PUBLISH_OP, publish.JOB, spec, work, lambda settings: settings.pulse_root)

    @dg.job(
        name=publish.JOB,
        description="Publish the monitors of SLICE_PULSE_MONITORS_DIR with a manifest of hashes. A file that is wrong "
        "keeps its last good version, and then the run fails. Only plans, unless its config says `apply: true`.",
    )
    def job() -> None:
        op()

    return job


def sync_job(spec: PulseSpec) -> dg.JobDefinition:
    """Heartbeat's directory has what is published."""

    def work(settings: Settings, mandate: Mandate, journal: Journal) -> Delivered:
        return sync.sync(published_store(settings), heartbeat_dir(settings), mandate, journal)

    op = _fenced_op(SYNC_OP, sync.JOB, spec, work, lambda settings: str(settings.pulse_directory))

    @dg.job(
        name=sync.JOB,
        description="Bring the published monitors into Heartbeat's directory, by hash. Only plans, unless its config "
        "says `apply: true`, as that of pulse_sensor does.",
    )
    def job() -> None:
        op()

    return job


def probe_job(spec: PulseSpec) -> dg.JobDefinition:
    """The monitors of Heartbeat's directory are run here."""

    @dg.op(name=PROBE_OP, out=dg.Out(dg.Nothing))
    def op(context: dg.OpExecutionContext, config: ProbeConfig) -> None:
        settings = load_settings()
        with told_to_dagster():
            done = probe_round(settings, spec, monitors_to_run(settings), only_due=config.only_due)
        for problem in done.unread:
            context.log.warning(f"Not run: {problem}")
        for alert in done.alerts:
            context.log.warning(f"{alert.heading}: {alert.message}")
        context.add_output_metadata(probe_metadata(done))

    @dg.job(
        name=PROBE,
        description="Run the http, tcp and icmp monitors without Heartbeat; results go to the dataset uptime, and "
        "who has to know is told. A service that is down is no failed run.",
    )
    def job() -> None:
        op()

    return job


def probe_metadata(done: Probed) -> dict[str, dg.MetadataValue]:
    """A round as the page of its run shows it."""
    rows = [
        dg.TableRecord(
            {"service": one.endpoint.service, "endpoint": one.endpoint.name, "status": one.status.value,
             "latency_ms": one.latency_ms if one.latency_ms is not None else "", "error": one.error or ""}
        )
        for one in done.results
    ]  # fmt: skip
    counts = {status.value: sum(one.status is status for one in done.results) for status in Status}
    shown: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.int(count) for name, count in counts.items()}
    if rows:
        shown["results"] = dg.MetadataValue.table(rows)
    return {**shown, "recorded": dg.MetadataValue.text(done.key or "nothing was due")}


def _fenced_op(name: str, job: str, spec: PulseSpec, work: _Work, target: Callable[[Settings], str]) -> dg.OpDefinition:
    """An op that goes through the fence, tells what it did, and fails in the end where files are wrong."""

    @dg.op(name=name, out=dg.Out(dg.Nothing))
    def op(context: dg.OpExecutionContext, config: FenceConfig) -> None:
        settings, actor = load_settings(), actor_of(context.run)
        mandate = Mandate(actor, config.apply, config.limits(spec.limits), context.log.info)
        with told_to_dagster(), open_journal(settings) as journal:
            try:
                done = work(settings, mandate, journal)
            except FenceRefused as refused:
                tell_refusal(job, refused, actor, settings)
                context.instance.add_run_tags(context.run_id, {TOLD_TAG: "true"})
                raise
        _tell(context, job, target(settings), done, actor)

    return op


def _tell(context: dg.OpExecutionContext, job: str, target: str, done: Delivered, actor: str) -> None:
    if done.outcome is not None:
        tell_outcome(done.outcome, actor=actor, run_id=context.run_id)
        context.log.info(done.outcome.summary())
        context.add_output_metadata(outcome_metadata(done.outcome))
    if not done.problems:
        return
    tell_problems(job, target, done.problems, load_settings())
    context.instance.add_run_tags(context.run_id, {TOLD_TAG: "true"})
    said = "\n".join(str(problem) for problem in done.problems)
    raise dg.Failure(f"All other files were dealt with; these are wrong:\n{said}", allow_retries=False)
