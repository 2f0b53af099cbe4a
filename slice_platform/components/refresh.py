"""The job that brings a table and its copies in databases up to date: what is behind, and nothing else."""

from collections.abc import Callable, Sequence

import dagster as dg

from slice_platform.components.business_events import build_events, summary
from slice_platform.components.projection_events import outcome_events, tell_outcomes
from slice_platform.components.propagator_runtime import open_destination
from slice_platform.components.runtime import report, run_lake, told_to_dagster
from slice_platform.lake.business.build import refresh
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.projections.projecting import Projecting
from slice_platform.projections.projection import Projection

REFRESH_PREFIX = "refresh_"


def refresh_job(source: TableDefinition, projections: Sequence[Projection]) -> dg.JobDefinition:
    """Build what is behind of a business table, then bring what is behind of its projections.

    A run looks at what is behind when it begins its work, and not at who asked for it: one that comes late, twice or
    after a crash does what is left to do.
    """
    build = _build_op(source) if isinstance(source, BusinessTable) else None
    project = [_project_op(one, comes_after=build is not None) for one in projections]

    @dg.job(
        name=f"{REFRESH_PREFIX}{source.name}",
        description=f"Bring {source.tier}.{source.name} and its projections up to date, as far as they are behind.",
        tags={"slice/table": source.ledger_key},
    )
    def job() -> None:
        built = build() if build else None
        for op in project:
            op(built) if build else op()

    return job


def pool_of(source: TableDefinition) -> str:
    """One run at a time works on a table."""
    return f"lake_{source.name}" if source.tier == "curated" else f"business_{source.name}"


def _build_op(table: BusinessTable) -> dg.OpDefinition:
    @dg.op(name=f"build_{table.name}", out=dg.Out(dg.Nothing), pool=pool_of(table))
    def op(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake:
            builds = refresh(lake, table, lambda done, of: report(f"business.{table.name}", done, of))
            for done in builds:
                for event in build_events(lake, table, done):
                    context.log_event(event)
                context.log.info(summary(table, done))
            if not builds:
                context.log.info(f"business.{table.name}: nothing is behind")

    return op


def _project_op(projection: Projection, *, comes_after: bool) -> dg.OpDefinition:
    name = f"project_{projection.group}_{projection.name}"
    ins = {"built": dg.In(dg.Nothing)} if comes_after else {}

    @dg.op(name=name, ins=ins, out=dg.Out(dg.Nothing), pool=name)
    def project(context: dg.OpExecutionContext) -> None:
        with told_to_dagster(), run_lake() as lake, open_destination(projection.ref) as destination:
            work = Projecting(lake, destination, projection, context.run_id, _progress(projection))
            outcomes = []
            for outcome in work.refresh():
                outcomes.append(outcome)
                for event in outcome_events(projection, outcome):
                    context.log_event(event)
            tell_outcomes(context.log, projection, destination, outcomes)

    return project


def _progress(projection: Projection) -> Callable[[int, int], None]:
    return lambda done, of: report(projection.qualified, done, of)
