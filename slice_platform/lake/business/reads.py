"""What a model reads of its inputs for a partition, told by its own WHERE: once, for all partitions.

The model is looked at for a partition between two moments that occur nowhere else. A bound in its WHERE that lies near
one of them moves with it; any other bound is the same for every partition. What the bounds come to together is worked
out for each partition anew: which of two is the later one differs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import duckdb
from pyiceberg.expressions import BooleanExpression
from pyiceberg.schema import Schema

from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.windows import ALWAYS, Condition, Window, condition_of, windows_in
from slice_platform.lake.pruning import row_filters
from slice_platform.lake.sql_tree import read_statement
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.table_schema import schema_of

_START, _END = datetime(5000, 1, 1, tzinfo=UTC), datetime(7000, 1, 1, tzinfo=UTC)
_NEAR = timedelta(days=365 * 400)


def conditions_read(table: BusinessTable, inputs: tuple[TableDefinition, ...]) -> Mapping[str, Condition]:
    """For each input what the partition between `_START` and `_END` reads at most; all where that cannot be told."""
    return _conditions(
        _Question(table.fingerprint, tuple((one.ledger_key, one.partition) for one in inputs), table, inputs)
    )


def windows_for(condition: Condition, partition: Window) -> tuple[Window, ...]:
    """The windows that one partition reads."""
    return tuple(windows_in(condition, lambda window: _moved(window, partition)))


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
def _conditions(asked: _Question) -> Mapping[str, Condition]:
    sql = asked.table.bound.sql_at(_START, _END)
    schemas: dict[tuple[str, str], Schema] = {(one.tier, one.name.lower()): schema_of(one) for one in asked.inputs}
    with duckdb.connect(":memory:") as connection:
        filters = row_filters(read_statement(connection, sql), schemas)
    return {f"{one.tier}.{one.name}": _condition(one, filters[one.tier, one.name.lower()]) for one in asked.inputs}


def _condition(table: TableDefinition, row_filter: BooleanExpression) -> Condition:
    return ALWAYS if table.partition is None else condition_of(row_filter, table.partition.column)


def _moved(window: Window, partition: Window) -> Window:
    return Window(_moved_moment(window.start, partition), _moved_moment(window.end, partition))


def _moved_moment(moment: datetime, partition: Window) -> datetime:
    for mark, becomes in ((_START, partition.start), (_END, partition.end)):
        if abs(moment - mark) < _NEAR:
            return _shifted(becomes, moment - mark)
    return moment


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """Or as far as time goes, as partitions may lie at its ends."""
    try:
        return moment + by
    except OverflowError:
        return ALWAYS.end if by > timedelta() else ALWAYS.start
