"""What had failed and is good again: the same job, assets or checks, for the same partitions."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import dagster as dg
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES

from slice_platform.components.alert_labels import SEPARATOR, Labels, named_partitions
from slice_platform.components.jarvis import run_link
from slice_platform.components.run_alerts import PARTITION_TAG, RANGE_TAGS
from slice_platform.notify.notification import Notification
from slice_platform.notify.routing import Kind, Routing

Partitions = Mapping[dg.AssetKey, "dg.PartitionsDefinition[Any] | None"]


@dataclass(frozen=True)
class Failing:
    """The last failure of something for its partitions: none, one, or the first and the last of a range."""

    what: Literal["job", "assets", "checks"]
    thing: str
    partitions: tuple[str, ...]
    event: int  # that said so, in Dagster's log
    at: float  # seconds since 1970
    backfill: str | None

    @property
    def key(self) -> str:
        """Of its recovery: the same one, whoever finds it and when."""
        return f"recovered {self.thing} {self.event}"


def waited_for(failing: Sequence[Failing]) -> list[tuple[Failing, ...]]:
    """What is good again as a whole: all of a thing that failed in one backfill, or what failed by itself."""
    together: dict[tuple[str, str], list[Failing]] = defaultdict(list)
    for one in failing:
        together[one.thing, one.backfill or f"partitions {one.partitions}"].append(one)
    return [tuple(ones) for ones in together.values()]


def recovered_by(instance: dg.DagsterInstance, known: Partitions, ones: Sequence[Failing]) -> str | None:
    """The run by which these are good again; None while one of them is not, or the backfill they failed in runs."""
    if _is_running(instance, ones[0].backfill):
        return None
    runs = dict(_done_since(instance, known, ones))
    return runs[ones[-1]] if len(runs) == len(ones) else None


def recovery_notification(ones: Sequence[Failing], run_id: str, labels: Labels, routing: Routing) -> Notification:
    """Of one thing, for all of these partitions of it."""
    first = ones[0]
    job = first.thing if first.what == "job" else ""
    assets = [name.rsplit(":", 1)[0] if first.what == "checks" else name for name in first.thing.split(SEPARATOR)]
    place = routing.place(labels.subject(Kind.RECOVERED, job, [] if job else assets))
    partitions = named_partitions(["..".join(one.partitions) for one in ones])
    return Notification(
        place.channel,
        "\n".join(line for line in (partitions, run_link(run_id)) if line),
        heading=f"{first.thing} is good again",
        fingerprint=f"recovered {first.thing}" if partitions else None,
        thread=f"backfill {first.backfill}" if first.backfill else None,
    )


def _is_running(instance: dg.DagsterInstance, backfill: str | None) -> bool:
    found = instance.get_backfill(backfill) if backfill is not None else None
    return found is not None and found.status not in BULK_ACTION_TERMINAL_STATUSES


def _done_since(
    instance: dg.DagsterInstance, known: Partitions, ones: Sequence[Failing]
) -> Iterator[tuple[Failing, str]]:
    """Those of one thing that are good again, with the run that did it."""
    if ones[0].what == "assets":
        yield from _made_since(instance, known, ones)
        return
    done_by = _job_since if ones[0].what == "job" else _checks_since
    for one in ones:
        run_id = done_by(instance, one)
        if run_id is None:
            return  # they are told together
        yield one, run_id


def _job_since(instance: dg.DagsterInstance, one: Failing) -> str | None:
    names = (PARTITION_TAG,) if len(one.partitions) == 1 else RANGE_TAGS
    wanted = dg.RunsFilter(
        job_name=one.thing,
        statuses=[dg.DagsterRunStatus.SUCCESS],
        tags=dict(zip(names, one.partitions, strict=False)),
        updated_after=datetime.fromtimestamp(one.at, UTC),
    )
    found = next(iter(instance.get_run_records(wanted, limit=1)), None)
    return found.dagster_run.run_id if found is not None and (found.end_time or 0.0) > one.at else None


def _checks_since(instance: dg.DagsterInstance, one: Failing) -> str | None:
    names = [name.rsplit(":", 1) for name in one.thing.split(SEPARATOR)]
    keys = [dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), check) for asset, check in names]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    done = [
        record.run_id
        for record in found.values()
        if record.event is not None
        and record.event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
        and record.event.timestamp > one.at
        and record.partition in (None, *one.partitions)
    ]
    return done[-1] if len(done) == len(keys) else None


def _made_since(
    instance: dg.DagsterInstance, known: Partitions, ones: Sequence[Failing]
) -> Iterator[tuple[Failing, str]]:
    since = min(one.event for one in ones)
    keys = [dg.AssetKey.from_user_string(name) for name in ones[0].thing.split(SEPARATOR)]
    made = {key: _last_made(instance, key, since) for key in keys}
    for one in ones:
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            wanted = {key: _wanted(known, key, one.partitions) for key in keys}
        oldest = {key: min(made[key].get(name, -1) for name in wanted[key]) for key in keys}
        if all(event > one.event for event in oldest.values()):
            last = max(oldest, key=lambda key: oldest[key])
            records = instance.fetch_materializations(dg.AssetRecordsFilter(last, storage_ids=[oldest[last]]), limit=1)
            yield one, records.records[0].run_id


def _last_made(instance: dg.DagsterInstance, key: dg.AssetKey, since: int) -> dict[str, int]:
    """Each partition's last materialization after the event `since`, and under "" that of any."""
    last = instance.fetch_materializations(dg.AssetRecordsFilter(key, after_storage_id=since), limit=1).records
    if not last:
        return {}
    event_type = dg.DagsterEventType.ASSET_MATERIALIZATION
    return {**instance.get_latest_storage_id_by_partition(key, event_type, after_cursor=since), "": last[0].storage_id}


def _wanted(known: Partitions, key: dg.AssetKey, partitions: Sequence[str]) -> Sequence[str]:
    """What of an asset has to be made. Of one that has no partitions, whatever the run was told: itself."""
    definition = known.get(key)
    if not partitions or (key in known and definition is None):
        return [""]
    if len(partitions) == 1 or definition is None or not all(map(definition.has_partition_key, partitions)):
        return partitions
    return definition.get_partition_keys_in_range(dg.PartitionKeyRange(partitions[0], partitions[1]))
