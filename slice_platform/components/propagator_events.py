"""What became of dropped files, as Dagster shows it and as people are told."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeAlias

import dagster as dg

from slice_platform.notify.jarvis import notify
from slice_platform.notify.routing import Kind, Subject, read_routing
from slice_platform.notify.slack_text import quoted
from slice_platform.settings import load_settings
from slice_platform.store import Store
from slice_platform.warehouse.archive import ERROR, ERRORS
from slice_platform.warehouse.drop_path import Task
from slice_platform.warehouse.outcome import Done, Failed, Outcome, Stranded, Waiting

MOST_FINDINGS = 10  # in a message; the rest is in the file beside


@dataclass(frozen=True)
class Notice:
    """What a person is told of an outcome."""

    message: str
    heading: str
    is_failure: bool = False


Listener: TypeAlias = Callable[[Outcome], None]
_listener: ContextVar[Listener | None] = ContextVar("slice_propagated", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Steps that run in this process tell `listener` each outcome as well."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(context: dg.OpExecutionContext, store: Store, outcome: Outcome) -> None:
    """Log it, show it on the table's page, and notify."""
    notice = notice_of(outcome)
    if isinstance(outcome, Done):
        context.log_event(dg.AssetMaterialization(asset_key=_asset_key(outcome), metadata=_metadata(outcome)))
    if isinstance(outcome, Failed):
        context.log_event(dg.AssetObservation(asset_key=_asset_key(outcome), metadata=_failure_metadata(outcome)))
    (context.log.warning if notice.is_failure else context.log.info)(f"{notice.heading}: {notice.message}")
    if not isinstance(outcome, Waiting):
        _notify(notice, outcome, store)
    if (listener := _listener.get()) is not None:
        listener(outcome)


def _notify(notice: Notice, outcome: Done | Failed | Stranded, store: Store) -> None:
    """In the channel for loads, with what is wrong with the rows as a file."""
    kind = Kind.NOT_LOADED if notice.is_failure else Kind.LOADED
    key = None if isinstance(outcome, Stranded) else _asset_key(outcome)
    subject = Subject(kind, "propagate", ("/".join(key),) if key else (), (key[0],) if key else ())
    place = read_routing(load_settings().notify_routes).place(subject)
    beside = (f"{outcome.kept_as}{ending}" for ending in (ERRORS, ERROR))
    report = next((name for name in beside if store.stat(name) is not None), None)
    notify(
        place.channel,
        f"{place.mention} {quoted(notice.message)}".strip(),
        heading=notice.heading,
        attach=[store.path(report)] if report else [],
        key=f"propagator {outcome.kept_as}",
    )


def notice_of(outcome: Outcome) -> Notice:
    """What a person is told of it."""
    match outcome:
        case Done() if outcome.is_repeat:
            return Notice(
                f"Loaded already on {outcome.applied.loaded_at:%Y-%m-%d %H:%M:%S} UTC (ledger {outcome.applied.id}): "
                "nothing was changed. To load it again on purpose, drop it under another name.",
                heading=_title(outcome),
            )
        case Done():
            return Notice(_what_was_done(outcome), heading=_title(outcome))
        case Failed():
            return Notice(
                f"{_findings(outcome)}\n{_blame(outcome)}",
                heading=f"{_title(outcome)} failed",
                is_failure=True,
            )
        case Stranded():
            return Notice(
                f"{outcome.refused}\nThe file was moved to {outcome.kept_as}",
                heading=f"propagator: {outcome.key} is no file of a table",
                is_failure=True,
            )
        case Waiting():
            table = outcome.dropped.path.table
            return Notice(
                f"There is no table {table} yet; the file waits for it until {outcome.until:%H:%M:%S} UTC.",
                heading=outcome.dropped.path.key,
            )


def _title(outcome: Done | Failed) -> str:
    path = outcome.dropped.path
    return f"{outcome.label}: {path.table.database}.{path.table.table}, {path.task.value}/{path.name}"


def _what_was_done(done: Done) -> str:
    counts, notes = done.applied.counts, "".join(f" {note}." for note in done.applied.notes)
    if done.dropped.path.task.is_schema:
        what = "is created" if done.dropped.path.task is Task.CREATE else "has the columns of the file"
        return f"The table {what}, {_when(done)}.{notes}"
    said = f"{counts.inserted} rows inserted, {counts.updated} updated {_when(done)}."
    if counts.set_aside:
        said += f" {counts.set_aside} of {counts.read} rows were set aside; they are listed beside {done.kept_as}."
    return said + notes


def _blame(failed: Failed) -> str:
    if failed.at_fault == "platform":
        return (
            "The platform or the database is at fault, not the file. Once that is mended: "
            f"slice propagate retry {shlex.quote(failed.kept_as)}"
        )
    return f"Nothing was changed. The file and its report: {failed.kept_as}"


def _when(done: Done) -> str:
    """How long it took; of a load whose process died before it could tell, when that was."""
    if not done.applied.was_known:
        return f"in {done.seconds:.2f} s"
    at = f"{done.applied.loaded_at:%Y-%m-%d %H:%M:%S}"
    return f"on {at} UTC by run {done.applied.run_id}, which was cut off before it could tell"


def _findings(failed: Failed) -> str:
    lines = [str(finding) for finding in failed.refused.findings[:MOST_FINDINGS]]
    if (more := failed.refused.total - len(lines)) > 0:
        lines.append(f"... and {more} more")
    return "\n".join(lines)


def _asset_key(outcome: Done | Failed) -> list[str]:
    table = outcome.dropped.path.table
    return [table.destination, table.database, table.table]


def _metadata(done: Done) -> dict[str, dg.MetadataValue]:
    counts = done.applied.counts
    return {
        "rows": dg.MetadataValue.int(counts.inserted + counts.updated),
        "rows_inserted": dg.MetadataValue.int(counts.inserted),
        "rows_updated": dg.MetadataValue.int(counts.updated),
        "rows_set_aside": dg.MetadataValue.int(counts.set_aside),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
        "rows_per_second": dg.MetadataValue.int(round(done.rows_per_second)),
        "sql": dg.MetadataValue.md("```sql\n" + ";\n".join(done.applied.statements) + ";\n```"),
        "source_file": dg.MetadataValue.text(done.dropped.path.key),
        "kept_as": dg.MetadataValue.text(done.kept_as),
        "ledger_id": dg.MetadataValue.text(done.applied.id),
        "destination": dg.MetadataValue.text(done.label),
        "loaded_before": dg.MetadataValue.bool(done.applied.was_known),
    }


def _failure_metadata(failed: Failed) -> dict[str, dg.MetadataValue]:
    return {
        "failed_file": dg.MetadataValue.text(failed.dropped.path.key),
        "kept_as": dg.MetadataValue.text(failed.kept_as),
        "findings": dg.MetadataValue.md("\n".join(f"- {line}" for line in _findings(failed).splitlines())),
        "findings_total": dg.MetadataValue.int(failed.refused.total),
        "destination": dg.MetadataValue.text(failed.label),
    }
