"""The Iceberg schema of a table, made from its definition."""

from collections.abc import Iterable

from pyiceberg import types as ice
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, HourTransform, MonthTransform, Transform, YearTransform

from slice_platform.lake.partitions import Grain
from slice_platform.lake.table_definition import TableDefinition
from slice_platform.lake.types import Field, LogicalType

_TRANSFORMS: dict[Grain, type[Transform]] = {  # type: ignore[type-arg]  # each transform has types of its own
    "hour": HourTransform,
    "day": DayTransform,
    "month": MonthTransform,
    "year": YearTransform,
}


def schema_of(dataset: TableDefinition) -> Schema:
    """The columns of the definition and those of the platform, all optional: the audit enforces what is required."""
    ids = iter(range(1, 1_000_000))
    fields = [
        ice.NestedField(next(ids), c.name, _iceberg_type(c.type, ids), doc=c.description) for c in dataset.columns
    ]
    own = [ice.NestedField(next(ids), name, _iceberg_type(kind, ids)) for name, kind in dataset.own_columns]
    return Schema(*fields, *own)


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


def partition_spec_of(dataset: TableDefinition, schema: Schema) -> PartitionSpec:
    if dataset.partition is None:
        return PartitionSpec()
    grain, source = dataset.partition.grain, schema.find_field(dataset.partition.column)
    name = f"{dataset.partition.column}_{grain}"
    return PartitionSpec(PartitionField(source.field_id, 1000, _TRANSFORMS[grain](), name))


def divided_by(spec: PartitionSpec, schema: Schema) -> str:
    """The partition in words that are equal where it is."""
    parts = (f"{field.transform}({schema.find_column_name(field.source_id)})" for field in spec.fields)
    return ", ".join(parts) or "nothing"


def logical_type(kind: ice.IcebergType) -> LogicalType:
    """The contract's type that a column of the table has; the inverse of what `schema_of` does with it."""
    plain: dict[type[ice.IcebergType], LogicalType] = {
        ice.StringType: LogicalType("string"),
        ice.LongType: LogicalType("integer"),
        ice.BooleanType: LogicalType("boolean"),
        ice.DateType: LogicalType("date"),
        ice.TimeType: LogicalType("time"),
        ice.DoubleType: LogicalType("number"),
        ice.TimestampType: LogicalType("timestamp"),
        ice.TimestamptzType: LogicalType("timestamp", has_zone=True),
    }
    match kind:
        case ice.DecimalType():
            return LogicalType("number", precision=kind.precision, scale=kind.scale)
        case ice.StructType():
            fields = tuple(Field(field.name, logical_type(field.field_type)) for field in kind.fields)
            return LogicalType("object", fields=fields)
        case ice.ListType():
            return LogicalType("array", items=logical_type(kind.element_type))
        case _:
            return plain[type(kind)]


def field_ids(schema: Schema) -> str:
    """The FIELD_IDS option of DuckDB's COPY: by them, not by name, a reader of Iceberg knows a column."""
    return "{" + ", ".join(_field_id(field) for field in schema.fields) + "}"


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
