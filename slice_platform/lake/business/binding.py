"""A model.sql bound by DuckDB to its source tables: what it reads, and the columns it makes. No data is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

import duckdb
from duckdb.sqltypes import DuckDBPyType

from slice_platform.errors import ContractError
from slice_platform.lake.business.empty_tables import BindingProblem, empty_tables, plan_of
from slice_platform.lake.business.model_text import ModelText
from slice_platform.lake.business.model_tree import Parameter, parameters, place, read_model, table_references
from slice_platform.lake.business.output_names import place_of_column, refuse_odd_names
from slice_platform.lake.business.output_types import logical_type_of, why_not
from slice_platform.lake.business.partition_parameters import put_moments
from slice_platform.lake.business.repeatable import unrepeatable
from slice_platform.lake.business.tables import SourceTable
from slice_platform.lake.sql_tree import Node
from slice_platform.lake.types import LogicalType, duckdb_type
from slice_platform.sql_text import quoted

_SOME_START, _SOME_END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2000, 1, 2, tzinfo=UTC)
_CANDIDATES = re.compile(r"\s*Candidate (functions|bindings|macros):.*", re.DOTALL)


@dataclass(frozen=True)
class OutputColumn:
    """A column that the model makes, under the type that the platform writes it as."""

    name: str
    type: LogicalType


@dataclass(frozen=True)
class BoundModel:
    """A model that DuckDB understands.

    `tables` are those it reads, sorted by name. `plan` is what DuckDB's binder makes of it; None for the few statements
    of which DuckDB cannot show it.
    """

    text: ModelText
    tables: tuple[SourceTable, ...]
    columns: tuple[OutputColumn, ...]
    parameters: tuple[Parameter, ...]
    plan: Node | None

    @property
    def dependencies(self) -> tuple[str, ...]:
        return tuple(table.full_name for table in self.tables)

    @property
    def is_partitioned(self) -> bool:
        return bool(self.parameters)

    def sql_at(self, start: datetime = _SOME_START, end: datetime = _SOME_END) -> str:
        """The model for one partition: with the two moments in the place of its parameters."""
        return put_moments(self.text.sql, list(self.parameters), start, end)

    @property
    def cast_sql(self) -> str:
        """A SELECT of the model's columns under the types that the platform writes. Parameters are still in it."""
        casts = (
            f"{quoted(column.name)}::{duckdb_type(column.type)} as {quoted(column.name)}" for column in self.columns
        )
        return f"select {', '.join(casts)} from {subquery(self.text.sql)}"


def subquery(sql: str) -> str:
    """The statement as a table of another one; it may end in a comment or a semicolon."""
    return f"(\n{without_semicolon(sql)}\n) as model"


def without_semicolon(sql: str) -> str:
    """The statement without the semicolons at its end."""
    text = sql.encode()
    for offset, kind in reversed(duckdb.tokenize(sql)):
        if kind == duckdb.token_type.comment:
            continue
        if text[offset : offset + 1] != b";":
            break
        text = text[:offset] + text[offset + 1 :]
    return text.decode()


def bind(path: Path, sql: str, tables: Mapping[str, SourceTable]) -> BoundModel:
    """The model as DuckDB understands it over `tables`, whose keys are as "curated.flights".

    Raises:
        ContractError: it is not one SELECT, names an unknown table or column, has a column without a proper name or of
            a type that no business table has, or its answer would differ from run to run. The message names the line.
    """
    text = ModelText(path, sql)
    tree = read_model(text)
    found = _tables(text, tree, tables)
    written = parameters(tree)
    bindable = ModelText(path, put_moments(sql, written, _SOME_START, _SOME_END))  # its lines are those of the model
    with empty_tables(found) as connection:
        plan = plan_of(connection, bindable.sql)
        names, types = _described(connection, bindable, plan, found)
    known = plan if isinstance(plan, Node) else None
    if call := unrepeatable(text, tree, bindable, known):
        problem = (
            f"the answer of {call.function}() is not the same in every run; "
            "a business table is made of its sources alone. For the time of a run write $partition_start"
        )
        raise text.error(problem, line=call.line)
    refuse_odd_names(text, tree, names, found)
    return BoundModel(text, found, _columns(text, tree, names, types), tuple(written), known)


def _tables(text: ModelText, tree: Node, tables: Mapping[str, SourceTable]) -> tuple[SourceTable, ...]:
    known = {name.lower(): table for name, table in tables.items()}
    found: dict[str, SourceTable] = {}
    for node in table_references(tree):
        name = f"{node.text('schema_name')}.{node.text('table_name')}"
        table = known.get(name.lower())
        if table is None:
            near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
            hint = f"; did you mean {known[near[0]].full_name}?" if near else "."
            listed = ", ".join(sorted(table.full_name for table in tables.values())) or "none"
            raise text.error(f"there is no table {name!r}{hint} Tables: {listed}", place(node))
        found[table.full_name] = table
    return tuple(found[name] for name in sorted(found))


def _described(
    connection: duckdb.DuckDBPyConnection,
    text: ModelText,
    plan: Node | BindingProblem,
    tables: tuple[SourceTable, ...],
) -> tuple[list[str], list[DuckDBPyType]]:
    try:
        relation = connection.sql(without_semicolon(text.sql))
        return relation.columns, list(relation.types)
    except duckdb.Error as error:
        problem = plan if isinstance(plan, BindingProblem) else BindingProblem("", str(error), None)
        raise _unbound(text, problem, tables) from error


def _unbound(text: ModelText, problem: BindingProblem, tables: tuple[SourceTable, ...]) -> ContractError:
    if problem.kind != "COLUMN_NOT_FOUND":
        return text.error(f"DuckDB cannot bind it: {_CANDIDATES.sub('', problem.message)}", problem.at)
    every = [column.name for table in tables for column in table.columns]
    near = get_close_matches(problem.name, every, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    columns = "; ".join(f"{t.full_name} has {', '.join(column.name for column in t.columns)}" for t in tables)
    return text.error(f"there is no column {problem.name!r}{hint} {columns}", problem.at)


def _columns(text: ModelText, tree: Node, names: list[str], types: list[DuckDBPyType]) -> tuple[OutputColumn, ...]:
    columns = []
    for position, (name, kind) in enumerate(zip(names, types, strict=True)):
        logical = logical_type_of(kind)
        if logical is None:
            raise text.error(f"the column {name!r} {why_not(kind)}", place_of_column(tree, name, position))
        columns.append(OutputColumn(name, logical))
    return tuple(columns)
