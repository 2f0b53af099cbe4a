"""A table or query of an operational database, read as Arrow in one transaction.

What can be read is the same for all servers; `postgres_source` and `mysql_source` say how each is asked.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeAlias

import pyarrow as pa

from slice_platform.errors import PermanentError
from slice_platform.warehouse.source.spec import ServerKind

Scalar: TypeAlias = datetime | date | int | str
_KEYS_AT_ONCE = 200  # of a DELETE: with several columns each is a condition of its own


@dataclass(frozen=True)
class Wanted:
    """What to read: a table (`name` or `schema.name`) or a query."""

    table: str | None = None
    query: str | None = None

    def __str__(self) -> str:
        return self.table or "the query"


@dataclass(frozen=True)
class SourceColumn:
    """A column as it is read. `sql` selects it in a form that Arrow holds exactly."""

    name: str
    sql: str
    arrow: pa.DataType
    is_required: bool = False
    comment: str | None = None
    is_exact: bool = True  # whether the text of a value, compared with the column, finds just this value
    may_be_narrower: bool = False  # text that stands for a number of any scale, or for a document


@dataclass(frozen=True)
class Shape:
    """The columns, and the primary key where there is one."""

    columns: tuple[SourceColumn, ...]
    key: tuple[str, ...] = ()
    comment: str | None = None

    @property
    def arrow(self) -> pa.Schema:
        return pa.schema([(column.name, column.arrow) for column in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str, what: str) -> SourceColumn:
        """Raises PermanentError where there is none; `what` says who asks."""
        found = next((column for column in self.columns if column.name == name), None)
        if found is None:
            raise PermanentError(
                f"Looking for the column {name!r} ({what}): there is none. Columns: {', '.join(self.names[:50])}. "
                "Names count to the letter."
            )
        return found


@dataclass(frozen=True)
class Bound:
    """A condition on one column."""

    column: str
    operator: Literal[">=", "<=", "<"]
    value: Scalar


@dataclass(frozen=True)
class Ask:
    """Which rows, and in what order. `after` are values of `order_by`: rows up to them are left out."""

    where: tuple[Bound, ...] = ()
    order_by: tuple[str, ...] = ()
    after: tuple[Scalar, ...] = ()
    limit: int | None = None
    locks: bool = False


class SourceSession(ABC):
    """One transaction on one table or query; it sees one state of the database unless it was opened to delete."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.shape = self._described()

    def batches(self, ask: Ask) -> Iterator[pa.RecordBatch]:
        """The rows, in batches of bounded size with the schema `shape.arrow`."""
        yield from self._stream(self._select([f"{c.sql} AS {self.quoted(c.name)}" for c in self.shape.columns], ask))

    def greatest(self, column: str) -> Scalar | None:
        """The greatest value of a column; None where no row has one."""
        found: Scalar | None = self._rows(self._select([f"max({self._named(column)})"], Ask()))[0][0]
        return found

    def lacks(self, column: str) -> bool:
        """Whether some row has no value there."""
        named = self._named(column)
        return bool(self._rows(f"SELECT 1 FROM {self._relation()} AS source WHERE {named} IS NULL LIMIT 1"))

    def delete(self, keys: Sequence[tuple[Scalar, ...]]) -> int:
        """Delete the rows of the table with these primary keys; how many there were."""
        return sum(
            self._delete(self._delete_sql(keys[start : start + _KEYS_AT_ONCE]))
            for start in range(0, len(keys), _KEYS_AT_ONCE)
        )

    @abstractmethod
    def dependents(self) -> tuple[str, ...]:
        """Tables whose rows the database itself would delete or change when a row of this one is deleted."""

    @abstractmethod
    def quoted(self, name: str) -> str: ...

    @abstractmethod
    def _described(self) -> Shape: ...

    @abstractmethod
    def _rows(self, sql: str) -> list[tuple[Any, ...]]: ...

    @abstractmethod
    def _stream(self, sql: str) -> Iterator[pa.RecordBatch]: ...

    @abstractmethod
    def _delete(self, sql: str) -> int: ...

    def _relation(self) -> str:
        if self.wanted.table is not None:
            return ".".join(self.quoted(step) for step in self.wanted.table.split("."))
        return f"({str(self.wanted.query).strip().rstrip(';')}\n)"  # it may end in a comment

    def _named(self, column: str) -> str:
        return f"source.{self.quoted(column)}"

    def _select(self, what: list[str], ask: Ask) -> str:
        """Columns are named with `source.`: to ORDER BY alone a name is first what was selected."""
        parts = [f"SELECT {', '.join(what)} FROM {self._relation()} AS source"]
        conditions = [f"{self._named(one.column)} {one.operator} {self._literal(one.value)}" for one in ask.where]
        order = ", ".join(self._named(name) for name in ask.order_by)
        if ask.after:
            conditions.append(f"({order}) > ({', '.join(map(self._literal, ask.after))})")
        if conditions:
            parts.append(f"WHERE {' AND '.join(conditions)}")
        if order:
            parts.append(f"ORDER BY {order}")
        if ask.limit is not None:
            parts.append(f"LIMIT {ask.limit}")
        return " ".join([*parts, "FOR UPDATE"] if ask.locks else parts)

    def _delete_sql(self, keys: Sequence[tuple[Scalar, ...]]) -> str:
        names = [self.quoted(name) for name in self.shape.key]
        if len(names) == 1:
            where = f"{names[0]} IN ({', '.join(self._literal(value) for (value,) in keys)})"
        else:  # not (a, b) IN (...): MariaDB misses rows of a column that has another character set than the session
            where = " OR ".join(
                f"({' AND '.join(f'{name} = {self._literal(value)}' for name, value in zip(names, key, strict=True))})"
                for key in keys
            )
        return f"DELETE FROM {self._relation()} WHERE {where}"

    def _literal(self, value: Scalar) -> str:
        """Both servers read the text as a value of the column that it is compared with; instants are in UTC."""
        if isinstance(value, int):
            return str(value)
        if isinstance(value, datetime):
            return f"'{value.replace(tzinfo=None).isoformat(sep=' ', timespec='microseconds')}'"
        return "'" + str(value).replace("'", "''") + "'"


class SourceServer(ABC):
    """A server of operational databases. `label` says where it is, without user and password."""

    kind: ServerKind
    label: str

    @abstractmethod
    def reading(self, wanted: Wanted) -> AbstractContextManager[SourceSession]:
        """One read-only transaction that sees one state of the database.

        Raises:
            PermanentError: there is no such table or column, the query is wrong, a right is missing.
            DestinationUnavailable, DestinationBusy: a retry may succeed.
        """

    @abstractmethod
    def deleting(self, wanted: Wanted) -> AbstractContextManager[SourceSession]:
        """One transaction that sees what is committed and may delete; committed at the end of the block.

        Raises: as `reading`.
        """
