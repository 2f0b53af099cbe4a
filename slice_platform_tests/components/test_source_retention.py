"""Retention of an operational table: what expires is proven by the lake, then deleted, and else told."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from slice_platform.components.source_retention import CHECK
from slice_platform_tests.components.sources import COLUMNS, KEPT_SHORT, Trade, found_by_runs, orders
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.warehouse.source.databases import KINDS, shop_on

pytestmark = pytest.mark.directory("the comparison is the same on S3")
APPLY = {"apply": True}


@pytest.fixture(params=KINDS)
def trade(request: pytest.FixtureRequest, make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trade]:
    with (
        shop_on(request, request.param) as shop,
        found_by_runs(make_lake({"orders": orders()}), shop, monkeypatch) as made,
    ):
        shop.make_orders(9)
        yield made


def expire(trade: Trade, **config: Any) -> dict[str, Any]:
    done = trade.run("expire_orders", config, **KEPT_SHORT)
    assert done.success
    (event,) = [one.asset_observation_data for one in done.all_events if one.is_asset_observation]
    return {name: value.value for name, value in event.asset_observation.metadata.items()}


def check(trade: Trade) -> dg.AssetCheckEvaluation:
    (found,) = trade.run("look_at_expiring_orders", **KEPT_SHORT).get_asset_check_evaluations()
    assert found.check_name == CHECK
    return found


def ids(trade: Trade) -> list[int]:
    return [number for (number,) in trade.shop.rows("select id from orders order by id")]


def test_what_the_lake_holds_is_deleted_and_stays_in_the_lake(trade: Trade) -> None:
    trade.offload(**KEPT_SHORT)
    told = expire(trade, **APPLY, batch_rows=4)
    assert (told["rows"], told["in_lake"], told["not_in_lake"], told["deleted"]) == (9, 9, 0, 9)
    assert ids(trade) == [] and len(trade.rows()) == 9
    trade.shop.order(10)
    trade.offload(**KEPT_SHORT)
    assert len(trade.rows()) == 10


def test_it_is_dry_unless_told(trade: Trade) -> None:
    trade.offload(**KEPT_SHORT)
    told = expire(trade)
    assert (told["rows"], told["in_lake"], told["deleted"], told["applied"]) == (9, 9, 0, False)
    assert ids(trade) == list(range(1, 10))


def test_without_the_lake_nothing_is_deleted(trade: Trade) -> None:
    told = expire(trade, **APPLY)
    assert (told["rows"], told["in_lake"], told["deleted"]) == (9, 0, 0)
    assert ids(trade) == list(range(1, 10))


def test_a_row_that_differs_in_one_value_stays_and_its_key_is_told(trade: Trade) -> None:
    trade.offload(**KEPT_SHORT)
    trade.shop.run("update orders set item = null where id = 3", "update orders set price = 5.51 where id = 5")
    told = expire(trade, **APPLY, batch_rows=2)
    assert told["deleted"] == 7 and told["first_not_in_lake"] == "id: 3; 5" and ids(trade) == [3, 5]


def test_the_check_is_red_while_something_that_expires_is_not_in_the_lake(trade: Trade) -> None:
    found = check(trade)
    assert not found.passed and found.metadata["not_in_lake"].value == 9
    trade.offload(**KEPT_SHORT)
    assert check(trade).passed


def test_an_offload_does_not_judge_what_is_not_ingested_yet(trade: Trade) -> None:
    assert not trade.run("offload_orders", **KEPT_SHORT).get_asset_check_evaluations()


def test_a_classified_key_is_not_told(
    request: pytest.FixtureRequest, make_lake: MakeLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, *others = COLUMNS
    text = orders({**key, "classification": "confidential"}, *others)
    with shop_on(request, "postgres") as shop, found_by_runs(make_lake({"orders": text}), shop, monkeypatch) as trade:
        shop.make_orders(2)
        assert expire(trade)["first_not_in_lake"] == "id: (classified)"
