"""Asset checks that failed, as people are told of them: with counts, the first rejected rows, and these as a CSV.

Dagster keeps a row for each check that is planned and changes it once it was evaluated. What is read here is the log
of evaluations instead: in the order in which they came, each once, whichever runs overlap.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg
from dagster._core.event_api import EventRecordsFilter
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from slice_platform.components.alert_labels import Labels, alike, asset_link, named_partitions
from slice_platform.components.jarvis import run_link
from slice_platform.components.run_alerts import BACKFILL_TAG
from slice_platform.notify.notification import Notification
from slice_platform.notify.routing import Kind, Routing
from slice_platform.notify.slack_text import code, quoted

MOST_RECORDS = 1_000  # in a tick; the next one goes on behind them
_ORDER = {"file": 0, "line": 1, "column": 2, "reason": 3}
_MOST_ROWS_SHOWN, _MOST_ADDRESSES = 3, 5
_MOST_BAD = 1_000  # partitions of a check that are waited for
_EVALUATION = dg.DagsterEventType.ASSET_CHECK_EVALUATION


@dataclass(frozen=True)
class Evaluated:
    """What was said of a check, of one of its partitions, or "" where it has none."""

    event: int  # in Dagster's log
    asset: str
    check: str
    partition: str
    run_id: str  # empty where no run said it
    backfill: str | None
    said: dg.AssetCheckEvaluation

    @property
    def name(self) -> str:
        return f"{self.asset}:{self.check}"

    @property
    def key(self) -> str:
        return f"check {self.name} {self.event}"


def newest_evaluation(instance: dg.DagsterInstance) -> int:
    """The event of the last evaluation; 0 where there was none."""
    return max((event for event, _ in _events(instance, None, limit=1)), default=0)


def evaluated(
    instance: dg.DagsterInstance, keys: Collection[dg.AssetCheckKey], after: int
) -> tuple[list[Evaluated], int]:
    """What was said of these checks behind the event `after`, the oldest first; and the event up to which that is."""
    entries = _events(instance, after, limit=MOST_RECORDS)
    backfills = {run_id: _backfill(instance, run_id) for run_id in {entry.run_id for _, entry in entries}}
    found = []
    for event, entry in entries:
        said = entry.dagster_event.asset_check_evaluation_data if entry.dagster_event is not None else None
        if said is not None and said.asset_check_key in keys:
            asset, partition = said.asset_key.to_user_string(), said.partition or ""
            backfill = backfills[entry.run_id]
            found.append(Evaluated(event, asset, said.check_name, partition, entry.run_id, backfill, said))
    return found, entries[-1][0] if entries else after


def failed_together(found: Sequence[Evaluated]) -> list[tuple[Evaluated, ...]]:
    """Those that failed, by check and run or backfill.

    What a run says of a check as a whole is left out where it also says it of partitions.
    """
    together: dict[tuple[str, str], list[Evaluated]] = defaultdict(list)
    for one in found:
        if not one.said.passed:
            together[one.name, one.backfill or one.run_id].append(one)
    return [tuple(one for one in ones if one.partition) or tuple(ones) for ones in together.values()]


def check_notification(
    ones: Sequence[Evaluated], labels: Labels, routing: Routing, attachment: str | None
) -> Notification:
    """Of what one run or backfill said of a check; more of the same is counted on it, an error never on a warning."""
    first, is_error = ones[0], any(one.said.severity is dg.AssetCheckSeverity.ERROR for one in ones)
    place = routing.place(labels.subject(Kind.CHECK_FAILED if is_error else Kind.CHECK_WARNED, "", [first.asset]))
    figures = ", ".join(f"{name} {number:,}" for name, number in _sums(ones).items())
    shown = "\n".join("  ".join(f"{value}" for value in row.values()) for row in rejected(ones)[:_MOST_ROWS_SHOWN])
    said = next((one.said.description for one in ones if one.said.description), "")
    all_at = tuple(dict.fromkeys(line for one in ones for line in _text(one.said, "all_rejects").splitlines()))
    lines = [
        place.mention, named_partitions([one.partition for one in ones]), quoted(said), figures,
        code(shown) if shown else "",
        f"all rejected rows: {', '.join(all_at[:_MOST_ADDRESSES])}" if all_at else "", _link(first),
    ]  # fmt: skip
    verdict = "failed" if is_error else "warns"
    backfill = f"backfill {first.backfill}" if first.backfill else ""
    return Notification(
        place.channel,
        "\n".join(line for line in lines if line),
        heading=f"{first.asset}: check {first.check} {verdict}",
        attachments=(attachment,) if attachment else (),
        fingerprint=f"check {first.name} {verdict} {backfill or alike(said)}",
        thread=backfill or first.run_id or None,
    )


def judged(
    bad: Mapping[str, Mapping[str, int]], found: Sequence[Evaluated]
) -> tuple[dict[str, dict[str, int]], list[tuple[Evaluated, ...]]]:
    """What is bad (check -> partition -> event) after what was `found`; and by check what is good again.

    `event` of what is good again is that of its failure. A failure of the whole stands for nothing of its own where
    partitions are bad, as a run of a range says both.
    """
    now = {name: dict(partitions) for name, partitions in bad.items()}
    good: dict[str, dict[str, Evaluated]] = defaultdict(dict)
    for one in found:
        partitions = now.setdefault(one.name, {})
        if one.said.passed and one.partition in partitions:
            good[one.name][one.partition] = replace(one, event=partitions.pop(one.partition))
        elif not one.said.passed and (one.partition or not any(partitions)):
            good[one.name].pop(one.partition, None)
            partitions[one.partition] = one.event
    kept = {name: dict(list(partitions.items())[-_MOST_BAD:]) for name, partitions in now.items() if partitions}
    return kept, [tuple(passed.values()) for passed in good.values() if passed]


def passed_again(ones: Sequence[Evaluated], labels: Labels, routing: Routing) -> Notification:
    """Of one check that passes where it had failed."""
    last = ones[-1]
    place = routing.place(labels.subject(Kind.RECOVERED, "", [last.asset]))
    partitions = named_partitions([one.partition for one in ones])
    return Notification(
        place.channel,
        "\n".join(line for line in (partitions, _link(last)) if line),
        heading=f"{last.asset}: check {last.check} is good again",
        fingerprint=f"recovered check {last.name}" if partitions else None,
    )


def rejected(ones: Sequence[Evaluated]) -> list[Mapping[str, Any]]:
    """The rows that they show as rejected."""
    found = [one.said.metadata.get("first_rejects") for one in ones]
    return [row.data for table in found if isinstance(table, dg.TableMetadataValue) for row in table.records]


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Where a row stands first, then the rest."""
    names = dict.fromkeys(name for row in rows for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, sorted(names, key=lambda name: _ORDER.get(name, len(_ORDER))), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _events(instance: dg.DagsterInstance, after: int | None, *, limit: int) -> list[tuple[int, dg.EventLogEntry]]:
    """Evaluations of all runs behind an event, the oldest first; without one the newest.

    SQLite's own way to look reads one file for each run. The one of its base class reads the index of all runs.
    """
    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage), f"expected Dagster's log in a database, not {storage!r}"
    wanted = EventRecordsFilter(_EVALUATION, after_cursor=after)
    records = SqlEventLogStorage.get_event_records(storage, wanted, limit=limit, ascending=after is not None)
    return [(record.storage_id, record.event_log_entry) for record in records]


def _backfill(instance: dg.DagsterInstance, run_id: str) -> str | None:
    run = instance.get_run_by_id(run_id) if run_id else None
    return run.tags.get(BACKFILL_TAG) if run is not None else None


def _link(one: Evaluated) -> str:
    return run_link(one.run_id) if one.run_id else asset_link(one.asset)


def _sums(ones: Sequence[Evaluated]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for name, value in _metadata(ones):
        if isinstance(value, dg.IntMetadataValue) and value.value is not None:
            totals[name] = totals.get(name, 0) + value.value
    return totals


def _metadata(ones: Sequence[Evaluated]) -> Iterator[tuple[str, object]]:
    for one in ones:
        yield from one.said.metadata.items()


def _text(one: dg.AssetCheckEvaluation, name: str) -> str:
    found = one.metadata.get(name)
    return found.text or "" if isinstance(found, dg.TextMetadataValue) else ""
