"""The component DatabaseSource: from a table of a database to the rows of the curated table."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from slice_platform.components.database_source import refuse_schedule, with_sources
from slice_platform.errors import ContractError
from slice_platform.lake.ingest import ingest
from slice_platform.records import FileStatus
from slice_platform.settings import PACKAGE_DIR
from slice_platform_tests.components.sources import (
    INCREMENTAL,
    KEPT_SHORT,
    Trade,
    found_by_runs,
    orders,
    write_source,
)
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.warehouse.source.databases import KINDS, shop_on

pytestmark = pytest.mark.directory("the way of the rows is the same on S3")
DATABASE_KEY, RAW = dg.AssetKey(["database", "orders"]), dg.AssetKey(["raw", "orders"])


@pytest.fixture(params=KINDS)
def trade(request: pytest.FixtureRequest, make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    with (
        shop_on(request, request.param) as shop,
        found_by_runs(make_lake({"orders": orders()}), shop, monkeypatch) as made,
    ):
        yield made


def test_a_snapshot_becomes_the_rows_of_the_table(trade: Trade) -> None:
    trade.shop.make_orders(3)
    told = trade.offload()
    assert (told["rows"], told["file"]) == (3, "orders.parquet") and told["bytes"] > 0 and told["seconds"] >= 0
    assert str(told["server"]).startswith(f"{trade.shop.kind}://") and "@" not in str(told["server"])
    moment = datetime(2026, 1, 2, 10, tzinfo=UTC)
    assert trade.rows("*")[1][:5] == (2, "tea", Decimal("2.50"), moment, moment)


def test_rows_that_were_deleted_leave_the_table_with_the_next_snapshot(trade: Trade) -> None:
    trade.shop.make_orders(3)
    trade.offload()
    trade.shop.run("delete from orders where id = 2")
    trade.shop.order(3, item="milk")
    trade.offload()
    assert trade.rows() == [(1, "tea"), (3, "milk")]
    trade.shop.run("delete from orders")
    trade.offload()
    assert trade.rows() == []


def test_a_snapshot_of_unchanged_rows_changes_nothing(trade: Trade) -> None:
    trade.shop.make_orders(3)
    trade.offload()
    trade.offload()
    statuses = [row.status for row in trade.lake.ledger.list_files("orders")]
    assert statuses == [FileStatus.PUBLISHED, FileStatus.REPEATED]


def test_increments_merge_into_the_table(trade: Trade) -> None:
    trade.shop.make_orders(3)
    trade.offload(**INCREMENTAL)
    trade.shop.order(1, item="milk", updated_at="2026-01-04 10:00:00")
    trade.shop.order(4, item="late", updated_at="2026-01-03 09:50:00")
    told = trade.offload(**INCREMENTAL)
    assert told["rows"] == 3 and told["window"] == "20260103T094500.000000Z-20260104T100000.000000Z"
    assert trade.rows() == [(1, "milk"), (2, "tea"), (3, "tea"), (4, "late")]
    assert trade.offload(**INCREMENTAL)["file"] == "none: nothing new"


def test_the_schedule_asks_for_the_offload(trade: Trade) -> None:
    found = trade.definitions(schedule="*/15 * * * *", **INCREMENTAL)
    schedule = found.resolve_schedule_def("offload_orders_schedule")
    assert schedule.cron_schedule == "*/15 * * * *" and schedule.job_name == "offload_orders"


def test_raw_comes_from_the_database(trade: Trade) -> None:
    found = with_sources(trade.definitions())
    graph = found.resolve_asset_graph()
    assert graph.get(RAW).parent_keys == {DATABASE_KEY}
    assert graph.get(DATABASE_KEY).group_name == "database"
    assert graph.get(dg.AssetKey(["curated", "orders"])).parent_keys == {RAW}
    dg.Definitions.validate_loadable(found)


def test_definitions_without_sources_stay_as_they_are() -> None:
    defs = dg.Definitions(assets=[dg.AssetSpec(["raw", "orders"])])
    assert with_sources(defs) is defs


def test_a_failure_says_what_to_do_and_is_not_retried(trade: Trade) -> None:
    done = trade.run("offload_orders")
    assert not done.success
    (failure,) = [event.step_failure_data for event in done.all_events if event.is_step_failure]
    assert failure.error is not None and "Check `table` and `database`" in failure.error.message


def test_a_variable_that_is_not_set_is_named(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DATABASE_URL")
    found = trade.run("offload_orders")
    (failure,) = [event.step_failure_data for event in found.all_events if event.is_step_failure]
    assert failure.error is not None and "SHOP_DATABASE_URL is not set" in failure.error.message


def test_without_a_variable_it_is_the_platforms_own_server(trade: Trade, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = trade.shop.kind
    monkeypatch.setenv(f"SLICE_{kind.upper()}_URL", trade.shop.url)
    monkeypatch.delenv("SHOP_DATABASE_URL")
    trade.shop.make_orders(2)
    assert trade.offload(url_variable=None, server=kind)["rows"] == 2


@pytest.mark.parametrize(
    ("dataset", "source", "says"),
    [
        ({}, {"dataset": "order"}, r"attributes.dataset: no dataset is called 'order'; there are: orders"),
        ({"files": [{"pattern": "*.csv", "format": "csv"}]}, {}, "takes no file such as orders.parquet"),
        ({"files": [{"pattern": "orders.parquet", "format": "parquet"}]}, INCREMENTAL, "takes no file such as orders-"),
        ({"mode": "append", "order_by": None}, INCREMENTAL, "attributes.cursor: 'orders' has mode append"),
        ({"sets": {"marker": "_SUCCESS"}}, {}, "publishes files in sets"),
        ({}, {**KEPT_SHORT, "retention": {"after": "60d", "column": "made_at"}}, "'made_at' is no column of 'orders'"),
        ({}, {"retention": {"after": "60d", "column": "created_at"}}, "would leave the lake with the next one"),
    ],
)
def test_what_does_not_fit_the_dataset_is_told_with_file_and_line(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: dict[str, Any],
    source: dict[str, Any], says: str,
) -> None:  # fmt: skip
    lake = make_lake({"orders": orders(**dataset)})
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "defs"))
    with pytest.raises(ContractError, match=says) as told:
        Trade(lake, None, None).source(**source)  # type: ignore[arg-type]
    assert "orders_source/defs.yaml:" in str(told.value)


def test_values_go_all_the_way_and_stay_what_they_are(
    request: pytest.FixtureRequest, make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns: list[dict[str, Any]] = [
        {"name": "id", "logicalType": "string", "primaryKey": True},
        {"name": "exact", "logicalType": "number", "physicalType": "decimal(38,10)"},
        {"name": "half", "logicalType": "number"},
        {"name": "flag", "logicalType": "boolean"},
        {"name": "day", "logicalType": "date"},
        {"name": "clock", "logicalType": "time"},
        {"name": "local", "logicalType": "timestamp"},
        {"name": "instant", "logicalType": "timestamp", "logicalTypeOptions": {"timezone": True}},
        {"name": "tags", "logicalType": "array", "items": {"logicalType": "string"}},
        {"name": "doc", "logicalType": "object", "properties": [{"name": "a", "logicalType": "integer"}]},
        {"name": "mood", "logicalType": "string"},
    ]
    text = orders(*columns, order_by=None, partition=None)
    with shop_on(request, "postgres") as shop, found_by_runs(make_lake({"orders": text}), shop, monkeypatch) as trade:
        shop.run(
            "create type mood as enum ('sad', 'glad')",
            "create table orders (id uuid primary key, exact numeric(38,10), half double precision, flag boolean, "
            "day date, clock time, local timestamp, instant timestamptz, tags text[], doc jsonb, mood mood)",
            "insert into orders values ('123e4567-e89b-12d3-a456-426655440000', "
            "1234567890123456789012345678.0123456789, 0.1, true, '2026-03-01', '09:30', '2026-03-01 09:30:00.123456', "
            "'2026-03-01 11:30:00.123456+02', array['a,b', 'c'], '{\"a\": 7}', 'glad')",
        )
        trade.offload()
        local = datetime.fromisoformat("2026-03-01 09:30:00.123456")
        (row,) = trade.rows("* exclude (_file_id, _row, _ingested_at)")
        assert row[:3] == (
            "123e4567-e89b-12d3-a456-426655440000",
            Decimal("1234567890123456789012345678.0123456789"),
            0.1,
        )
        assert row[3:6] == (True, local.date(), local.time().replace(second=0, microsecond=0))
        assert row[6:] == (local, local.replace(tzinfo=UTC), ["a,b", "c"], {"a": 7}, "glad")


def test_nothing_of_an_offload_is_lost_when_it_is_ingested_later(trade: Trade) -> None:
    """Two increments may lie in landing before the lake looks."""
    trade.shop.make_orders(2)
    assert trade.run("offload_orders", **INCREMENTAL).success
    trade.shop.order(3)
    assert trade.run("offload_orders", **INCREMENTAL).success
    ingest(trade.lake, "orders")
    assert [number for number, _ in trade.rows()] == [1, 2, 3]


def test_it_loads_from_yaml_without_network_and_without_drivers(tmp_path: Path) -> None:
    """As the code location does: the whole package, with a dataset and a source more."""
    copy = tmp_path / "slice_platform"
    shutil.copytree(PACKAGE_DIR, copy, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PACKAGE_DIR.parent / "pyproject.toml", tmp_path)
    orders().write(copy / "defs" / "orders")
    write_source(copy / "defs" / "orders_source", schedule="0 * * * *", database="shop", **KEPT_SHORT)
    code = """
import sys
from slice_platform.components.database_source import with_sources
from slice_platform.definitions import defs
found = with_sources(defs())
print(*sorted(job.name for job in found.jobs or [] if job.name.endswith("_orders")))
print(*[key.to_user_string() for key in found.resolve_all_asset_keys() if key.path[-1] == "orders"])
print([name for name in ("psycopg", "pymysql", "adbc_driver_postgresql") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    jobs, assets, heavy = done.stdout.splitlines()
    assert jobs == "expire_orders ingest_orders look_at_expiring_orders offload_orders upkeep_orders"
    assert set(assets.split()) == {"database/orders", "raw/orders", "curated/orders"}
    assert heavy == "[]"


def test_a_mistake_in_a_schedule_is_told_with_its_line(tmp_path: Path) -> None:
    spec = write_source(tmp_path, schedule="every hour")
    with pytest.raises(ContractError, match=r"defs.yaml:\d+: attributes.schedule: expected a cron expression"):
        refuse_schedule(tmp_path, spec)
