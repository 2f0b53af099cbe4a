"""The check `sets_complete`: which sets of files wait for too long, or were refused; and what of it is told already.

A set that merely waits passes: files of a drop may come over hours. What needs help fails, and the metadata of the
evaluation keeps a fingerprint of it, so that the sensor asks for a run exactly when there is something new to tell.
"""

import hashlib
from collections.abc import Iterable

import dagster as dg

from slice_platform.components.runtime import run_lake, told_to_dagster
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.landing import look
from slice_platform.lake.set_view import WaitingSet

SETS_COMPLETE = "sets_complete"
_TOLD = "told"
_MOST_SETS = 100


def set_checks(dataset: Dataset) -> list[dg.AssetChecksDefinition]:
    """The check, for datasets whose files form sets; it can be run from the UI at any time."""
    sets = dataset.spec.sets
    if sets is None:
        return []
    description = f"No set of files is refused, or without {sets.completed_by} for over {sets.overdue_after_hours:g} h."

    @dg.asset_check(asset=_raw(dataset.name), name=SETS_COMPLETE, description=description)
    def sets_complete() -> dg.AssetCheckResult:
        with told_to_dagster(), run_lake() as lake:
            (found,) = set_evaluations(lake, dataset)
        return dg.AssetCheckResult(
            passed=found.passed, severity=found.severity, description=found.description, metadata=found.metadata
        )

    return [sets_complete]


def set_evaluations(lake: Lake, dataset: Dataset) -> list[dg.AssetCheckEvaluation]:
    """How the sets of the dataset stand now; nothing where its files form none."""
    if dataset.spec.sets is None:
        return []
    waiting = look(lake, dataset.name).waiting.get(dataset.name, [])
    help_needed = [str(one) for one in waiting if one.needs_help]
    metadata: dict[str, dg.MetadataValue] = {
        "sets_waiting": dg.MetadataValue.int(len(waiting)),
        "sets_overdue_or_refused": dg.MetadataValue.int(len(help_needed)),
        _TOLD: dg.MetadataValue.text(fingerprint(waiting)),
    }
    if waiting:
        metadata["sets"] = dg.MetadataValue.table([_record(one) for one in waiting[:_MOST_SETS]])
    return [
        dg.AssetCheckEvaluation(
            asset_key=_raw(dataset.name),
            check_name=SETS_COMPLETE,
            passed=not help_needed,
            severity=dg.AssetCheckSeverity.ERROR,
            description="\n".join(help_needed)[:2000] or f"{len(waiting)} sets wait, none for too long.",
            metadata=metadata,
        )
    ]


def fingerprint(waiting: Iterable[WaitingSet]) -> str:
    """Of what needs help; empty where nothing does."""
    told = sorted(f"{one.name} {one.is_overdue} {'; '.join(one.waits_for)}" for one in waiting if one.needs_help)
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16] if told else ""


def last_told(instance: dg.DagsterInstance, dataset: str) -> str:
    """The fingerprint that the latest evaluation of the check carries."""
    key = dg.AssetCheckKey(_raw(dataset), SETS_COMPLETE)
    record = instance.get_latest_asset_check_evaluation_record(key)
    evaluation = record.evaluation if record else None
    if not isinstance(evaluation, dg.AssetCheckEvaluation) or _TOLD not in evaluation.metadata:  # planned, never run
        return ""
    return str(evaluation.metadata[_TOLD].value)


def _raw(dataset: str) -> dg.AssetKey:
    return dg.AssetKey(["raw", dataset])


def _record(one: WaitingSet) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "set": one.name,
            "state": "refused" if one.is_refused else "overdue" if one.is_overdue else "waiting",
            "since": f"{one.since:%Y-%m-%d %H:%M} UTC",
            "files": len(one.files),
            "waits for": "\n".join(one.waits_for),
        }
    )
