"""A copy of a table of the lake in a database, as its defs.yaml asks for it and as the database will have it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from slice_platform.errors import ContractError, UnknownDataset
from slice_platform.lake.business.personal import Treated, TreatedColumn
from slice_platform.lake.business.windows import window_of
from slice_platform.lake.classification import is_closed
from slice_platform.lake.contract import Column
from slice_platform.lake.lake import Lake, Tables
from slice_platform.lake.partitions import WHOLE_TABLE
from slice_platform.lake.personal_rule import Allow, PersonalRule
from slice_platform.lake.projection_spec import ProjectionSpec
from slice_platform.lake.table_definition import TableDefinition, names_of
from slice_platform.lake.types import LogicalType
from slice_platform.warehouse.drop_path import TableRef, table_ref
from slice_platform.warehouse.projected_columns import LakeColumn, PhysicalKeys, lake_table_spec
from slice_platform.warehouse.projection import Mode, ProjectedTable, Window
from slice_platform.warehouse.projection_spec import check_projection, settled
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.yaml_lines import read_yaml


@dataclass(frozen=True)
class Projection:
    """One item of `projections`, of the table whose folder it stands in."""

    source: TableDefinition
    spec: ProjectionSpec
    position: int  # in the list

    @property
    def group(self) -> str:
        """Where people look for it: in redshift or in rds."""
        return "redshift" if self.spec.destination == "redshift" else "rds"

    @property
    def name(self) -> str:
        return self.spec.table or self.source.name

    @property
    def qualified(self) -> str:
        return f"{self.group}.{self.name}"

    @property
    def ref(self) -> TableRef:
        return table_ref(self.spec.destination, self.spec.database, self.name)

    @property
    def ledger_key(self) -> str:
        """What the lake's ledger knows it by."""
        return f"{self.spec.destination}.{self.spec.database}.{self.name}"

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Of the source, by their names in the database: those that go along."""
        renamed = self.spec.renamed(names_of(self.source))
        by_name = {column.name: column for column in self.source.columns}
        found = {there: by_name[name] for name, there in renamed.items()}
        return {there: column for there, column in found.items() if self.rule(there, column) != "drop"}

    def rule(self, there: str, column: Column) -> PersonalRule | None:
        """What becomes of a column's personal data; None where it holds none."""
        return self.spec.personal.get(there, column.personal) if is_closed(column.classification) else None

    @cached_property
    def treated(self) -> Treated:
        """Its columns with what is done to personal data."""
        return Treated(tuple(_treated(there, one, self.rule(there, one)) for there, one in self.columns.items()))

    @cached_property
    def partition_column(self) -> str | None:
        """By its name in the database."""
        by = self.source.partition
        return next((there for there, one in self.columns.items() if by and one.name == by.column), None)

    @cached_property
    def table(self) -> ProjectedTable:
        """The table as the database will have it.

        Raises:
            FileRefused: a name, a type or a key is none for the database.
        """
        keys = PhysicalKeys(self.spec.dist_key, self.spec.sort_key, self.spec.indexes)
        columns = [_lake_column(one, self._max_length(one.name), self.primary_key) for one in self.treated.columns]
        spec = lake_table_spec(columns, self.spec.destination, keys=keys, types=self.spec.types)
        return settled(ProjectedTable(self.ref, spec, self.mode, self.partition_column, self.spec.indexes))

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Of the table there: by it rows differ in the whole table, not in their partition alone."""
        if self.spec.primary_key is not None:
            return self.spec.primary_key
        names, by = {column.name: there for there, column in self.columns.items()}, self.partition_column
        key = tuple(names[name] for name in self.source.key)
        return (*key, by) if key and by and by not in key and self._has_key_per_partition else key

    @property
    def mode(self) -> Mode:
        """How rows come there. A row that moves to an earlier partition would meet itself where keys are enforced."""
        key, by = self.primary_key, self.partition_column
        may_move = bool(key) and by is not None and by not in key and self.spec.destination != "redshift"
        return "upsert" if may_move and self.spec.mode == "replace_partition" else self.spec.mode

    @property
    def _has_key_per_partition(self) -> bool:
        return self.source.tier == "business" or self.source.terms.get("slice.mode") == "replace"

    @cached_property
    def fingerprint(self) -> str:
        """Another one where the same rows of the lake give others in the database."""
        rests_on = (self.table, [(there, one.name) for there, one in self.columns.items()], self.treated)
        return hashlib.sha256(repr(rests_on).encode()).hexdigest()[:16]

    def window(self, key: str) -> Window | None:
        """The moments of a partition; None where the table is one."""
        if self.source.partition is None or key == WHOLE_TABLE:
            return None
        found = window_of(self.source.partition, key)
        return found.start, found.end

    def _max_length(self, there: str) -> int | None:
        return self.columns[there].rules.max_length


def projections_of(source: TableDefinition) -> tuple[Projection, ...]:
    """The projections that the table's defs.yaml asks for.

    Raises:
        ContractError: the database could not have one of them so; the message names file, line and field.
    """
    specs: tuple[ProjectionSpec, ...] = source.projections
    found = tuple(Projection(source, spec, position) for position, spec in enumerate(specs))
    for one in found:
        if problems := [*_problems(one)]:
            written = read_yaml(source.folder / "defs.yaml")
            raise written.error(("attributes", "projections", one.position), "; ".join(problems))
    return found


def all_projections(tables: Tables | Lake) -> tuple[Projection, ...]:
    """Those of every table.

    Raises:
        ContractError: one is wrong, or two are the same table, or would be one asset in Dagster.
    """
    sources: list[TableDefinition] = [*tables.datasets.values(), *tables.business.values()]
    found = tuple(one for source in sources for one in projections_of(source))
    taken: dict[str, Projection] = {}
    for one in found:
        if twin := taken.get(one.qualified):
            raise _twins(one, twin)
        taken[one.qualified] = one
    return found


def pick_projections(lake: Lake, name: str) -> tuple[Projection, ...]:
    """The projections of a table of the lake, or the one that has the name in its database.

    Raises:
        UnknownDataset: there is none.
    """
    every = all_projections(lake)
    bare = name.rpartition(".")[2]
    found = tuple(one for one in every if name in (one.source.name, f"{one.source.tier}.{bare}"))
    found = found or tuple(one for one in every if name in (one.name, one.qualified))
    if not found:
        known = ", ".join(sorted({f"{one.source.name} -> {one.qualified}" for one in every})) or "none"
        raise UnknownDataset(f"Nothing called {name!r} is projected into a database; there are: {known}.")
    return found


def _problems(projection: Projection) -> Iterator[str]:
    try:
        yield from check_projection(projection.table)
    except FileRefused as refused:
        yield from map(str, refused.findings)


def _twins(one: Projection, twin: Projection) -> ContractError:
    written = read_yaml(one.source.folder / "defs.yaml")
    place = ("attributes", "projections", one.position)
    return written.error(
        place, f"{one.qualified} is projected from {twin.source.tier}.{twin.source.name} too; give one another `table:`"
    )


def _treated(there: str, column: Column, rule: PersonalRule | None) -> TreatedColumn:
    match rule:
        case "mask":
            return TreatedColumn(there, column.type, treatment="mask")
        case "hash":
            return TreatedColumn(there, LogicalType("string"), treatment="hash", computed_type=column.type)
        case Allow():
            return TreatedColumn(there, column.type, column.classification, "allow")
        case _:
            return TreatedColumn(there, column.type)


def _lake_column(column: TreatedColumn, max_length: int | None, key: tuple[str, ...]) -> LakeColumn:
    kind = column.type
    is_number = kind.kind == "number" and kind.precision is not None
    return LakeColumn(
        name=column.name,
        kind=kind.kind,
        precision=kind.precision,
        scale=kind.scale if is_number else None,
        max_length=64 if column.treatment == "hash" else max_length,
        is_key=column.name in key,
        has_zone=kind.has_zone,
    )
