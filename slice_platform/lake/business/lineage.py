"""Column lineage of a model: the columns of its sources that the value of each output column is made of.

What only decides which rows there are (WHERE, JOIN ... ON, HAVING, LIMIT) is no part of a value, and neither is a
count of rows. What is inside a window or an aggregate is: PARTITION BY, ORDER BY and FILTER, too. So is what decides
an IN or a correlated EXISTS, as their value is whether there are rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slice_platform.lake.business.binding import BoundModel
from slice_platform.lake.business.plan_lineage import traces_of
from slice_platform.lake.business.plan_references import Unclear
from slice_platform.lake.business.tables import Origin
from slice_platform.lake.business.trace import Step, Trace, from_table, merged, named


@dataclass(frozen=True)
class ColumnLineage:
    """What one output column is made of. `paths` has a way for each origin, as `contact <- customers.mail <- ...`."""

    column: str
    paths: Mapping[Origin, str]

    @property
    def origins(self) -> frozenset[Origin]:
        return frozenset(self.paths)


@dataclass(frozen=True)
class Lineage:
    """The lineage of every output column, in their order.

    Where it cannot be told for sure, `is_certain` is False, and each counts as made of every column of every table.
    """

    columns: tuple[ColumnLineage, ...]
    is_certain: bool = True

    def of(self, column: str) -> ColumnLineage:
        return next(found for found in self.columns if found.column == column)


def lineage_of(model: BoundModel) -> Lineage:
    """Which source columns each output column of the model is made of; never fewer than there are."""
    traces = _certain(model)
    every = merged(
        from_table(Origin(table.full_name, column.name)) for table in model.tables for column in table.columns
    )
    columns = tuple(
        ColumnLineage(column.name, _paths(column.name, trace))
        for column, trace in zip(model.columns, traces or [every] * len(model.columns), strict=True)
    )
    return Lineage(columns, is_certain=traces is not None)


def _certain(model: BoundModel) -> list[Trace] | None:
    if model.plan is None:
        return None
    try:
        traces = traces_of(model.plan)
    except Unclear:
        return None
    known = {Origin(table.full_name, column.name) for table in model.tables for column in table.columns}
    agrees = len(traces) == len(model.columns) and all(trace.keys() <= known for trace in traces)
    return traces if agrees else None


def _paths(column: str, trace: Trace) -> dict[Origin, str]:
    """The origins in order, each with its way: the output column's name first, the source's last."""
    return {
        origin: " <- ".join(map(str, [Step(column), *steps[steps[0] == Step(column) :]]))
        for origin, steps in sorted(named(trace, Step(column)).items())
    }
