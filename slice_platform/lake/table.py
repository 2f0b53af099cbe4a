"""The curated tables: Iceberg, created from the contract, changed by one commit function.

Engines only write Parquet; `commit` is the one place that makes it visible, all partitions of a batch in
one snapshot. pyiceberg's own retry is off: it would append again what another writer has just appended.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pyiceberg import types as ice
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.manifest import DataFile as IcebergFile
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.transforms import DayTransform, HourTransform, MonthTransform, Transform, YearTransform

from slice_platform.errors import ContractError, PermanentError
from slice_platform.lake.dataset import Dataset
from slice_platform.lake.lake import CURATED, Lake
from slice_platform.lake.partitions import Grain, PartitionBy, key_of_iceberg_value
from slice_platform.lake.types import LogicalType
from slice_platform.settings import Settings

BATCH = "slice.batch"  # snapshot property: which batch of the ledger made the snapshot
_TRANSFORMS: dict[Grain, type[Transform]] = {  # type: ignore[type-arg]  # each transform has types of its own
    "hour": HourTransform,
    "day": DayTransform,
    "month": MonthTransform,
    "year": YearTransform,
}
_PROPERTIES = {
    "format-version": "2",
    "commit.retry.num-retries": "0",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
}


class LostRaceError(Exception):
    """Another writer committed since the plan was made; plan again on the table as it now is."""


@dataclass(frozen=True)
class DataFile:
    """One data file of a snapshot. `path` is what DuckDB opens."""

    path: str
    partition_key: str
    rows: int
    size_bytes: int
    iceberg: IcebergFile


def load_table(lake: Lake, dataset: Dataset) -> Table | None:
    """The curated table, or None where nothing was ever published."""
    try:
        return _catalog(lake).load_table((CURATED, dataset.name))
    except NoSuchTableError:
        return None


def ensure_table(lake: Lake, dataset: Dataset) -> Table:
    """The curated table, created from the contract if need be; optional columns the contract gained are added.

    Raises:
        ContractError: the contract contradicts the table; the message says how.
    """
    catalog = _catalog(lake)
    try:
        catalog.create_namespace(CURATED)
    except NamespaceAlreadyExistsError:
        pass  # every call but the first
    schema = _schema(dataset)
    try:
        return catalog.create_table(
            (CURATED, dataset.name),
            schema,
            location=_uri(lake.store.path(f"{CURATED}/{dataset.name}")),
            partition_spec=_partition_spec(dataset, schema),
            properties=_PROPERTIES,
        )
    except TableAlreadyExistsError:
        return _evolved(catalog.load_table((CURATED, dataset.name)), dataset)


def data_files(
    table: Table, partition: PartitionBy | None, row_filter: BooleanExpression = AlwaysTrue()
) -> list[DataFile]:
    """The data files of the current snapshot that may hold rows the filter accepts."""
    return [
        DataFile(
            path=local_path(task.file.file_path),
            partition_key=key_of_iceberg_value(partition, task.file.partition[0] if partition else None),
            rows=task.file.record_count,
            size_bytes=task.file.file_size_in_bytes,
            iceberg=task.file,
        )
        for task in table.scan(row_filter=row_filter).plan_files()
    ]


def commit(table: Table, *, remove: Iterable[DataFile], add: list[str], batch_id: str) -> Snapshot:
    """Replace data files in one snapshot: readers see the table before it or after it. Not retried.

    Raises:
        LostRaceError: another writer was faster; nothing changed.
    """
    from pyiceberg.io.pyarrow import parquet_files_to_data_files  # brings pandas, which loading definitions can do without

    removed = list(remove)
    try:
        with table.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties={BATCH: batch_id})
            with update.overwrite() if removed else update.fast_append() as snapshot:
                for file in removed:
                    snapshot.delete_data_file(file.iceberg)
                uris = iter([_uri(path) for path in add])
                for added in parquet_files_to_data_files(table.io, transaction.table_metadata, uris):
                    snapshot.append_data_file(added)
    except (CommitFailedException, ValidationException) as error:
        raise LostRaceError(str(error)) from error
    made = table.current_snapshot()
    assert made is not None
    return made


def snapshot_of_batch(table: Table | None, batch_id: str) -> Snapshot | None:
    """The snapshot that a batch committed, if it came that far."""
    for snapshot in reversed(table.metadata.snapshots if table else []):
        if snapshot.summary is not None and snapshot.summary.additional_properties.get(BATCH) == batch_id:
            return snapshot
    return None


def field_ids(table: Table) -> str:
    """The FIELD_IDS option of DuckDB's COPY, so that columns keep their identity through a rename."""
    return "{" + ", ".join(_field_id(field) for field in table.schema().fields) + "}"


def local_path(uri: str) -> str:
    return uri.removeprefix("file://")


def _uri(path: str) -> str:
    return path if "://" in path else f"file://{path}"


def _catalog(lake: Lake) -> Catalog:
    return _open_catalog(lake.settings, _uri(lake.store.path(CURATED)))


@lru_cache(maxsize=8)
def _open_catalog(settings: Settings, warehouse: str) -> Catalog:
    if settings.catalog == "glue":
        endpoint = settings.aws_endpoint_url
        where = {"glue.endpoint": endpoint, "s3.endpoint": endpoint} if endpoint else {}
        return load_catalog("slice", type="glue", warehouse=warehouse, **where)
    settings.home_dir.mkdir(parents=True, exist_ok=True)
    return load_catalog("slice", type="sql", uri=settings.iceberg_catalog_url, warehouse=warehouse)


def _schema(dataset: Dataset) -> Schema:
    ids = iter(range(1, 1_000_000))
    fields = [
        ice.NestedField(next(ids), c.name, _iceberg_type(c.type, ids), doc=c.description) for c in dataset.contract.columns
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


def _partition_spec(dataset: Dataset, schema: Schema) -> PartitionSpec:
    if dataset.partition is None:
        return PartitionSpec()
    grain, source = dataset.partition.grain, schema.find_field(dataset.partition.column)
    name = f"{dataset.partition.column}_{grain}"
    return PartitionSpec(PartitionField(source.field_id, 1000, _TRANSFORMS[grain](), name))


def _evolved(table: Table, dataset: Dataset) -> Table:
    wanted, found = _schema(dataset), table.schema()
    for field in wanted.fields:
        there = next((f for f in found.fields if f.name == field.name), None)
        if there is not None and str(there.field_type) != str(field.field_type) and not field.field_type.is_struct:
            raise ContractError(
                f"{dataset.contract.path}: column {field.name!r} is {field.field_type}, but the table holds "
                f"{there.field_type}. Give the column another name, or restore its type."
            )
    names = {field.name for field in wanted.fields}
    if gone := [field.name for field in found.fields if field.name not in names]:
        raise ContractError(
            f"{dataset.contract.path}: {', '.join(map(repr, gone))} left the contract, but the table holds it. "
            "Restore the column; dropping or renaming one is not supported."
        )
    if [f for f in table.spec().fields] != [] and dataset.partition is None:
        raise PermanentError(f"{dataset.name!r} is partitioned in the catalog, but not in defs.yaml. Restore `partition`.")
    if added := [field for field in wanted.fields if field.name not in {f.name for f in found.fields}]:
        with table.update_schema() as update:
            for field in added:
                update.add_column(field.name, field.field_type, doc=field.doc)
    return table


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
