"""The code location as a whole: what it defines, and what loading it costs and needs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slice_platform.settings import PACKAGE_DIR

DATASETS = ("custodian_findings", "flights", "fleet", "planes", "uptime", "weather")
BUSINESS = ("airport_delays", "carrier_punctuality", "open_findings", "service_availability", "tail_utilisation")
KEYS = {
    *(f"{tier}/{name}" for tier in ("raw", "curated") for name in DATASETS),
    *(f"business/{name}" for name in BUSINESS),
    *("rds/carrier_punctuality", "rds/plane_register", "redshift/airport_delays"),
    *("database/fleet", "slack/outbox"),
}


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
print(*sorted(schedule.name for schedule in found.schedules or []))
"""
    assets, jobs, sensors, schedules = run_python(code, tmp_path).splitlines()
    assert set(assets.split()) == KEYS
    upkeep = [f"upkeep_{name}" for name in (*DATASETS, *BUSINESS)]
    ingest, refresh = [f"ingest_{name}" for name in DATASETS], [f"refresh_{name}" for name in (*BUSINESS, "planes")]
    corrections = ["rebuild", "replay", "retract"]
    others = ["compare_projections", "offload_fleet", "propagate"]
    pulse = [f"pulse_{what}" for what in ("publish", "sync", "probe")]
    ops = ["custodian_sweep", *pulse, *(f"ami_{what}_web" for what in ("release", "rollback", "prune"))]
    assert sorted(jobs.split()) == sorted([*upkeep, *ingest, *refresh, *corrections, *others, *ops])
    own = "landing_sensor refresh_sensor propagator_sensor alerts_sensor outbox_sensor"
    assert sorted(sensors.split()) == sorted([*own.split(), "pulse_sensor"])
    scheduled = (*upkeep, "compare_projections", "custodian_sweep", "pulse_probe")
    assert sorted(schedules.split()) == sorted(f"{job}_schedule" for job in scheduled)


def test_loading_imports_nothing_heavy_and_writes_nothing(tmp_path: Path) -> None:
    code = """
import socket, sys
def refuse(*_): raise AssertionError("loading went to the network")
socket.socket.connect = refuse
from slice_platform.definitions import defs
defs()
heavy = ("boto3", "botocore", "c7n", "s3fs", "psycopg", "pymysql", "redshift_connector", "adbc_driver_postgresql",
         "dlt", "dagster_aws", "dagster_pyspark", "pyspark", "moto", "pandas", "matplotlib", "sqlglot")
print(*[name for name in heavy if name in sys.modules])
"""
    assert run_python(code, tmp_path).strip() == ""
    assert list(tmp_path.iterdir()) == []


def checkout(folder: Path) -> Path:
    """The project, as a user has it; its definitions."""
    shutil.copytree(PACKAGE_DIR, folder / "slice_platform")
    shutil.copy(PACKAGE_DIR.parent / "pyproject.toml", folder)
    return folder / "slice_platform" / "defs"


@pytest.mark.parametrize(
    ("file", "old", "new", "field"),
    [
        ("flights/contract.yaml", "logicalType: integer", "logicalType: integr", "logicalType"),
        ("flights/defs.yaml", "mode: merge", "mode: upsert", "mode"),
        ("business/carrier_punctuality/model.sql", "avg(arr_delay::", "avg(arrival::", "arrival"),
        ("business/carrier_punctuality/defs.yaml", "metric: rowCount", "metric: rowCont", "metric"),
        ("business/airport_delays/defs.yaml", "sort_key: [month, airport]", "sort_key: [month, airprt]", "sort_key"),
        ("pulse/defs.yaml", "flapping_minutes: 30", "flaping_minutes: 30", "flaping_minutes"),
        ("custodian/policies/s3.yml", "metadata: {severity: critical", "metadata: {severity: criticl", "severity"),
        ("custodian/accounts.yaml", "allow_actions: true", "alow_actions: true", "alow_actions"),
        ("custodian/defs.yaml", 'schedule: "0 3 * * *"', 'schedule: "3 o clock"', "schedule"),
    ],
)
def test_a_mistake_stops_loading_and_names_file_line_and_field(
    tmp_path: Path, file: str, old: str, new: str, field: str
) -> None:
    path = checkout(tmp_path) / file
    text = path.read_text()
    path.write_text(text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    done = subprocess.run(
        [sys.executable, "-c", "from slice_platform.definitions import defs; defs()"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode != 0
    assert f"{path.name}:{line}" in done.stderr and field in done.stderr, done.stderr[-2000:]


def test_a_mistake_in_a_model_is_found_by_the_check_of_definitions(tmp_path: Path) -> None:
    path = checkout(tmp_path) / "business" / "carrier_punctuality" / "model.sql"
    text = path.read_text()
    path.write_text(text.replace("from curated.flights", "from curated.flihgts"))
    line = text[: text.index("from curated.flights")].count("\n") + 1
    done = subprocess.run(
        [Path(sys.executable).with_name("dg"), "check", "defs"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert f"model.sql:{line}" in said and "curated.flihgts" in said, said[-3000:]
