"""The audit of the lake as Dagster asset checks, one evaluation per partition."""

from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg

from slice_platform.components.lake_partitions import partitions_def
from slice_platform.lake.audit import ROWS_ACCOUNTED, AuditedFile, check_names
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.publish import PartitionChange, Published

MOST_MESSAGES = 20


@dataclass(frozen=True)
class Outcome:
    """One check on one partition; `partition` is None for an unpartitioned table."""

    check: str
    partition: str | None
    passed: bool
    severity: dg.AssetCheckSeverity
    message: str


def check_specs(dataset: Dataset) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name,
            asset=["curated", dataset.name],
            description=description,
            blocking=is_blocking,
            partitions_def=partitions_def(dataset),
        )
        for name, is_blocking, description in check_names(dataset)
    ]


def evaluations(dataset: Dataset, done: Published) -> Iterator[dg.AssetCheckEvaluation]:
    """One evaluation per check and partition that the batch had rows for."""
    for outcome in _outcomes(dataset, done):
        yield dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["curated", dataset.name]),
            check_name=outcome.check,
            passed=outcome.passed,
            severity=outcome.severity,
            description=outcome.message[:500],
            metadata={"details": dg.MetadataValue.md(outcome.message)},
            partition=outcome.partition,
        )


def results(dataset: Dataset, done: Published) -> list[dg.AssetCheckResult]:
    """One result per check over all partitions, which is what a step may return."""
    by_check: dict[str, list[Outcome]] = {name: [] for name, _, _ in check_names(dataset)}
    for outcome in _outcomes(dataset, done):
        by_check[outcome.check].append(outcome)
    return [
        dg.AssetCheckResult(
            asset_key=dg.AssetKey(["curated", dataset.name]),
            check_name=name,
            passed=all(one.passed for one in outcomes),
            severity=_worst(outcomes),
            metadata={"details": dg.MetadataValue.md("\n".join(one.message for one in outcomes[:MOST_MESSAGES]))},
        )
        for name, outcomes in by_check.items()
    ]


def _outcomes(dataset: Dataset, done: Published) -> Iterator[Outcome]:
    audited = {one.staged.file.id: one for one in done.files}
    for change in done.partitions:
        files = [audited[file_id] for file_id in change.rows_by_file if file_id in audited]
        for name, _, description in check_names(dataset):
            yield _outcome(dataset, name, description, change, files)


def _outcome(
    dataset: Dataset, name: str, description: str, change: PartitionChange, files: list[AuditedFile]
) -> Outcome:
    failed = [
        (one.staged.file.name, verdict)
        for one in files
        for verdict in one.verdicts
        if verdict.check == name and not verdict.passed
    ]
    severity = dg.AssetCheckSeverity.WARN
    if any(verdict.is_blocking for _, verdict in failed):
        severity = dg.AssetCheckSeverity.ERROR
    lines = [f"{file}: {verdict.message}" for file, verdict in failed[:MOST_MESSAGES]]
    if name == ROWS_ACCOUNTED:
        lines.append(
            f"{change.rows_read} good rows = {change.rows_published} published + {change.rows_duplicate} duplicates"
        )
    message = "\n".join(lines) or description
    return Outcome(name, change.key if dataset.partition else None, not failed, severity, message)


def _worst(outcomes: list[Outcome]) -> dg.AssetCheckSeverity:
    severities = {one.severity for one in outcomes if not one.passed}
    return dg.AssetCheckSeverity.ERROR if dg.AssetCheckSeverity.ERROR in severities else dg.AssetCheckSeverity.WARN
