"""What every test stands on: a world of its own, and lakes made from the text of their YAML files."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from slice_platform.lake.lake import Lake, open_lake
from slice_platform.settings import load_settings
from slice_platform_tests.samples import TRIPS, DatasetText

_KNOBS = ("SLICE_", "DAGSTER_", "AWS_")


@pytest.fixture(autouse=True)
def world_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine and no `.env` reaches a test, and what it writes is its own."""
    for name in [name for name in os.environ if name.startswith(_KNOBS)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("slice_platform.settings.PACKAGE_DIR", tmp_path / "slice_platform")  # no checkout: no `.env`
    monkeypatch.chdir(tmp_path)


class MakeLake(Protocol):
    """Write dataset folders and open the lake that has them; `settings` override the defaults."""

    def __call__(
        self, datasets: dict[str, DatasetText] | None = None, *, home: Path | None = None, **settings: object
    ) -> Lake: ...


@pytest.fixture
def make_lake(tmp_path: Path) -> Iterator[MakeLake]:
    """Lakes below `tmp_path`, closed when the test ends; without arguments one that holds `trips`."""
    with ExitStack() as opened:

        def make(
            datasets: dict[str, DatasetText] | None = None, *, home: Path | None = None, **settings: object
        ) -> Lake:
            base = home or tmp_path
            (base / "defs").mkdir(parents=True, exist_ok=True)
            for name, text in ({"trips": TRIPS} if datasets is None else datasets).items():
                text.write(base / "defs" / name)
            known: dict[str, object] = {"home": base, "defs_dir": base / "defs", "landing_tick_seconds": 0}
            return opened.enter_context(open_lake(load_settings(**{**known, **settings})))

        yield make
