"""What a schema file leads to, given the table as it is: statements that may be repeated, or a refusal.

A table has two descriptions: the ledger's, made by files, and the catalog's. They differ where a crash came between
a statement of MySQL and its ledger row, or where somebody changed the table by hand; the former is finished, the latter
is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from slice_platform.warehouse.claim import KnownTable
from slice_platform.warehouse.column_type import ColumnType
from slice_platform.warehouse.dialect import Dialect
from slice_platform.warehouse.drop_path import TableRef
from slice_platform.warehouse.refusal import FileRefused, Finding, refuse
from slice_platform.warehouse.schema_change import AddColumns, DropColumns, SchemaChange
from slice_platform.warehouse.table_spec import MOST_COLUMNS, Column, TableSpec

Actual = Mapping[str, str]  # columns and their types
Spelling = Callable[[ColumnType], str]
_WAY_OUT = "columns are added to it, nothing else is changed. Choose another `table:`, or drop it and project again"


@dataclass(frozen=True)
class ActualTable:
    """A table as the catalog has it."""

    columns: Actual
    primary_key: frozenset[str] | None = None  # None: the database enforces none, so that its word is worth nothing


@dataclass(frozen=True)
class TablePlan:
    """The statements to run, and the table as it is then described."""

    spec: TableSpec
    version: int
    statements: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_table(
    dialect: Dialect,
    spelling: Spelling,
    ref: TableRef,
    spec: TableSpec,
    known: KnownTable | None,
    actual: ActualTable | None,
) -> TablePlan:
    """Create the table. One that is there already is taken as it is if it has just these columns and this key.

    Raises:
        FileRefused: the table is there, and is another one.
    """
    version = known.version + 1 if known else 1
    if actual is None:  # it may be gone, and `known` all the same
        return TablePlan(spec, version, dialect.create_table(ref, spec), spec.ignored)
    found = [*_other_columns(spec.columns, spelling, actual.columns), *_other_primary_key(spec, known, actual)]
    found += _other_keys(spec, known.spec) if known else ()
    if found:
        raise FileRefused(Finding(f"There is a table {ref} already, and it is another one"), *found)
    said = "was there with these columns" if known is None else "is there as described; only its settings were taken"
    return TablePlan(spec, version, notes=(*spec.ignored, f"The table {said}: nothing of it was changed."))


def plan_change(
    dialect: Dialect,
    spelling: Spelling,
    ref: TableRef,
    change: SchemaChange,
    known: KnownTable,
    actual: ActualTable | None,
) -> TablePlan:
    """Add or drop columns. What the catalog shows as done already is not done again.

    Raises:
        FileRefused: a column is there already, or is not, or something rests on it.
    """
    columns = actual.columns if actual else {}
    if isinstance(change, AddColumns):
        return _add(dialect, spelling, ref, change, known, columns)
    return _drop(dialect, ref, change, known, columns)


def plan_evolution(
    dialect: Dialect,
    spelling: Spelling,
    ref: TableRef,
    spec: TableSpec,
    known: KnownTable,
    actual: ActualTable,
) -> TablePlan:
    """Add the columns that are new. Those that are no longer wanted stay; nothing else changes of itself.

    Raises:
        FileRefused: a column has another type, or is gone, or a key is another one.
    """
    types = {column.name: column.type for column in known.spec.columns}
    kept = [column for column in spec.columns if column.name in types]
    found = [
        Finding(f"is {types[column.name]} in the table", column=column.name, value=str(column.type))
        for column in kept
        if types[column.name] != column.type
    ]
    found += [Finding("is gone from the table", column=c.name) for c in kept if c.name not in actual.columns]
    found += [*_other_primary_key(spec, known, actual), *_other_keys(spec, known.spec)]
    if not found:
        found = _other_types(kept, spelling, actual.columns)
    if found:
        raise FileRefused(Finding(f"The table {ref} is another one by now: {_WAY_OUT}"), *found)
    added = AddColumns(tuple(column for column in spec.columns if column.name not in types))
    if not added.columns:
        return TablePlan(known.spec, known.version)
    return _add(dialect, spelling, ref, added, known, actual.columns)


def _add(
    dialect: Dialect, spelling: Spelling, ref: TableRef, change: AddColumns, known: KnownTable, actual: Actual
) -> TablePlan:
    found = [
        Finding(f"is a column of {ref} already", value=c.name) for c in change.columns if c.name in known.spec.names
    ]
    found += _other_types([c for c in change.columns if c.name not in known.spec.names], spelling, actual)
    columns = (*known.spec.columns, *change.columns)
    if len(columns) > MOST_COLUMNS:
        found.append(Finding(f"{ref} would have {len(columns)} columns; {MOST_COLUMNS} are the most"))
    if found:
        raise FileRefused(*found)
    missing = [column for column in change.columns if column.name not in actual]
    statements = dialect.add_columns(ref, missing, beside=known.spec.columns)
    return TablePlan(replace(known.spec, columns=columns), known.version + 1, statements)


def _drop(dialect: Dialect, ref: TableRef, change: DropColumns, known: KnownTable, actual: Actual) -> TablePlan:
    found = []
    for name in change.names:
        if name not in known.spec.names:
            found.append(Finding(f"is no column of {ref}", value=name))
        elif name in known.spec.keys:
            found.append(Finding(f"is part of a key of {ref}: such a column cannot be dropped", value=name))
    if found:
        raise FileRefused(*found)
    columns = tuple(column for column in known.spec.columns if column.name not in change.names)
    if not columns:
        raise refuse(f"{ref} would have no columns left.")
    statements = dialect.drop_columns(ref, [name for name in change.names if name in actual])
    return TablePlan(replace(known.spec, columns=columns), known.version + 1, statements)


def _other_columns(columns: tuple[Column, ...], spelling: Spelling, actual: Actual) -> list[Finding]:
    names = {column.name for column in columns}
    found = [Finding("the table does not have it", column=name) for name in sorted(names - actual.keys())]
    found += [
        Finding("the file does not have it, the table does", column=name) for name in sorted(actual.keys() - names)
    ]
    return found + _other_types(columns, spelling, actual)


def _other_types(columns: Sequence[Column], spelling: Spelling, actual: Actual) -> list[Finding]:
    return [
        Finding(f"is {actual[column.name]} in the table", column=column.name, value=str(column.type))
        for column in columns
        if column.name in actual and actual[column.name] != spelling(column.type)
    ]


def _other_primary_key(spec: TableSpec, known: KnownTable | None, actual: ActualTable) -> list[Finding]:
    """By the catalog, as the database keeps that one; where it keeps none, by the ledger."""
    had = actual.primary_key
    if had is None and known is not None:
        had = frozenset(known.spec.primary_key)
    if had is None or had == frozenset(spec.primary_key):
        return []
    said, has = (", ".join(names) or "none" for names in (spec.primary_key, sorted(had)))
    way_out = "Name that of the table in the file" if had else "Leave it out, or let the table's owner add it"
    return [Finding(f"primary_key is {said} in the file, and {has} in the table. {way_out}")]


def _other_keys(spec: TableSpec, known: TableSpec) -> list[Finding]:
    keys = (
        ("dist_key", spec.dist_key, known.dist_key),
        ("sort_key", spec.sort_key, known.sort_key),
        ("foreign_key", spec.foreign_keys, known.foreign_keys),
    )
    return [Finding(f"{what} is another one than that of the table") for what, said, had in keys if said != had]
