"""Every hour the latest partitions of all projections are compared with the lake: somebody may have changed a table."""

from collections.abc import Sequence

import dagster as dg

from slice_platform.components.projection_events import comparison_evaluation, comparison_words
from slice_platform.components.propagator_runtime import open_destination
from slice_platform.components.runtime import is_in_flight, run_lake, told_to_dagster
from slice_platform.errors import SliceError
from slice_platform.lake.lake import Lake
from slice_platform.projections.in_step import Comparison, compare, compare_whole
from slice_platform.projections.projecting import Projecting
from slice_platform.projections.projection import Projection, all_projections

COMPARE = "compare_projections"


def compare_job() -> dg.JobDefinition:
    """The check `in_step` of the latest partitions of every projection. Nothing is changed."""

    @dg.op(name="compare", out=dg.Out(dg.Nothing))
    def op(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake:
            failed = [problem for one in all_projections(lake) if (problem := _compare(context, lake, one))]
        if failed:
            raise dg.Failure("\n".join(failed), allow_retries=False)

    @dg.job(
        name=COMPARE,
        description="Compare the latest partitions of every projection with the lake, and tell what somebody changed.",
    )
    def job() -> None:
        op()

    return job


def compare_schedule(job: dg.JobDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"{COMPARE}_schedule",
        job=job,
        cron_schedule="41 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every hour, where anything is projected.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        if is_in_flight(context.instance, job.name):
            return dg.SkipReason("The last comparison is still under way.")
        with run_lake() as lake:
            is_any = any(latest(lake, one) for one in all_projections(lake))
        return dg.RunRequest() if is_any else dg.SkipReason("Nothing was projected yet.")

    return schedule


def latest(lake: Lake, projection: Projection) -> list[str]:
    """The latest partitions that the ledger knows to be in the database, as many as the settings say."""
    built = sorted(lake.ledger.built(projection.ledger_key))
    return built[-lake.settings.in_step_partitions :]


def _compare(context: dg.OpExecutionContext, lake: Lake, projection: Projection) -> str | None:
    """Log an evaluation of each partition; why that could not be done, or None."""
    keys = latest(lake, projection)
    try:
        with open_destination(projection.ref) as destination:
            lost = Projecting(lake, destination, projection, context.run_id).notice_lost()
            compared = [*compare(lake, destination, projection, keys), *compare_whole(destination, projection)]
    except SliceError as error:  # of whatever kind: the next hour asks again, and the other copies are asked now
        return f"{projection.ref} could not be compared: {error}"
    for one in compared:
        context.log_event(comparison_evaluation(projection, one))  # type: ignore[arg-type]  # accepted; the annotation lags
    _log(context.log, projection, compared)
    if lost:
        context.log.error(f"{projection.ref} has lost {len(lost)} partitions; the sensor has them brought again")
    return None


def _log(log: dg.DagsterLogManager, projection: Projection, compared: Sequence[Comparison]) -> None:
    wrong = [one for one in compared if one.problem]
    log.info(f"{projection.ref}: {len(compared)} partitions compared, {len(wrong)} not in step")
    for one in wrong:
        log.error(comparison_words(projection, one))
