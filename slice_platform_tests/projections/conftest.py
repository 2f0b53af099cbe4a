"""A lake beside a database: the lake's tables are projected into it."""

from slice_platform_tests.warehouse.conftest import make_world

__all__ = ["make_world"]
