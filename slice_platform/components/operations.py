"""What the jobs of operations share: the switch that makes them act, who asked for them, and who is told."""

import dagster as dg
from dagster import DagsterRun

from slice_platform.components.jarvis import run_link
from slice_platform.errors import SliceError
from slice_platform.notify.jarvis import notify
from slice_platform.notify.slack_text import code
from slice_platform.ops.fence import Limits, Outcome
from slice_platform.ops.journal import PlanState
from slice_platform.ops.plan import Plan
from slice_platform.settings import load_settings

_MOST_LINES = 40  # of a plan in a message; the whole of it is in the run and in `slice ops show`


class FenceConfig(dg.Config):
    """Run config of every job that changes something: without `apply` it only plans."""

    apply: bool = False
    max_resources: int | None = None  # instead of what the job's YAML allows
    max_share: float | None = None

    def limits(self, of: Limits) -> Limits:
        return of.but(self.max_resources, self.max_share)


def actor_of(run: DagsterRun) -> str:
    """Who had the run made: a person of the UI, a sensor, a schedule or a command."""
    tags = run.tags
    for tag, kind in (("dagster/schedule_name", "schedule"), ("dagster/sensor_name", "sensor"), ("user", "user")):
        if tag in tags:
            return f"{kind} {tags[tag]}, run {run.run_id}"
    return f"run {run.run_id}"


def plan_metadata(plan: Plan) -> dict[str, dg.MetadataValue]:
    """A plan as the page of its run shows it."""
    rows = [
        dg.TableRecord({"act": one.verb, "kind": one.kind, "resource": one.resource, "why": one.reason})
        for one in plan.changes
    ]
    columns = [dg.TableColumn(name) for name in ("act", "kind", "resource", "why")]
    shown: dict[str, dg.MetadataValue] = {"plan": dg.MetadataValue.text(plan.summary())}
    if rows:
        shown["changes"] = dg.MetadataValue.table(rows, dg.TableSchema(columns))
    return shown


def outcome_metadata(outcome: Outcome) -> dict[str, dg.MetadataValue]:
    """What became of a plan, as the page of its run shows it."""
    return {
        **plan_metadata(outcome.plan),
        "outcome": dg.MetadataValue.text(outcome.summary()),
        "plan_id": dg.MetadataValue.int(outcome.plan_id),
        "changes_made": dg.MetadataValue.int(len(outcome.done)),
    }


def tell_outcome(outcome: Outcome, *, actor: str, run_id: str | None = None) -> None:
    """The channel of operations is told what a plan did; a plan that had nothing to do, or was only made, tells nobody.

    Once for each plan, however often it is called.
    """
    if outcome.state is PlanState.PLANNED or not outcome.plan.changes:
        return
    lines = list(outcome.plan.lines())
    more = (
        [f"and {len(lines) - _MOST_LINES} more: slice ops show {outcome.plan_id}"] if len(lines) > _MOST_LINES else []
    )
    parts = [
        f"{outcome.summary()}, by {actor}",
        code("\n".join([*lines[:_MOST_LINES], *more])),
        run_link(run_id) if run_id else "",
    ]
    notify(
        load_settings().ops_channel,
        "\n".join(part for part in parts if part),
        heading=f"{outcome.plan.job} of {outcome.plan.target}: {outcome.state.value}",
        key=f"ops plan {outcome.plan_id} {outcome.state.value}",
        thread=run_id,
    )


def tell_failure(what: str, error: SliceError, *, actor: str) -> None:
    """The channel of operations is told that something was not done to its end. Of runs a hook of Dagster tells."""
    notify(load_settings().ops_channel, f"by {actor}\n{code(str(error))}", heading=f"{what} failed")
