"""Runs that failed, as people are told of them: once for a failure, once for a backfill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from slice_platform.components.alert_labels import SEPARATOR, Labels, alike, named_partitions
from slice_platform.components.jarvis import TOLD_TAG, run_link
from slice_platform.notify.notification import Notification
from slice_platform.notify.redact import redact
from slice_platform.notify.routing import Kind, Routing
from slice_platform.notify.slack_text import code

BACKFILL_TAG, PARTITION_TAG = "dagster/backfill", "dagster/partition"
RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_ASSET_JOB = "__ASSET_JOB"  # of runs of assets or checks that no job has a name for
_WILL_RETRY = "dagster/will_retry"
_MOST_ERROR_LINES, _MOST_ERROR_CHARACTERS = 12, 1_200


@dataclass(frozen=True)
class FailedRun:
    """A run that failed for good. `partitions` is none, one, or the first and the last of a range."""

    run_id: str
    job: str
    assets: tuple[str, ...]
    checks: tuple[str, ...]  # asset:name, of a run of nothing else
    partitions: tuple[str, ...]
    backfill: str | None
    steps: tuple[str, ...]
    error: str

    @property
    def what(self) -> Literal["job", "assets", "checks"]:
        if self.job != _ASSET_JOB or not (self.assets or self.checks):
            return "job"
        return "assets" if self.assets else "checks"

    @property
    def thing(self) -> str:
        """What is good again once a later run of the same succeeds."""
        return {"job": self.job, "assets": SEPARATOR.join(self.assets), "checks": SEPARATOR.join(self.checks)}[
            self.what
        ]

    @property
    def concerned(self) -> tuple[str, ...]:
        """The assets whose owners are called."""
        return self.assets or tuple(dict.fromkeys(check.rsplit(":", 1)[0] for check in self.checks))

    @property
    def key(self) -> str:
        return f"run {self.run_id} failed"


def failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> FailedRun | None:
    """None where Dagster will try again, or the run has told of it by itself."""
    if "true" in (run.tags.get(_WILL_RETRY), run.tags.get(TOLD_TAG)):
        return None
    failures = [
        entry.dagster_event
        for entry in instance.all_logs(
            run.run_id, of_type={dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
        )
        if entry.dagster_event is not None
    ]
    steps = [event for event in failures if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    ends = [event for event in failures if event.event_type is dg.DagsterEventType.RUN_FAILURE]
    tags = (PARTITION_TAG,) if PARTITION_TAG in run.tags else RANGE_TAGS
    return FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        assets=tuple(sorted(key.to_user_string() for key in run.asset_selection or ())),
        checks=tuple(sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in run.asset_check_selection or ())),
        partitions=tuple(dict.fromkeys(run.tags[tag] for tag in tags if tag in run.tags)),
        backfill=run.tags.get(BACKFILL_TAG),
        steps=tuple(dict.fromkeys(event.step_key or "" for event in steps)),
        error=_error_of(steps, ends),
    )


def failure_notification(runs: Sequence[FailedRun], labels: Labels, routing: Routing) -> Notification:
    """Of one run, or of several of one backfill. The same failure of the same job becomes one that counts."""
    first = runs[0]
    assets = dict.fromkeys(name for run in runs for name in run.concerned)
    place = routing.place(labels.subject(Kind.RUN_FAILED, first.job, assets))
    steps = dict.fromkeys(step for run in runs for step in run.steps)
    lines = [
        place.mention,
        named_partitions(["..".join(run.partitions) for run in runs]),
        f"step {', '.join(steps)}" if steps else "",
        code(first.error) if first.error else "",
        run_link(first.run_id),
    ]
    backfill = f"backfill {first.backfill}"
    others = len({run.thing for run in runs}) - 1
    things = f"{first.thing} and {others} more" if others else first.thing
    same = f"{first.thing} {first.steps} {alike(first.error)}"
    return Notification(
        place.channel,
        "\n".join(line for line in lines if line),
        heading=f"{things} failed{f' ({backfill})' if first.backfill else ''}",
        fingerprint=f"run {backfill if first.backfill else same}",
        thread=backfill if first.backfill else first.run_id,
    )


def _error_of(steps: "list[dg.DagsterEvent]", ends: "list[dg.DagsterEvent]") -> str:
    """The head of the first step's error; where no step failed, what Dagster says of the run."""
    for event in steps:
        found = event.step_failure_data.error
        error = found.cause if found is not None and found.cause is not None else found
        description = getattr(event.step_failure_data, "user_failure_data", None)
        if description is not None and description.description:
            return _head(description.description)
        if error is not None:
            return _head(error.message)
    return _head(next((event.message or "" for event in ends), ""))


def _head(text: str) -> str:
    return redact("\n".join(text.strip().splitlines()[:_MOST_ERROR_LINES])[:_MOST_ERROR_CHARACTERS])
