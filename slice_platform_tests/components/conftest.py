"""A lake that runs find through the environment, as they do in production, and its definitions."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.lake_dataset import LakeDataset
from slice_platform.lake.lake import Lake
from slice_platform_tests.components.tables import Database, MadeOf, deployed, with_postgres
from slice_platform_tests.components.watched import Watched, broken
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.postgres import Postgres
from slice_platform_tests.samples import TRIPS


@pytest.fixture
def lake(make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The lake of `trips`, opened here and by every run."""
    monkeypatch.setenv("SLICE_HOME", str(tmp_path))
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "defs"))
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "0")
    return make_lake()


@pytest.fixture
def definitions(lake: Lake) -> dg.Definitions:
    return dg.build_defs_for_component(LakeDataset(lake.datasets["trips"]))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def watched(instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """An instance that alerts_sensor has looked at once; all that it runs fails."""
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    with broken(""):
        found = Watched(instance)
        found.tick()
        yield found


@pytest.fixture
def made_of(
    make_lake: MakeLake, tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> MadeOf:
    """Deployments with these business tables; of the models by default those of `models.py`."""
    return lambda models=None, trips=TRIPS: deployed(make_lake, tmp_path, instance, monkeypatch, models, trips)


@pytest.fixture
def database(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The Postgres that copies go to."""
    return with_postgres(postgres, monkeypatch)
