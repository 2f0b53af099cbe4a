"""Runs that failed, as people are told of them: once for a failure, once for a backfill, and when it is good again."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from slice_platform.components.jarvis import TOLD_TAG, run_link
from slice_platform.notify.notification import Notification
from slice_platform.notify.redact import redact
from slice_platform.notify.routing import Kind, Routing, Subject
from slice_platform.notify.slack_text import code

MOST_RUNS = 200  # in a tick
SEPARATOR = ", "  # of the assets of a run that no job has a name for
_BACKFILL, _PARTITION = "dagster/backfill", "dagster/partition"
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
_WILL_RETRY = "dagster/will_retry"
_MOST_ERROR_LINES, _MOST_ERROR_CHARACTERS = 12, 1_200


@dataclass(frozen=True)
class Labels:
    """Groups and owners of assets, by key as `group/name`; read from the definitions."""

    groups: Mapping[str, str]
    owners: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, repository: dg.RepositoryDefinition | None) -> "Labels":
        if repository is None:
            return cls({}, {})
        nodes = [repository.asset_graph.get(key) for key in repository.asset_graph.get_all_asset_keys()]
        return cls(
            {node.key.to_user_string(): node.group_name or "" for node in nodes},
            {node.key.to_user_string(): tuple(node.owners) for node in nodes},
        )

    def subject(self, kind: Kind, job: str, assets: Iterable[str]) -> Subject:
        names = tuple(assets)
        owners = [owner for name in names for owner in self.owners.get(name, ())]
        groups = [self.groups[name] for name in names if name in self.groups]
        return Subject(kind, job, names, tuple(dict.fromkeys(groups)), tuple(dict.fromkeys(owners)))


@dataclass(frozen=True)
class FailedRun:
    """A run that failed for good. `job` is what people call it; of a backfill `what` says which."""

    run_id: str
    job: str
    assets: tuple[str, ...]
    partitions: str | None
    backfill: str | None
    steps: tuple[str, ...]
    error: str

    @property
    def thing(self) -> str:
        """What is good again once a later run of the same succeeds."""
        return SEPARATOR.join(self.assets) if self.job == "__ASSET_JOB" else self.job


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
    span = [run.tags[tag] for tag in _RANGE if tag in run.tags]
    return FailedRun(
        run_id=run.run_id,
        job=run.job_name,
        assets=tuple(sorted(key.to_user_string() for key in run.asset_selection or ())),
        partitions=run.tags.get(_PARTITION) or "..".join(dict.fromkeys(span)) or None,
        backfill=run.tags.get(_BACKFILL),
        steps=tuple(dict.fromkeys(event.step_key or "" for event in steps)),
        error=_error_of(steps, ends),
    )


def failure_notification(failed: FailedRun, labels: Labels, routing: Routing) -> Notification:
    """One per run; runs of one backfill, and the same failure of the same job, become one that counts them."""
    subject = labels.subject(Kind.RUN_FAILED, failed.job, failed.assets)
    place = routing.place(subject)
    lines = [
        place.mention,
        f"partition {failed.partitions}" if failed.partitions else "",
        f"step {', '.join(failed.steps)}" if failed.steps else "",
        code(failed.error) if failed.error else "",
        run_link(failed.run_id),
    ]
    same = f"backfill {failed.backfill}" if failed.backfill else f"{failed.thing} {failed.steps} {_alike(failed.error)}"
    what = f" (backfill {failed.backfill})" if failed.backfill else ""
    return Notification(
        place.channel,
        "\n".join(line for line in lines if line),
        heading=f"{failed.thing} failed{what}",
        key=f"run {failed.run_id} failed",
        fingerprint=f"run {same}",
        thread=failed.run_id if failed.backfill is None else f"backfill {failed.backfill}",
    )


def recovery_notification(thing: str, run_id: str, labels: Labels, routing: Routing) -> Notification:
    """That something that had failed is good again."""
    place = routing.place(labels.subject(Kind.RECOVERED, thing, thing.split(SEPARATOR)))
    return Notification(
        place.channel, run_link(run_id), heading=f"{thing} is good again", key=f"run {run_id} recovered {thing}"
    )


def recovered(instance: dg.DagsterInstance, failing: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """What had failed (`thing`, since seconds since 1970) and was well done since, with the run that did it."""
    for thing, since in failing.items():
        run_id = _assets_since(instance, thing, since) if "/" in thing else _job_since(instance, thing, since)
        if run_id is not None:
            yield thing, run_id


def _job_since(instance: dg.DagsterInstance, job: str, since: float) -> str | None:
    wanted = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
    found = next(iter(instance.get_run_records(wanted, limit=1)), None)
    return found.dagster_run.run_id if found is not None and (found.end_time or 0.0) > since else None


def _assets_since(instance: dg.DagsterInstance, assets: str, since: float) -> str | None:
    events = [
        instance.get_latest_materialization_event(dg.AssetKey.from_user_string(name))
        for name in assets.split(SEPARATOR)
    ]
    made = [event for event in events if event is not None and event.timestamp > since]
    return made[-1].run_id if len(made) == len(events) else None


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


def _alike(error: str) -> str:
    """The first line without its numbers: the same failure elsewhere."""
    first = error.splitlines()[0] if error else ""
    return "".join("#" if sign.isdigit() else sign for sign in first)
