from pathlib import Path

import duckdb
import pytest

from slice_platform.errors import SettingsError
from slice_platform.settings import Settings, load_settings


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder with its package, and not the current folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "dagster.yaml").touch()
    monkeypatch.setattr("slice_platform.settings.PACKAGE_DIR", folder / "slice_platform")
    return folder


def test_a_laptop_needs_no_setting_and_keeps_all_state_under_home(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.home_dir == tmp_path / ".slice"
    assert settings.lake_root == str(tmp_path / ".slice" / "lake")
    assert settings.ledger_url == f"sqlite:///{tmp_path}/.slice/ledger.db"
    assert settings.iceberg_catalog_url == f"sqlite:///{tmp_path}/.slice/catalog.db"
    assert settings.spill_dir == tmp_path / ".slice" / "spill"


def test_a_deployment_differs_by_variables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICE_LAKE_URI", "s3://bucket/lake/")
    monkeypatch.setenv("SLICE_METADATA_URL", "postgresql+psycopg://host/slice")
    monkeypatch.setenv("SLICE_CATALOG", "glue")
    settings = load_settings()
    assert settings.lake_root == "s3://bucket/lake"
    assert settings.ledger_url == "postgresql+psycopg://host/slice"
    assert settings.catalog == "glue"


def test_the_environment_wins_over_the_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("SLICE_DUCKDB_THREADS=3\nSLICE_BATCH_FILES=7\n")
    monkeypatch.setenv("SLICE_DUCKDB_THREADS", "5")
    assert load_settings().duckdb_threads == 5
    assert load_settings().batch_files == 7
    assert load_settings(batch_files=9).batch_files == 9


def test_a_malformed_variable_is_named_with_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICE_DUCKDB_THREADS", "many")
    with pytest.raises(SettingsError, match=r"SLICE_DUCKDB_THREADS='many'.*integer"):
        load_settings()


@pytest.mark.parametrize("amount", ["1200MB", "2GiB", "1.5 GB", "2g", "50%"])
def test_memory_is_an_amount_that_duckdb_knows(amount: str) -> None:
    settings = load_settings(duckdb_memory_limit=amount)
    with duckdb.connect() as connection:
        connection.execute(f"set memory_limit = '{settings.duckdb_memory_limit}'").fetchall()


@pytest.mark.parametrize("amount", ["foo", "1200", "-1", "GB", "1GB; drop"])
def test_another_amount_of_memory_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, amount: str) -> None:
    monkeypatch.setenv("SLICE_DUCKDB_MEMORY_LIMIT", amount)
    with pytest.raises(SettingsError, match=f"SLICE_DUCKDB_MEMORY_LIMIT='{amount}'.*such as 1200MB"):
        load_settings()


def test_the_lake_is_the_projects_whatever_folder_one_stands_in(checkout: Path) -> None:
    """`slice status` in another folder made a second, empty lake there."""
    assert load_settings().home_dir == checkout / ".slice"
    (checkout / ".env").write_text("SLICE_HOME=state\nSLICE_BATCH_FILES=7\n")
    assert load_settings().home_dir == checkout / "state"
    assert load_settings().batch_files == 7


def test_a_home_that_is_named_is_relative_to_the_current_folder(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(home="here").home_dir == tmp_path / "here"
    monkeypatch.setenv("SLICE_HOME", "there")
    assert load_settings().home_dir == tmp_path / "there"


def test_a_mistyped_override_is_refused() -> None:
    with pytest.raises(SettingsError, match="SLICE_CATALOG='hive'"):
        load_settings(catalog="hive")


def test_every_knob_says_what_it_is() -> None:
    silent = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not silent


def test_the_example_file_names_real_knobs() -> None:
    text = (Path(__file__).parents[1] / ".env.example").read_text()
    named = {line.split("=")[0].strip("# ") for line in text.splitlines() if line.startswith("# SLICE_")}
    assert named
    assert named <= {f"SLICE_{name.upper()}" for name in Settings.model_fields}
