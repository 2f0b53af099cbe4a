"""Whether `slice dev` starts a local AWS, and what Dagster's processes know of it."""

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from slice_platform.cli.local_aws import is_configured
from slice_platform.cli.main import main
from slice_platform.local.aws import environment_at
from slice_platform.settings import load_settings
from slice_platform_tests.cli.conftest import PLANES, Slice


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The environment in which `dagster dev` would have been started; nothing is."""
    found: dict[str, str] = {}
    (tmp_path / "dagster.yaml").touch()
    (tmp_path / "workspace.yaml").touch()
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "execv", lambda *_: found.update(os.environ))
    monkeypatch.setattr("slice_platform.cli.local_aws.start_beside", lambda: environment_at(5999))
    for name in (*environment_at(0), "DAGSTER_HOME", "PYTHONWARNINGS"):  # what slice dev sets is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return found


def test_slice_dev_leads_dagster_to_a_local_aws(dagster: dict[str, str]) -> None:
    done = CliRunner().invoke(main, ["dev"])
    assert "http://127.0.0.1:5999" in done.output and done.exit_code == 0
    assert dagster.items() >= environment_at(5999).items()


def test_slice_dev_starts_none_when_told_so(dagster: dict[str, str]) -> None:
    assert CliRunner().invoke(main, ["dev", "--no-aws"]).exit_code == 0
    assert dagster and "AWS_ENDPOINT_URL" not in dagster


def test_slice_dev_starts_none_where_an_aws_is_configured(
    dagster: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    done = CliRunner().invoke(main, ["dev"])
    assert "No local AWS: an AWS is configured." in done.output
    assert dagster and "AWS_ENDPOINT_URL" not in dagster


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLICE_AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
        ("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9000"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("SLICE_LAKE_URI", "s3://bucket/lake"),
        ("SLICE_PROPAGATOR_URI", "s3://bucket/propagator"),
        ("SLICE_NOTIFY_ATTACHMENTS_URI", "s3://bucket/attachments"),
        ("SLICE_PROPAGATOR_QUEUE_URL", "https://sqs.ap-south-1.amazonaws.com/1/dropped"),
        ("SLICE_CATALOG", "glue"),
        ("SLICE_REDSHIFT_CLUSTER", "warehouse"),
    ],
)
def test_whatever_may_mean_an_aws_counts_as_configured(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert not is_configured(load_settings())
    monkeypatch.setenv(name, value)
    assert is_configured(load_settings())


def test_a_lake_in_a_directory_asks_no_aws(slice_: Slice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_at(9).items():  # nobody answers there
        monkeypatch.setenv(name, value)
    (tmp_path / "planes.csv").write_text(PLANES)
    assert slice_("drop", "planes", str(tmp_path / "planes.csv")).exit_code == 0
    assert slice_("ingest", "planes").exit_code == 0
    found = slice_("query", "SELECT count(*) FROM curated.planes")
    assert "40" in found.output, found.output


def test_the_help_of_slice_needs_no_moto() -> None:
    import subprocess

    code = (
        "import sys; from click.testing import CliRunner; from slice_platform.cli.main import main\n"
        "assert CliRunner().invoke(main, ['aws', '--help']).exit_code == 0\n"
        "print({'moto', 'boto3', 'botocore'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout.strip() == "set()"
