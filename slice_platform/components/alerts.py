"""The sensor that tells people of failures: of runs, of checks, of assets that are late - and when they are good again.

It compares what is with what was told, so nothing that happened between two ticks is missed. Of a state that it finds
when it runs for the first time it tells nothing.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import dagster as dg

from slice_platform.components.check_alerts import (
    Evaluated,
    check_notification,
    evaluated,
    passed_again,
    rows_as_csv,
)
from slice_platform.components.run_alerts import (
    MOST_RUNS,
    Labels,
    failed_run,
    failure_notification,
    recovered,
    recovery_notification,
)
from slice_platform.notify.jarvis import Jarvis, open_jarvis
from slice_platform.notify.notification import Notification
from slice_platform.notify.routing import Kind, Routing, read_routing
from slice_platform.settings import load_settings


@dataclass(frozen=True)
class Told:
    """What the sensor keeps between ticks."""

    runs: str | None = None  # cursor of Dagster's run failures
    failing: dict[str, float] = field(default_factory=dict)  # job or assets -> when they failed
    checks: dict[str, int] = field(default_factory=dict)  # check -> id of the last record
    bad_checks: tuple[str, ...] = ()
    late: tuple[str, ...] = ()  # assets

    @classmethod
    def read(cls, text: str | None) -> "Told | None":
        if not text:
            return None
        kept = json.loads(text)
        return cls(**{**kept, "bad_checks": tuple(kept["bad_checks"]), "late": tuple(kept["late"])})

    def text(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Tick:
    """What one look needs."""

    instance: dg.DagsterInstance
    labels: Labels
    routing: Routing
    jarvis: Jarvis
    check_keys: tuple[dg.AssetCheckKey, ...]
    asset_keys: tuple[dg.AssetKey, ...]


def alerts_sensor() -> dg.SensorDefinition:
    """Every failure is in the outbox, once; the outbox sensor sends it."""

    @dg.sensor(
        name="alerts_sensor",
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs, failed checks and late assets, and when they are good again.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        repository = context.repository_def
        graph = repository.asset_graph if repository is not None else None
        with open_jarvis() as jarvis:
            tick = Tick(
                context.instance,
                Labels.of(repository),
                read_routing(load_settings().notify_routes),
                jarvis,
                tuple(sorted(graph.asset_check_keys)) if graph is not None else (),
                tuple(sorted(graph.get_all_asset_keys())) if graph is not None else (),
            )
            before = Told.read(context.cursor)
            told = look(tick, before)
        context.update_cursor(told.text())
        return dg.SkipReason("Failures are told, see the channels." if before else "From now on failures are told.")

    return sensor


def look(tick: Tick, before: Told | None) -> Told:
    """Keep a notification for whatever changed; what is told then."""
    told = _runs(tick, before or Told(), is_first=before is None)
    told = _recovered_runs(tick, told)
    told = _checks(tick, told, is_first=before is None)
    return _late(tick, told)


def _runs(tick: Tick, told: Told, *, is_first: bool) -> Told:
    if is_first:
        newest = tick.instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1)
        return replace(told, runs=newest.cursor)
    found = tick.instance.fetch_run_status_changes(
        dg.DagsterEventType.RUN_FAILURE, limit=MOST_RUNS, cursor=told.runs, ascending=True
    )
    failing = dict(told.failing)
    for record in found.records:
        run = tick.instance.get_run_by_id(record.event_log_entry.run_id)
        failed = failed_run(tick.instance, run) if run is not None else None
        if failed is not None:
            tick.jarvis.tell(failure_notification(failed, tick.labels, tick.routing))
            failing[failed.thing] = record.event_log_entry.timestamp
    return replace(told, runs=found.cursor if found.records else told.runs, failing=failing)


def _recovered_runs(tick: Tick, told: Told) -> Told:
    failing = dict(told.failing)
    for thing, run_id in recovered(tick.instance, told.failing):
        tick.jarvis.tell(recovery_notification(thing, run_id, tick.labels, tick.routing))
        del failing[thing]
    return replace(told, failing=failing)


def _checks(tick: Tick, told: Told, *, is_first: bool) -> Told:
    found, seen = evaluated(tick.instance, tick.check_keys, told.checks)
    bad = set(told.bad_checks)
    for one in found:
        if not one.passed:
            bad.add(one.name)
        if not is_first:
            for notification in _of_check(tick, one, was_bad=one.name in told.bad_checks):
                tick.jarvis.tell(notification)
        if one.passed:
            bad.discard(one.name)
    return replace(told, checks=seen, bad_checks=tuple(sorted(bad)))


def _of_check(tick: Tick, one: Evaluated, *, was_bad: bool) -> Iterator[Notification]:
    if one.passed:
        if was_bad:
            yield passed_again(one, tick.labels, tick.routing)
        return
    if not one.rows:
        yield check_notification(one, tick.labels, tick.routing, None)
        return
    with tempfile.TemporaryDirectory(prefix="slice-alert-") as folder:
        path = Path(folder) / f"{one.asset.replace('/', '_')}_{one.check}.csv"
        path.write_text(rows_as_csv(one.rows), encoding="utf-8")
        yield check_notification(one, tick.labels, tick.routing, str(path))


def _late(tick: Tick, told: Told) -> Told:
    """Dagster's daemon judges freshness; here its last verdict is read."""
    records = {
        key.to_user_string(): record
        for key, record in tick.instance.get_freshness_state_records(list(tick.asset_keys)).items()
    }
    late = {name for name, record in records.items() if record.freshness_state.value == "FAIL"}
    for name in sorted(late ^ set(told.late)):
        kind, what = (Kind.LATE, "is late") if name in late else (Kind.RECOVERED, "is fresh again")
        place = tick.routing.place(tick.labels.subject(kind, "", [name]))
        said = f"{place.mention} Its freshness policy says so; see the asset's page.".strip()
        since = f"{records[name].updated_at:%Y%m%d%H%M%S}" if name in records else ""
        tick.jarvis.tell(Notification(place.channel, said, heading=f"{name} {what}", key=f"{name} {what} {since}"))
    return replace(told, late=tuple(sorted(late)))
