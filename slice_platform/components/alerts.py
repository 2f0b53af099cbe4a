"""The sensor that tells people of failures: of runs, of checks, of assets that are late - and when they are good again.

It compares what is with what was told, so nothing that happened between two ticks is missed. Of a state that it finds
when it runs for the first time it tells nothing.
"""

import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg

from slice_platform.components.alert_state import Told
from slice_platform.components.alert_tick import Tick
from slice_platform.components.check_alerts import (
    Evaluated,
    check_notification,
    evaluated,
    failed_together,
    judged,
    newest_evaluation,
    passed_again,
    rejected,
    rows_as_csv,
)
from slice_platform.components.late_alerts import changed, late_notification, verdicts
from slice_platform.components.run_alerts import FailedRun, failed_run, failure_notification
from slice_platform.components.run_recovery import Failing, recovered_by, recovery_notification, waited_for
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.redact import redact
from slice_platform.notify.routing import read_routing
from slice_platform.settings import load_settings

MOST_RUNS = 200  # in a tick
_KEPT_SECONDS = 30 * 24 * 3600.0  # what failed before that and is not good yet is no longer waited for


def alerts_sensor() -> dg.SensorDefinition:
    """Every failure is in the outbox, once; the outbox sensor sends it."""

    @dg.sensor(
        name="alerts_sensor",
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs, failed checks and late assets, and when they are good again.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        before = Told.read(context.cursor)
        with open_jarvis() as jarvis:
            routing = read_routing(load_settings().notify_routes)
            tick = Tick.of(context.instance, context.repository_def, routing, jarvis)
            told = look(tick, before) if before is not None else first_look(tick)
        context.update_cursor(told.text())
        return dg.SkipReason("Failures are told, see the channels." if before else "From now on failures are told.")

    return sensor


def first_look(tick: Tick) -> Told:
    """All that is there is taken for told."""
    newest = tick.instance.fetch_run_status_changes(dg.DagsterEventType.RUN_FAILURE, limit=1)
    late = tuple(one.asset for one in verdicts(tick.instance, tick.policies) if one.is_late)
    return Told(newest.cursor, newest_evaluation(tick.instance), late=late)


def look(tick: Tick, told: Told) -> Told:
    """Keep a notification for whatever changed; what is told then. Safe to do again after a crash.

    Raises:
        TransientError: something could not be kept; nothing is lost, and what was kept is not told twice.
    """
    told = _late(tick, _checks(tick, _recovered_runs(tick, _failed_runs(tick, told))))
    tick.finish()
    return told


def _failed_runs(tick: Tick, told: Told) -> Told:
    found = tick.instance.fetch_run_status_changes(
        dg.DagsterEventType.RUN_FAILURE, limit=MOST_RUNS, cursor=told.runs, ascending=True
    )
    failing = {(one.thing, one.partitions): one for one in told.failing}
    together: dict[str, list[FailedRun]] = defaultdict(list)
    for record in found.records:
        entry = record.event_log_entry
        with tick.each(f"the failure of run {entry.run_id}"):
            found_run = tick.instance.get_run_by_id(entry.run_id)
            run = failed_run(tick.instance, found_run) if found_run is not None else None
            if run is not None:
                together[run.backfill or run.run_id].append(run)
                failing[run.thing, run.partitions] = Failing(
                    run.what, run.thing, run.partitions, record.storage_id, entry.timestamp, run.backfill
                )
    for runs in together.values():
        with tick.each(f"the failure of {runs[0].thing}, run {runs[0].run_id}"):
            tick.tell(failure_notification(runs, tick.labels, tick.routing), [run.key for run in runs])
    return replace(told, runs=found.cursor, failing=tuple(failing.values()))


def _recovered_runs(tick: Tick, told: Told) -> Told:
    """What cannot be judged is reported, and no longer waited for."""
    oldest = time.time() - _KEPT_SECONDS
    waiting: list[Failing] = []
    good: dict[str, list[Failing]] = defaultdict(list)
    by_run: dict[str, str] = {}
    for ones in waited_for([one for one in told.failing if one.at > oldest]):
        with tick.each(f"whether {ones[0].thing} is good again"):
            run_id = recovered_by(tick.instance, tick.partitions, ones)
            if run_id is None:
                waiting += ones
            else:
                good[ones[0].thing] += ones
                by_run[ones[0].thing] = run_id
    for thing, recovered in good.items():
        with tick.each(f"the recovery of {thing}"):
            notification = recovery_notification(recovered, by_run[thing], tick.labels, tick.routing)
            tick.tell(notification, [one.key for one in recovered])
    return replace(told, failing=tuple(waiting))


def _checks(tick: Tick, told: Told) -> Told:
    found, seen = evaluated(tick.instance, tick.check_keys, told.checks)
    for ones in failed_together(found):
        with tick.each(f"the failure of check {ones[0].name}, run {ones[0].run_id}"):
            _tell_check(tick, ones)
    bad, good = judged(told.bad_checks, found)
    for passed in good:
        with tick.each(f"the recovery of check {passed[0].name}"):
            tick.tell(passed_again(passed, tick.labels, tick.routing), [f"{one.key} recovered" for one in passed])
    return replace(told, checks=seen, bad_checks=bad)


def _tell_check(tick: Tick, ones: Sequence[Evaluated]) -> None:
    rows = rejected(ones)
    with tempfile.TemporaryDirectory(prefix="slice-alert-") as folder:
        path = Path(folder) / f"{ones[0].asset.replace('/', '_')}_{ones[0].check}.csv"
        if rows:
            path.write_text(redact(rows_as_csv(rows)), encoding="utf-8", errors="backslashreplace")
        told = check_notification(ones, tick.labels, tick.routing, str(path) if rows else None)
        tick.tell(told, [one.key for one in ones])


def _late(tick: Tick, told: Told) -> Told:
    news, late = changed(verdicts(tick.instance, tick.policies), told.late)
    for one in news:
        with tick.each(f"the lateness of {one.asset}"):
            tick.tell(late_notification(tick.instance, one, tick.labels, tick.routing), [one.key])
    return replace(told, late=late)
