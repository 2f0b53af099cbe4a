"""The Iceberg schema of a curated table: made from the contract, and compared with it ever after."""

from collections.abc import Iterable

from pyiceberg import types as ice
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import DayTransform, HourTransform, MonthTransform, Transform, YearTransform

from slice_platform.errors import ContractError
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.partitions import Grain
from slice_platform.lake.types import LogicalType

_TRANSFORMS: dict[Grain, type[Transform]] = {  # type: ignore[type-arg]  # each transform has types of its own
    "hour": HourTransform,
    "day": DayTransform,
    "month": MonthTransform,
    "year": YearTransform,
}


def schema_of(dataset: Dataset) -> Schema:
    """The contract's columns and the three of the platform, all optional: the audit enforces what is required."""
    ids = iter(range(1, 1_000_000))
    fields = [
        ice.NestedField(next(ids), c.name, _iceberg_type(c.type, ids), doc=c.description)
        for c in dataset.contract.columns
    ]
    own = (("_file_id", ice.LongType()), ("_row", ice.LongType()), ("_ingested_at", ice.TimestamptzType()))
    return Schema(*fields, *(ice.NestedField(next(ids), name, kind) for name, kind in own))


def _iceberg_type(logical: LogicalType, ids: Iterable[int]) -> ice.IcebergType:
    """Field ids are provisional: the catalog renumbers them when it creates the table."""
    plain: dict[str, ice.IcebergType] = {
        "string": ice.StringType(),
        "integer": ice.LongType(),
        "boolean": ice.BooleanType(),
        "date": ice.DateType(),
        "time": ice.TimeType(),
    }
    match logical.kind:
        case "number" if logical.precision is not None:
            return ice.DecimalType(logical.precision, logical.scale)
        case "number":
            return ice.DoubleType()
        case "timestamp":
            return ice.TimestamptzType() if logical.has_zone else ice.TimestampType()
        case "object":
            return ice.StructType(
                *(ice.NestedField(next(iter(ids)), f.name, _iceberg_type(f.type, ids)) for f in logical.fields)
            )
        case "array":
            assert logical.items is not None
            return ice.ListType(next(iter(ids)), _iceberg_type(logical.items, ids), element_required=False)
        case kind:
            return plain[kind]


def partition_spec_of(dataset: Dataset, schema: Schema) -> PartitionSpec:
    if dataset.partition is None:
        return PartitionSpec()
    grain, source = dataset.partition.grain, schema.find_field(dataset.partition.column)
    name = f"{dataset.partition.column}_{grain}"
    return PartitionSpec(PartitionField(source.field_id, 1000, _TRANSFORMS[grain](), name))


def evolve(table: Table, dataset: Dataset) -> Table:
    """Add the optional columns that the contract gained; everything else must be as it was.

    Raises:
        ContractError: a column left the contract or changed its type, or the partition changed.
    """
    wanted, found = schema_of(dataset), table.schema()
    there = {field.name: _shape(field.field_type) for field in found.fields}
    for field in wanted.fields:
        if field.name in there and there[field.name] != _shape(field.field_type):
            raise ContractError(
                f"{dataset.contract.path}: column {field.name!r} is {_shape(field.field_type)}, but the table holds "
                f"{there[field.name]}. Give the column another name, or restore its type."
            )
    if gone := [name for name in there if name not in {field.name for field in wanted.fields}]:
        raise ContractError(
            f"{dataset.contract.path}: {', '.join(map(repr, gone))} left the contract, but the table holds it. "
            "Restore the column; dropping or renaming one is not supported."
        )
    _refuse_other_partition(table, dataset)
    if added := [field for field in wanted.fields if field.name not in there]:
        with table.update_schema() as update:
            for field in added:
                update.add_column(field.name, field.field_type, doc=field.doc)
    return table


def _refuse_other_partition(table: Table, dataset: Dataset) -> None:
    schema = schema_of(dataset)
    wanted, found = _divided_by(partition_spec_of(dataset, schema), schema), _divided_by(table.spec(), table.schema())
    if wanted != found:
        raise ContractError(
            f"{dataset.contract.path.parent / 'defs.yaml'}: partition says {wanted}, the table is divided by {found}. "
            "Restore it, or give the dataset another name: a table is not divided anew."
        )


def _divided_by(spec: PartitionSpec, schema: Schema) -> str:
    parts = (f"{field.transform}({schema.find_column_name(field.source_id)})" for field in spec.fields)
    return ", ".join(parts) or "nothing"


def _shape(kind: ice.IcebergType) -> str:
    """A type without field ids, which differ between a contract and its table."""
    if isinstance(kind, ice.StructType):
        return "struct<" + ", ".join(f"{field.name}: {_shape(field.field_type)}" for field in kind.fields) + ">"
    if isinstance(kind, ice.ListType):
        return f"list<{_shape(kind.element_type)}>"
    return str(kind)


def field_ids(table: Table) -> str:
    """The FIELD_IDS option of DuckDB's COPY, so that columns keep their identity through a rename."""
    return "{" + ", ".join(_field_id(field) for field in table.schema().fields) + "}"


def _field_id(field: ice.NestedField) -> str:
    name = "'" + field.name.replace("'", "''") + "'"
    nested = _nested_ids(field.field_type)
    return f"{name}: {{'__duckdb_field_id': {field.field_id}{', ' + nested if nested else ''}}}"


def _nested_ids(kind: ice.IcebergType) -> str:
    if isinstance(kind, ice.StructType):
        return ", ".join(_field_id(field) for field in kind.fields)
    if isinstance(kind, ice.ListType):
        inner = _nested_ids(kind.element_type)
        return f"'element': {{'__duckdb_field_id': {kind.element_id}{', ' + inner if inner else ''}}}"
    return ""
