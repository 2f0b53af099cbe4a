"""What every test stands on: a world of its own, and lakes made from the text of their YAML files.

There are two worlds, and `make test` goes through both. In `local` a lake is a directory with SQLite beside it. With
`--world aws` the very same tests run on S3, Glue (both as moto serves them) and a real Postgres.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from slice_platform.lake.lake import Lake, open_lake
from slice_platform.settings import load_settings
from slice_platform_tests.cloud import CREDENTIALS, Cloud, running_cloud
from slice_platform_tests.local_aws import empty_aws, local_aws, running_aws
from slice_platform_tests.mariadb import MariaDb, running_mariadb
from slice_platform_tests.postgres import Postgres, running_postgres
from slice_platform_tests.samples import TRIPS, DatasetText

_KNOBS = ("SLICE_", "DAGSTER_", "AWS_")
__all__ = ["empty_aws", "local_aws", "running_aws"]  # fixtures that are written elsewhere


@pytest.fixture(autouse=True)
def world_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine and no `.env` reaches a test, and what it writes is its own."""
    for name in [name for name in os.environ if name.startswith(_KNOBS)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("slice_platform.settings.PACKAGE_DIR", tmp_path / "slice_platform")  # no checkout: no `.env`
    monkeypatch.chdir(tmp_path)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--world", choices=["local", "aws"], default="local", help="Where the lakes of the tests lie.")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--world") == "local":
        return
    for item in items:
        if marker := item.get_closest_marker("directory"):
            item.add_marker(pytest.mark.skip(reason=f"about a directory alone: {marker.args[0]}"))


@pytest.fixture(scope="session")
def running_s3() -> Iterator[Cloud]:
    with running_cloud() as started:
        yield started


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as started:
        yield started


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    with running_mariadb() as started:
        yield started


@pytest.fixture
def cloud(running_s3: Cloud, world_of_its_own: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """S3 and Glue with nothing in them; credentials for them are in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    yield running_s3
    running_s3.reset()


class SettingsOf(Protocol):
    """The settings that say where the lake of a home lies; the same for the same home."""

    def __call__(self, home: Path) -> dict[str, object]: ...


@pytest.fixture
def on_aws(cloud: Cloud, postgres: Postgres) -> SettingsOf:
    """Lakes on S3 and Glue with their ledger in Postgres."""
    known: dict[Path, dict[str, object]] = {}

    def settings_of(home: Path) -> dict[str, object]:
        if home not in known:
            bucket = cloud.fresh_bucket()
            known[home] = {
                "lake_uri": f"s3://{bucket}/lake",
                "catalog": "glue",
                "catalog_namespace": f"curated_{len(known)}",
                "business_namespace": f"business_{len(known)}",
                "metadata_url": postgres.fresh_url(),
                "aws_endpoint_url": cloud.url,
                "aws_timeout_seconds": 10.0,
            }
        return known[home]

    return settings_of


@pytest.fixture
def world(request: pytest.FixtureRequest) -> SettingsOf:
    """Where the lakes of this run lie."""
    if request.config.getoption("--world") == "local":
        return lambda _home: {}
    found: SettingsOf = request.getfixturevalue("on_aws")
    return found


class MakeLake(Protocol):
    """Write dataset folders and open the lake that has them; `settings` override the defaults."""

    def __call__(
        self, datasets: dict[str, DatasetText] | None = None, *, home: Path | None = None, **settings: object
    ) -> Lake: ...


@pytest.fixture
def make_lake(tmp_path: Path, world: SettingsOf) -> Iterator[MakeLake]:
    """Lakes with their home below `tmp_path`, closed when the test ends; without arguments one that holds `trips`."""
    with ExitStack() as opened:

        def make(
            datasets: dict[str, DatasetText] | None = None, *, home: Path | None = None, **settings: object
        ) -> Lake:
            base = home or tmp_path
            (base / "defs").mkdir(parents=True, exist_ok=True)
            for name, text in ({"trips": TRIPS} if datasets is None else datasets).items():
                text.write(base / "defs" / name)
            known: dict[str, object] = {"home": base, "defs_dir": base / "defs", "landing_tick_seconds": 0}
            known |= world(base)
            return opened.enter_context(open_lake(load_settings(**{**known, **settings})))

        yield make
