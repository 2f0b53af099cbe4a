"""A lake with the dataset `orders`, and a database that it is offloaded from, as runs find both in production."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from slice_platform.components.database_source import DatabaseSource
from slice_platform.components.lake_dataset import LakeDataset
from slice_platform.components.source_definition import Source, source_of
from slice_platform.lake.dataset import dataset_of, load_datasets
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import Lake
from slice_platform.lake.query import query
from slice_platform.settings import load_settings
from slice_platform.warehouse.source.spec import COMPONENT, SourceSpec
from slice_platform_tests.samples import DatasetText
from slice_platform_tests.warehouse.source.databases import DATABASE, Shop

_INSTANT = {"logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}}
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "logicalType": "integer", "primaryKey": True},
    {"name": "item", "logicalType": "string"},
    {"name": "price", "logicalType": "number", "physicalType": "decimal(10,2)"},
    {"name": "created_at", "required": True, **_INSTANT},
    {"name": "updated_at", **_INSTANT},
]
ATTRIBUTES: dict[str, Any] = {
    "files": [{"pattern": "*.parquet", "format": "parquet"}],
    "mode": "merge",
    "order_by": ["updated_at"],
    "partition": {"column": "created_at", "grain": "day", "start": "2026-01-01"},
}
INCREMENTAL: dict[str, Any] = {"cursor": {"column": "updated_at", "overlap": "15m"}}
KEPT_SHORT: dict[str, Any] = {**INCREMENTAL, "retention": {"after": "60d", "column": "created_at"}}


def orders(*columns: dict[str, Any], **attributes: Any) -> DatasetText:
    """The dataset, with other columns or attributes of its defs.yaml."""
    table = {"name": "orders", "properties": list(columns or COLUMNS)}
    contract = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "orders", "version": "1.0.0", "status": "active"}
    defs = {
        "type": "slice_platform.components.lake_dataset.LakeDataset",
        "attributes": {name: value for name, value in {**ATTRIBUTES, **attributes}.items() if value is not None},
    }
    return DatasetText(json.dumps({**contract, "schema": [table]}), json.dumps(defs))


def write_source(folder: Path, **attributes: Any) -> SourceSpec:
    """The folder of a DatabaseSource, as a person writes it."""
    given = {"dataset": "orders", "url_variable": "SHOP_DATABASE_URL", "table": "orders", **attributes}
    given = {name: value for name, value in given.items() if value is not None}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "defs.yaml").write_text(json.dumps({"type": COMPONENT, "attributes": given}, indent=1))
    return SourceSpec.model_validate(given)


class Trade:
    """The lake, the database and what Dagster knows of both."""

    def __init__(self, lake: Lake, shop: Shop, instance: dg.DagsterInstance) -> None:
        self.lake, self.shop, self.instance = lake, shop, instance

    def source(self, **attributes: Any) -> Source:
        folder = self.lake.settings.defs_dir / "orders_source"
        spec = write_source(folder, database=DATABASE, **attributes)
        return source_of(folder, spec, load_datasets(load_settings().defs_dir))

    def definitions(self, **attributes: Any) -> dg.Definitions:
        made = DatabaseSource(self.source(**attributes))
        dataset = dataset_of(self.lake.settings.defs_dir / "orders")
        return dg.Definitions.merge(
            dg.build_defs_for_component(made), dg.build_defs_for_component(LakeDataset(dataset))
        )

    def run(self, job: str, config: dict[str, Any] | None = None, **attributes: Any) -> dg.ExecuteInProcessResult:
        op = {"ops": {"expire_rows_of_orders": {"config": config}}} if config else {}
        job_def = self.definitions(**attributes).resolve_job_def(job)
        return job_def.execute_in_process(instance=self.instance, run_config=op, raise_on_error=False)

    def offload(self, **attributes: Any) -> dict[str, Any]:
        """One offload and an ingest; the metadata of the offload."""
        done = self.run("offload_orders", **attributes)
        assert done.success
        ingest(self.lake, "orders")
        (event,) = done.get_asset_materialization_events()
        return {name: value.value for name, value in event.materialization.metadata.items()}

    def rows(self, columns: str = "id, item") -> list[tuple[Any, ...]]:
        found = query(self.lake, f"select {columns} from curated.orders order by id").table.to_pylist()
        return [tuple(row.values()) for row in found]


@contextmanager
def found_by_runs(lake: Lake, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    """Runs open the lake and the database by the environment."""
    home = str(lake.settings.home_dir)
    for name, value in (
        ("SLICE_HOME", home),
        ("SLICE_DEFS_DIR", os.path.join(home, "defs")),  # noqa: PTH118 -- text for a variable
        ("SLICE_LANDING_TICK_SECONDS", "0"),
        ("SHOP_DATABASE_URL", shop.url),
    ):
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Trade(lake, shop, instance)
