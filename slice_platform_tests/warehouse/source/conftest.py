"""An operational database of each kind in turn."""

from collections.abc import Iterator

import pytest

from slice_platform_tests.warehouse.source.databases import KINDS, Shop, shop_on


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with shop_on(request, request.param) as made:
        yield made


@pytest.fixture
def postgres_shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with shop_on(request, "postgres") as made:
        yield made


@pytest.fixture
def mysql_shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    with shop_on(request, "mysql") as made:
        yield made
