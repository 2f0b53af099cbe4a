"""A feed whose contract changes, in a few words."""

from typing import Any

from slice_platform.lake.lake import Lake
from slice_platform.lake.table import load_table
from slice_platform_tests.lake.feeds import BY_DAY, feed
from slice_platform_tests.samples import DatasetText

A = {"name": "a", "logicalType": "integer"}
B = {"name": "b", "logicalType": "string"}
NEW = {"name": "new", "logicalType": "string"}
MERGE: dict[str, Any] = {"mode": "merge", "order_by": ["n"], "partition": BY_DAY}
DAYS = ["2026-01-01", "2026-01-02"]
ALL = "select * exclude (_ingested_at) from curated.feed order by id"


def money(digits: int) -> dict[str, Any]:
    return {"name": "m", "logicalType": "number", "logicalTypeOptions": {"precision": digits, "scale": 2}}


def an_object(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "logicalType": "object", "properties": list(fields)}


def objects(name: str, *fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "logicalType": "array", "items": {"logicalType": "object", "properties": list(fields)}}


def of(*columns: dict[str, Any], **attributes: Any) -> dict[str, DatasetText]:
    return feed(*columns, **{**MERGE, **attributes})


def columns_of(lake: Lake) -> list[str]:
    table = load_table(lake, lake.dataset("feed"))
    return [field.name for field in table.schema().fields] if table else []
