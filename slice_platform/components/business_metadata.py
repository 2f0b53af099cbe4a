"""What a business table's page tells: its SQL, columns, what each is made of, a small chart."""

from collections.abc import Sequence

import dagster as dg
import duckdb

from slice_platform.components.chart import MOST_POINTS, chart_markdown
from slice_platform.lake.business.definition import BusinessTable
from slice_platform.lake.business.personal import TreatedColumn
from slice_platform.lake.business.tables import Origin
from slice_platform.lake.table import DataFile

MOST_PARTITIONS = MOST_POINTS  # a line by the partition's column has one point in each
_MOST_ORIGINS = 4
_DONE = {"mask": "Personal data, masked.", "hash": "Personal data, hashed.", "allow": "Personal data, allowed here."}


def described(table: BusinessTable) -> str:
    """The table in words, and its SQL."""
    return f"{table.spec.description}\n\n```sql\n{table.bound.text.sql.strip()}\n```"


def business_asset_metadata(table: BusinessTable) -> dict[str, dg.MetadataValue | str]:
    """Known before anything ran."""
    return {
        "dagster/table_name": f"business.{table.name}",
        "dagster/column_schema": dg.MetadataValue.table_schema(_columns(table)),
        **lineage_metadata(table),
    }


def lineage_metadata(table: BusinessTable) -> dict[str, dg.MetadataValue]:
    """What each column is made of."""
    deps = {
        made.column: [
            dg.TableColumnDep(asset_key=dg.AssetKey(origin.table.split(".")), column_name=origin.column)
            for origin in sorted(made.origins)
        ]
        for made in table.lineage.columns
        if made.column in table.types
    }
    return {"dagster/column_lineage": dg.MetadataValue.column_lineage(dg.TableColumnLineage(deps))}


def charted(
    connection: duckdb.DuckDBPyConnection, table: BusinessTable, files: list[DataFile]
) -> dg.MetadataValue | None:
    """The chart that defs.yaml asks for, of the latest partitions; None where there is nothing to draw."""
    latest = sorted({file.partition_key for file in files})[-MOST_PARTITIONS:]
    if table.spec.chart is None or not latest:
        return None
    shown = chart_markdown(connection, table, [file.path for file in files if file.partition_key >= latest[0]])
    return dg.MetadataValue.md(shown) if shown else None


def _columns(table: BusinessTable) -> dg.TableSchema:
    treated = {one.name: one for one in table.treated.columns}
    origins = {made.column: sorted(made.origins) for made in table.lineage.columns}
    columns = [
        dg.TableColumn(
            one.name,
            str(one.type),
            description=_words(one.description, treated[one.name], origins.get(one.name, ())),
            constraints=dg.TableColumnConstraints(nullable=one.name not in table.key, unique=table.key == (one.name,)),
            tags={"classification": one.classification} if one.classification else None,
        )
        for one in table.columns
    ]
    keys = dg.TableConstraints([f"key: {', '.join(table.key)}"]) if table.key else None
    return dg.TableSchema(columns, constraints=keys)


def _words(description: str | None, column: TreatedColumn, origins: Sequence[Origin]) -> str | None:
    words = [description, _DONE.get(column.treatment or ""), _origins(origins)]
    return " ".join(word for word in words if word) or None


def _origins(origins: Sequence[Origin]) -> str | None:
    """In words, as Dagster's own UI draws the lineage of assets, and keeps that of columns for its API."""
    if not origins:
        return None
    some = ", ".join(f"`{one.table}.{one.column}`" for one in origins[:_MOST_ORIGINS])
    more = f" and {len(origins) - _MOST_ORIGINS} more" if len(origins) > _MOST_ORIGINS else ""
    return f"From {some}{more}."
