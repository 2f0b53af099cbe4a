"""What must be right about a projected table before a database hears of it, and keys for those who named none."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from slice_platform.warehouse.column_type import Kind
from slice_platform.warehouse.drop_path import DestinationName, TableRef
from slice_platform.warehouse.mysql_index import BYTES_OF_CHARACTER, MOST_INDEX_BYTES, index_bytes
from slice_platform.warehouse.projection import ProjectedTable
from slice_platform.warehouse.refusal import FileRefused
from slice_platform.warehouse.table_spec import TableSpec, read_table_spec, spec_document

MOST_PREFIX = 255  # characters of a text in an index of MySQL, which its TEXT needs told
_MOMENTS = (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
_MOST_COLUMNS_OF_INDEX = 16  # of MySQL; Postgres takes 32


def check_projection(table: ProjectedTable) -> list[str]:
    """What is wrong with it for its destination; nothing, where it can be made."""
    if found := [*_wrong_columns(table), *_wrong_indexes(table)]:
        return found
    try:
        read_table_spec(spec_document(settled(table).spec).encode(), table.ref.destination)
    except FileRefused as refused:
        return [str(finding) for finding in refused.findings]
    return []


def settled(table: ProjectedTable) -> ProjectedTable:
    """With the keys that its destination has: on Redshift those that are missing are chosen, elsewhere none are left.

    Rows lie together by the first column of the primary key, and are sorted by what partitions are told by.
    """
    return replace(table, spec=_with_keys(table.spec, table.ref.destination, table.partition_column))


def _with_keys(spec: TableSpec, destination: DestinationName, partition_column: str | None) -> TableSpec:
    if destination != "redshift":
        return replace(spec, dist_key=None, sort_key=())
    usual = [column.name for column in spec.columns if column.type.kind is not Kind.SUPER][:1]
    key = spec.primary_key or tuple(usual)
    dist_key = spec.dist_key or (key[0] if key else None)
    return replace(spec, dist_key=dist_key, sort_key=spec.sort_key or (_some(partition_column) or key))


def _some(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def index_name(table: TableRef, columns: tuple[str, ...]) -> str:
    """The same for the same columns of the same table, and of no other; of at most 63 characters."""
    digest = hashlib.sha256("\0".join((table.table, *columns)).encode()).hexdigest()[:12]
    return f"{table.table[:45]}_ix_{digest}"


def _wrong_columns(table: ProjectedTable) -> Iterator[str]:
    spec = table.spec
    if table.mode != "replace_partition" and not spec.primary_key:
        yield f"mode {table.mode!r} tells rows by their primary_key, and there is none: name one, or replace_partition"
    if (column := table.partition_column) is None:
        return
    kinds = {one.name: one.type for one in spec.columns}
    if column not in kinds:
        yield f"partition_column {column!r} is none of the columns; there are {', '.join(spec.names[:20])}"
    elif kinds[column].kind not in _MOMENTS:
        yield f"partition_column {column!r} is {kinds[column]}; windows are of DATE, TIMESTAMP or TIMESTAMPTZ"


def _wrong_indexes(table: ProjectedTable) -> Iterator[str]:
    if table.indexes and table.ref.destination == "redshift":
        yield "indexes: Redshift has none; leave them out, and name a sort_key"
        return
    kinds = {one.name: one.type for one in table.spec.columns}
    for index in table.indexes:
        shown = f"index ({', '.join(index)})"
        twice = [name for name, times in Counter(index).items() if times > 1]
        unknown = [name for name in index if name not in kinds]
        if not index or len(index) > _MOST_COLUMNS_OF_INDEX:
            yield f"{shown} has {len(index)} columns; 1 to {_MOST_COLUMNS_OF_INDEX} are expected"
        elif twice or unknown:
            yield f"{shown} names {(twice or unknown)[0]!r}, which is {'there twice' if twice else 'no column'}"
        elif documents := [name for name in index if kinds[name].kind is Kind.SUPER]:
            yield f"{shown} has {documents[0]!r}, which is SUPER: a document is in no index"
        elif table.ref.destination == "mysql" and (takes := _index_bytes(table, index)) > MOST_INDEX_BYTES:
            yield f"{shown} takes up to {takes:,} bytes; an index of MySQL takes {MOST_INDEX_BYTES:,}"


def _index_bytes(table: ProjectedTable, index: tuple[str, ...]) -> int:
    kinds = {one.name: one.type for one in table.spec.columns}
    return sum(
        min(kinds[name].length or 0, MOST_PREFIX) * BYTES_OF_CHARACTER
        if kinds[name].length
        else index_bytes(kinds[name])
        for name in index
    )
