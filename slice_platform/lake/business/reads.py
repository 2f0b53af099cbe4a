"""What a model reads of its inputs for a partition, told by its own WHERE: once, for all partitions.

The model is looked at for a partition between two moments that occur nowhere else. A bound of what it reads that lies
near one of them moves with it; any other bound is the same for every partition.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import duckdb
from pyiceberg.expressions import BooleanExpression
from pyiceberg.schema import Schema

from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.windows import ALWAYS, Window, windows_read
from slice_platform.lake.pruning import row_filters
from slice_platform.lake.sql_tree import read_statement
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.table_schema import schema_of

_START, _END = datetime(5000, 1, 1, tzinfo=UTC), datetime(7000, 1, 1, tzinfo=UTC)
_NEAR = timedelta(days=365 * 400)


@dataclass(frozen=True)
class WindowTemplate:
    """A window as the partition between `_START` and `_END` would read it."""

    window: Window

    def of(self, partition: Window) -> Window:
        return Window(_moved(self.window.start, partition), _moved(self.window.end, partition))


def window_templates(
    table: BusinessTable, inputs: tuple[TableDefinition, ...]
) -> Mapping[str, tuple[WindowTemplate, ...]]:
    """For each input what a partition reads at most; everything where that cannot be told."""
    return _templates(
        _Question(table.fingerprint, tuple((one.ledger_key, one.partition) for one in inputs), table, inputs)
    )


def moved(templates: Iterable[WindowTemplate], partition: Window) -> tuple[Window, ...]:
    """The windows for one partition; one that ends up empty is left out."""
    found = (one.of(partition) for one in templates)
    return tuple(window for window in found if window.start < window.end)


@dataclass(frozen=True)
class _Question:
    """Equal where the answer is."""

    fingerprint: str
    divided: tuple[tuple[str, object], ...]
    table: BusinessTable
    inputs: tuple[TableDefinition, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[str, tuple[tuple[str, object], ...]]:
        return self.fingerprint, self.divided


@lru_cache(maxsize=1_000)
def _templates(asked: _Question) -> Mapping[str, tuple[WindowTemplate, ...]]:
    sql = asked.table.bound.sql_at(_START, _END)
    schemas: dict[tuple[str, str], Schema] = {(one.tier, one.name.lower()): schema_of(one) for one in asked.inputs}
    with duckdb.connect(":memory:") as connection:
        filters = row_filters(read_statement(connection, sql), schemas)
    return {
        f"{one.tier}.{one.name}": tuple(map(WindowTemplate, _windows(one, filters[one.tier, one.name.lower()])))
        for one in asked.inputs
    }


def _windows(table: TableDefinition, row_filter: BooleanExpression) -> list[Window]:
    return [ALWAYS] if table.partition is None else windows_read(row_filter, table.partition.column)


def _moved(moment: datetime, partition: Window) -> datetime:
    for mark, becomes in ((_START, partition.start), (_END, partition.end)):
        if abs(moment - mark) < _NEAR:
            return becomes + (moment - mark)
    return moment
