"""The code location as a whole: what it defines, and what loading it costs and needs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slice_platform.settings import PACKAGE_DIR

KEYS = {f"{tier}/{name}" for tier in ("raw", "curated") for name in ("flights", "planes", "weather")}


def run_python(code: str, cwd: Path) -> str:
    """Run code in a process of its own, as a run worker would start."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_assets_jobs_and_sensors_are_these(tmp_path: Path) -> None:
    """A reviewed list: a definition that goes missing is a change somebody must want."""
    code = """
from slice_platform.definitions import defs
found = defs()
print(*sorted(key.to_user_string() for key in found.resolve_all_asset_keys()))
print(*sorted(job.name for job in found.jobs or []))
print(*[sensor.name for sensor in found.sensors or []])
"""
    assets, jobs, sensors = run_python(code, tmp_path).splitlines()
    assert set(assets.split()) == {*KEYS, "slack/outbox"}
    per_dataset = [f"{job}_{name}" for job in ("ingest", "upkeep") for name in ("flights", "planes", "weather")]
    assert sorted(jobs.split()) == sorted([*per_dataset, "propagate", "rebuild", "replay", "retract"])
    assert sensors == "landing_sensor propagator_sensor alerts_sensor outbox_sensor"


def test_loading_imports_nothing_heavy_and_writes_nothing(tmp_path: Path) -> None:
    code = """
import socket, sys
def refuse(*_): raise AssertionError("loading went to the network")
socket.socket.connect = refuse
from slice_platform.definitions import defs
defs()
heavy = ("boto3", "botocore", "s3fs", "psycopg", "pymysql", "redshift_connector", "adbc_driver_postgresql", "dlt",
         "dagster_aws", "dagster_pyspark", "pyspark", "moto", "pandas")
print(*[name for name in heavy if name in sys.modules])
"""
    assert run_python(code, tmp_path).strip() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "field"),
    [
        ("contract.yaml", "logicalType: integer", "logicalType: integr", "logicalType"),
        ("defs.yaml", "mode: merge", "mode: upsert", "mode"),
    ],
)
def test_a_mistake_in_a_dataset_stops_loading_and_names_file_line_and_field(
    tmp_path: Path, file: str, old: str, new: str, field: str
) -> None:
    shutil.copytree(PACKAGE_DIR, tmp_path / "slice_platform")
    shutil.copy(PACKAGE_DIR.parent / "pyproject.toml", tmp_path)
    path = tmp_path / "slice_platform" / "defs" / "flights" / file
    text = path.read_text()
    path.write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    done = subprocess.run(
        [sys.executable, "-c", "from slice_platform.definitions import defs; defs()"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode != 0
    assert f"{file}:{line}" in done.stderr and field in done.stderr, done.stderr[-2000:]
