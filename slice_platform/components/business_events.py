"""What a build of a business table did, as the events that its asset's page is made of."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from slice_platform.components.business_metadata import charted, lineage_metadata
from slice_platform.lake.audit import Verdict
from slice_platform.lake.business.build import Build, PartitionBuild
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.judging import check_names
from slice_platform.lake.engine import engine
from slice_platform.lake.lake import Lake
from slice_platform.lake.preview import preview
from slice_platform.lake.table import data_files, load_table

MOST_PREVIEWS = 3  # a preview reads data; a build of 365 partitions shows the latest few
PREVIEW_ROWS = 5
_MOST_MESSAGES = 20


def build_events(lake: Lake, table: BusinessTable, done: Build) -> Iterator[dg.AssetMaterialization]:
    """One materialization for each partition that was published, and the evaluations of its checks."""
    for key, metadata in build_metadata(lake, table, done).items():
        yield materialization(table, key, metadata)
    yield from build_evaluations(table, done)  # type: ignore[misc]  # log_event takes them too; its annotation lags


def materialization(
    table: BusinessTable, key: str, metadata: Mapping[str, dg.MetadataValue]
) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=["business", table.name], partition=key if table.partition else None, metadata=metadata
    )


def build_metadata(lake: Lake, table: BusinessTable, done: Build) -> dict[str, dict[str, dg.MetadataValue]]:
    """What is told of each partition that a build published, by partition key."""
    published = [one for one in done.partitions if one.refusal is None]
    told = {one.key: _partition_metadata(lake, table, done, one) for one in published}
    if not told:
        return {}
    stored = load_table(lake, table)
    files = data_files(stored, table.partition) if stored else []
    with engine(lake) as connection:
        for one in published[-MOST_PREVIEWS:]:
            if paths := [file.path for file in files if file.partition_key == one.key]:
                told[one.key]["preview"] = dg.MetadataValue.md(preview(connection, table, paths, PREVIEW_ROWS))
        if (chart := charted(connection, table, files)) is not None:
            told[published[-1].key]["chart"] = chart
    return told


def build_evaluations(table: BusinessTable, done: Build) -> Iterator[dg.AssetCheckEvaluation]:
    """One evaluation per check and partition."""
    for one in done.partitions:
        for verdict in one.verdicts:
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(["business", table.name]),
                check_name=verdict.check,
                passed=verdict.passed,
                severity=_severity(verdict),
                description=f"{one.key}: {verdict.message}"[:500],
                partition=one.key if table.partition else None,
            )


def build_results(table: BusinessTable, builds: Sequence[Build]) -> list[dg.AssetCheckResult]:
    """One result per check over all partitions, which is what a step may return."""
    found = [(one.key, verdict) for done in builds for one in done.partitions for verdict in one.verdicts]
    results = []
    for name, is_blocking, description in check_names(table):
        failed = [(key, one) for key, one in found if one.check == name and not one.passed]
        messages = [f"{key}: {one.message}" for key, one in failed[:_MOST_MESSAGES]]
        results.append(
            dg.AssetCheckResult(
                asset_key=dg.AssetKey(["business", table.name]),
                check_name=name,
                passed=not failed,
                severity=dg.AssetCheckSeverity.ERROR if is_blocking else dg.AssetCheckSeverity.WARN,
                description="\n".join(messages)[:500] or description,
            )
        )
    return results


def summary(table: BusinessTable, done: Build) -> str:
    """One sentence for a log or a terminal, and a line for each partition that was refused."""
    changed = sum(one.is_changed for one in done.partitions if not one.refusal)
    head = (
        f"business.{table.name}: {len(done.partitions)} partitions built in {done.seconds:.1f} s, {changed} of them "
        f"changed, {len(done.refused)} refused"
    )
    return "\n".join([head, *(f"refused {one.key}: {one.refusal}" for one in done.refused)])


def _partition_metadata(
    lake: Lake, table: BusinessTable, done: Build, one: PartitionBuild
) -> dict[str, dg.MetadataValue]:
    count = "dagster/partition_row_count" if table.partition else "dagster/row_count"
    return {
        count: dg.MetadataValue.int(one.rows),
        "changed": dg.MetadataValue.bool(one.is_changed),
        "bytes": dg.MetadataValue.int(one.now.size_bytes if one.now else 0),
        "version": dg.MetadataValue.int(one.now.version if one.now else 0),
        "seconds": dg.MetadataValue.float(round(done.seconds, 3)),
        "snapshot_id": dg.MetadataValue.text(str(done.snapshot_id)),
        "dagster/uri": dg.MetadataValue.text(lake.store.path(f"business/{table.name}")),
        **lineage_metadata(table),
    }


def _severity(verdict: Verdict) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if verdict.is_blocking else dg.AssetCheckSeverity.WARN
