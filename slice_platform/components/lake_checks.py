"""The audit of the lake as Dagster asset checks, one evaluation per partition."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import dagster as dg

from slice_platform.components.lake_partitions import partitions_def
from slice_platform.components.reject_preview import RejectPreview, reject_metadata, reject_previews
from slice_platform.errors import AccountingError
from slice_platform.lake.accounts import PartitionChange, Published
from slice_platform.lake.audit import REJECTS, ROWS_ACCOUNTED, AuditedFile, check_names
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import Lake
from slice_platform.lake.table_definition import TableDefinition

MOST_MESSAGES = 20
NOTHING_SET_ASIDE = "nothing_set_aside"


@dataclass(frozen=True)
class Outcome:
    """One check on one partition; `partition` is None for an unpartitioned table."""

    check: str
    partition: str | None
    passed: bool
    severity: dg.AssetCheckSeverity
    message: str
    figures: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, dg.MetadataValue] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, dg.MetadataValue]:
        figures: dict[str, dg.MetadataValue] = {k: dg.MetadataValue.int(v) for k, v in self.figures.items()}
        return {"details": _details(self.message), **figures, **self.rejects}


def check_specs(table: TableDefinition, names: Iterable[tuple[str, bool, str]]) -> list[dg.AssetCheckSpec]:
    """The checks of a table of the lake: (name, whether it blocks, description)."""
    return [
        dg.AssetCheckSpec(
            name,
            asset=[table.tier, table.name],
            description=description,
            blocking=is_blocking,
            partitions_def=partitions_def(table),
        )
        for name, is_blocking, description in names
    ]


def evaluations(lake: Lake, dataset: Dataset, done: Published) -> Iterator[dg.AssetCheckEvaluation]:
    """One evaluation per check and partition that the batch had rows for."""
    for outcome in _outcomes(dataset, done, reject_previews(lake, dataset, done)):
        yield dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(["curated", dataset.name]),
            check_name=outcome.check,
            passed=outcome.passed,
            severity=outcome.severity,
            description=outcome.message[:500],
            metadata=outcome.metadata,
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
            metadata={"details": _details("\n".join(one.message for one in outcomes[:MOST_MESSAGES]))},
        )
        for name, outcomes in by_check.items()
    ]


def failed_proof(dataset: Dataset, error: AccountingError) -> dg.AssetCheckEvaluation:
    """A proof on what was written failed: the run is red, nothing was committed."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["curated", dataset.name]),
        check_name=error.check,
        passed=False,
        severity=dg.AssetCheckSeverity.ERROR,
        description=str(error),
    )


def set_aside(lake: Lake, dataset: Dataset) -> dg.AssetCheckEvaluation:
    """What of the dataset is in quarantine as a whole, as the ledger knows it now."""
    files = lake.ledger.quarantined_files(dataset.name)
    records = [dg.TableRecord({"id": f.id, "file": f.source_key, "reason": f.error or ""}) for f in files[-100:]]
    found: dict[str, dg.MetadataValue] = {"files": dg.MetadataValue.int(len(files))}
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["raw", dataset.name]),
        check_name=NOTHING_SET_ASIDE,
        passed=not files,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**found, "quarantine": dg.MetadataValue.table(records)} if files else found,
    )


def _outcomes(
    dataset: Dataset, done: Published, previews: Mapping[int, RejectPreview] = MappingProxyType({})
) -> Iterator[Outcome]:
    audited = {one.staged.file.id: one for one in done.files}
    for change in done.partitions:
        files = [audited[file_id] for file_id in change.rows_by_file if file_id in audited]
        for name, _, description in check_names(dataset):
            outcome = _outcome(dataset, name, description, change, files)
            if name == REJECTS and not outcome.passed:
                outcome = replace(outcome, rejects=reject_metadata(previews, change.rows_by_file))
            yield outcome
    placed = {file_id for change in done.partitions for file_id in change.rows_by_file}
    for one in done.files:
        if one.staged.file.id not in placed:  # nobody knows which partitions its rows are for
            yield from _unplaced(one, previews)


def _unplaced(one: AuditedFile, previews: Mapping[int, RejectPreview]) -> Iterator[Outcome]:
    for verdict in one.verdicts:
        if not verdict.passed:
            severity = dg.AssetCheckSeverity.ERROR if verdict.is_blocking else dg.AssetCheckSeverity.WARN
            message = f"{one.staged.file.name}: {verdict.message}"
            rejects = reject_metadata(previews, [one.staged.file.id]) if verdict.check == REJECTS else {}
            yield Outcome(verdict.check, None, passed=False, severity=severity, message=message, rejects=rejects)


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
    message = "\n".join(f"{file}: {verdict.message}" for file, verdict in failed[:MOST_MESSAGES]) or description
    partition = change.key if dataset.partition else None
    return Outcome(name, partition, not failed, severity, message, _figures(name, change, files))


def _figures(name: str, change: PartitionChange, files: list[AuditedFile]) -> dict[str, int]:
    if name == ROWS_ACCOUNTED:
        rows = change.rows
        published = rows.good - rows.duplicate
        return {"published": published, "duplicate": rows.duplicate, "rejected": rows.rejected}
    if name == REJECTS:
        return {"rejected": sum(one.staged.rows_rejected for one in files), "files": len(files)}
    return {}


def _details(message: str) -> dg.MetadataValue:
    """As it is, in columns: Markdown would run the lines of a difference together."""
    return dg.MetadataValue.md(f"```\n{message}\n```" if "\n" in message else message)


def _worst(outcomes: list[Outcome]) -> dg.AssetCheckSeverity:
    severities = {one.severity for one in outcomes if not one.passed}
    return dg.AssetCheckSeverity.ERROR if dg.AssetCheckSeverity.ERROR in severities else dg.AssetCheckSeverity.WARN
