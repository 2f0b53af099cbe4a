"""Asset checks that failed, as people are told of them: with counts, the first rejected rows, and these as a CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from slice_platform.components.jarvis import run_link
from slice_platform.components.run_alerts import Labels
from slice_platform.notify.notification import Notification
from slice_platform.notify.routing import Kind, Routing
from slice_platform.notify.slack_text import code

MOST_RECORDS = 1_000  # of one check in a tick: a backfill evaluates one for each partition
_ORDER = {"file": 0, "line": 1, "column": 2, "reason": 3}
_MOST_PARTITIONS, _MOST_ROWS_SHOWN = 5, 3


@dataclass(frozen=True)
class Evaluated:
    """What one run said of one check, over all its partitions. `rows` are those that it showed as rejected."""

    check: str
    asset: str
    run_id: str
    passed: bool
    is_error: bool
    partitions: tuple[str, ...]  # that failed
    said: str
    figures: Mapping[str, int]
    rows: tuple[Mapping[str, Any], ...]
    all_at: tuple[str, ...]  # addresses of all rejected rows; not attached, as their text is not masked

    @property
    def name(self) -> str:
        return f"{self.asset}:{self.check}"


def evaluated(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], seen: Mapping[str, int]
) -> tuple[list[Evaluated], dict[str, int]]:
    """What was evaluated since `seen` (check -> id of its last record), the oldest first; and what is seen then.

    A check that was never seen begins with its last run: nobody is told of what was long ago.
    """
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    found: list[Evaluated] = []
    now = dict(seen)
    for key, record in sorted(latest.items(), key=lambda item: item[1].id):
        name = f"{key.asset_key.to_user_string()}:{key.name}"
        if record.id <= seen.get(name, -1):
            continue
        records = [one for one in _since(instance, key, seen.get(name), record.run_id) if _evaluation(one) is not None]
        found += list(_by_run(key, records))
        if records:
            now[name] = max(one.id for one in records)
    return found, now


def check_notification(one: Evaluated, labels: Labels, routing: Routing, attachment: str | None) -> Notification:
    """One for each run and check, whatever the number of its partitions."""
    kind = Kind.CHECK_FAILED if one.is_error else Kind.CHECK_WARNED
    place = routing.place(labels.subject(kind, "", [one.asset]))
    figures = ", ".join(f"{name} {number:,}" for name, number in one.figures.items())
    shown = "\n".join("  ".join(f"{value}" for value in row.values()) for row in one.rows[:_MOST_ROWS_SHOWN])
    lines = [
        place.mention, _of_partitions(one.partitions), one.said, figures, code(shown) if shown else "",
        f"all rejected rows: {', '.join(one.all_at[:_MOST_PARTITIONS])}" if one.all_at else "", run_link(one.run_id),
    ]  # fmt: skip
    return Notification(
        place.channel,
        "\n".join(line for line in lines if line),
        heading=f"{one.asset}: check {one.check} {'failed' if one.is_error else 'warns'}",
        attachments=(attachment,) if attachment else (),
        key=f"check {one.run_id} {one.name}",
        fingerprint=f"check {one.name} {one.said}",
        thread=one.run_id,
    )


def passed_again(one: Evaluated, labels: Labels, routing: Routing) -> Notification:
    place = routing.place(labels.subject(Kind.RECOVERED, "", [one.asset]))
    return Notification(
        place.channel, run_link(one.run_id), heading=f"{one.asset}: check {one.check} is good again",
        key=f"check {one.run_id} {one.name} recovered",
    )  # fmt: skip


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where a row stands first, then the rest."""
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, sorted(names, key=lambda name: _ORDER.get(name, len(_ORDER))), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _since(instance: dg.DagsterInstance, key: dg.AssetCheckKey, seen: int | None, last_run: str) -> Iterator[Any]:
    """Records of a check, newest first: those after `seen`, or where none was seen those of the last run."""
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=MOST_RECORDS):
        if record.id <= seen if seen is not None else record.run_id != last_run:
            return
        yield record


def _evaluation(record: Any) -> "dg.AssetCheckEvaluation | None":
    """Of a check that was only planned there is none."""
    event: dg.DagsterEvent | None = record.event.dagster_event if record.event is not None else None
    if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    return event.asset_check_evaluation_data


def _by_run(key: dg.AssetCheckKey, newest_first: Sequence[Any]) -> Iterator[Evaluated]:
    """One for each run, the oldest first."""
    records = list(reversed(newest_first))
    for run_id in dict.fromkeys(record.run_id for record in records):
        mine = [record for record in records if record.run_id == run_id]
        evaluations = {record.partition: _evaluation(record) for record in mine}
        failed = [(name, one) for name, one in evaluations.items() if one is not None and not one.passed]
        rows = [row.data for _, one in failed for row in _table(one, "first_rejects")]
        yield Evaluated(
            check=key.name,
            asset=key.asset_key.to_user_string(),
            run_id=run_id,
            passed=not failed,
            is_error=any(one.severity is dg.AssetCheckSeverity.ERROR for _, one in failed),
            partitions=tuple(name for name, _ in failed if name),
            said=_first(one.description for _, one in failed),
            figures=_sums([one for _, one in failed]),
            rows=tuple(rows),
            all_at=tuple(dict.fromkeys(line for _, one in failed for line in _text(one, "all_rejects").splitlines())),
        )


def _first(texts: Iterator[str | None]) -> str:
    return next((text for text in texts if text), "")


def _sums(evaluations: Sequence[dg.AssetCheckEvaluation]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for one in evaluations:
        for name, value in one.metadata.items():
            if isinstance(value, dg.IntMetadataValue) and value.value is not None:
                totals[name] = totals.get(name, 0) + value.value
    return totals


def _table(one: dg.AssetCheckEvaluation, name: str) -> Sequence[dg.TableRecord]:
    found = one.metadata.get(name)
    return found.records if isinstance(found, dg.TableMetadataValue) else ()


def _text(one: dg.AssetCheckEvaluation, name: str) -> str:
    found = one.metadata.get(name)
    return found.text or "" if isinstance(found, dg.TextMetadataValue) else ""


def _of_partitions(names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _MOST_PARTITIONS} more" if len(names) > _MOST_PARTITIONS else ""
    return f"partition{'s' if len(names) > 1 else ''} {', '.join(names[:_MOST_PARTITIONS])}{more}"
