"""`slice drop` for datasets whose files form sets."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from slice_platform.cli.main import main
from slice_platform_tests.conftest import MakeLake
from slice_platform_tests.lake.set_fixtures import by_marker, in_landing, part


def test_a_marker_is_dropped_though_it_matches_no_pattern(
    make_lake: MakeLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = make_lake(by_marker())
    monkeypatch.setenv("SLICE_HOME", str(tmp_path))
    monkeypatch.setenv("SLICE_DEFS_DIR", str(tmp_path / "defs"))
    (tmp_path / "a.jsonl").write_bytes(part("a"))
    (tmp_path / "_SUCCESS").touch()
    files = [str(tmp_path / name) for name in ("a.jsonl", "_SUCCESS")]
    done = CliRunner().invoke(main, ["drop", "feed", *files, "--under", "march"])
    assert done.exit_code == 0, done.output
    assert in_landing(lake) == ["march/_SUCCESS", "march/a.jsonl"]
    (tmp_path / "_OTHER").touch()
    assert "matches no pattern" in CliRunner().invoke(main, ["drop", "feed", str(tmp_path / "_OTHER")]).output
