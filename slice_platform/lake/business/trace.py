"""Where a value comes from, and by which names it went on its way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from slice_platform.lake.business.tables import Origin


@dataclass(frozen=True)
class Step:
    """A name that a value has on its way: a column of a table, of a WITH, or of an inner SELECT, which has no name."""

    column: str
    relation: str | None = None

    def __str__(self) -> str:
        return f"{self.relation}.{self.column}" if self.relation else self.column


Steps: TypeAlias = tuple[Step, ...]  # from the latest name back to the table
Trace: TypeAlias = Mapping[Origin, Steps]  # of one value: of each column that it is made of one way

NOWHERE: Trace = {}


def from_table(origin: Origin) -> Trace:
    return {origin: (Step(origin.column, origin.table),)}


def merged(traces: Iterable[Trace]) -> Trace:
    """The trace of a value that is made of all of these; where ways differ, the shortest."""
    found: dict[Origin, Steps] = {}
    for trace in traces:
        for origin, steps in trace.items():
            if origin not in found or len(steps) < len(found[origin]):
                found[origin] = steps
    return found


def named(trace: Trace, step: Step) -> Trace:
    """The trace of the same value under a further name; a name that says nothing new is not repeated."""
    return {origin: _with(step, steps) for origin, steps in trace.items()}


def _with(step: Step, steps: Steps) -> Steps:
    latest = steps[0]
    if step.relation is None and step.column == latest.column:
        return steps
    if latest.relation is None and step.column == latest.column:
        return (step, *steps[1:])
    return (step, *steps)
