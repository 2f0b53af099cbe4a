"""`slice` as a user calls it, over a home of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from slice_platform.cli.main import main
from slice_platform.settings import PACKAGE_DIR

Slice = Callable[..., Result]
PLANES = (
    "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
    + "".join(f"N{n},2004,Fixed wing multi engine,BOEING,737,2,{100 + n},NA,Turbo-fan\n" for n in range(100, 140))
    + "N999,soon,Fixed wing multi engine,BOEING,737,2,150,NA,Turbo-fan\n"
)


@pytest.fixture
def slice_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slice:
    """Run `slice` with the shipped datasets and a fresh home."""
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "0")
    monkeypatch.setenv("DAGSTER_HOME", str(PACKAGE_DIR.parent))
    return lambda *arguments: CliRunner().invoke(main, list(arguments))


@pytest.fixture
def planes(slice_: Slice, tmp_path: Path) -> Slice:
    """`slice` over a lake in which planes.csv was ingested."""
    (tmp_path / "planes.csv").write_text(PLANES)
    assert slice_("drop", "planes", str(tmp_path / "planes.csv")).exit_code == 0
    done = slice_("ingest")
    assert done.exit_code == 0, done.output
    return slice_
