"""The account that tests of releases begin with."""

from pathlib import Path

import pytest

from slice_platform.local.aws import LocalAws
from slice_platform_tests.ops.ami.planted import Shop, plant


@pytest.fixture
def shop(empty_aws: LocalAws, tmp_path: Path) -> Shop:
    return plant(empty_aws, tmp_path)
