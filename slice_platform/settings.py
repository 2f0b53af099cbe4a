"""Every knob of the platform. Each is an environment variable `SLICE_<NAME>` or a line of `.env`.

The two profiles differ here and nowhere else: on a laptop `lake_uri` is a directory and the catalog
and the ledger are SQLite files; on AWS they are `s3://...`, `glue` and a Postgres URL.
"""

from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from slice_platform.errors import SettingsError

PACKAGE_DIR = Path(__file__).parent


class Settings(BaseSettings):
    """What differs between deployments, with its unit; read once per process by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix="SLICE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default=Path(".slice"), description="Directory of all local state.")
    defs_dir: Path = Field(default=PACKAGE_DIR / "defs", description="Folder that holds one folder per dataset.")
    lake_uri: str | None = Field(
        default=None, description="Root of landing, raw, curated and quarantine: a directory or s3://..."
    )
    metadata_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the ledger; default SQLite under `home`."
    )
    catalog: Literal["sql", "glue"] = Field(default="sql", description="Iceberg catalog.")
    catalog_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the `sql` catalog; default SQLite under `home`."
    )
    aws_endpoint_url: str | None = Field(
        default=None, description="Endpoint of S3 and Glue, for a local AWS; default AWS itself."
    )

    duckdb_memory_limit: str = Field(default="1200MB", description="Memory DuckDB may hold before it spills.")
    duckdb_threads: int = Field(default=2, ge=1, description="Threads of one DuckDB process.")
    batch_files: int = Field(default=200, ge=1, description="Most files that one commit publishes.")
    batch_bytes: int = Field(
        default=2 * 1024**3, ge=1, description="Most stored bytes of input that one commit publishes."
    )
    target_file_bytes: int = Field(default=128 * 1024**2, ge=1024, description="Size to aim at for a data file.")
    landing_tick_seconds: float = Field(
        default=5.0, ge=0, description="Sensor interval; a local file counts as complete once it rested this long."
    )
    lock_timeout_seconds: float = Field(
        default=900.0, ge=0, description="How long to wait for another run on the same dataset."
    )
    commit_attempts: int = Field(default=8, ge=1, description="How often a lost commit is planned again.")

    @cached_property
    def home_dir(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def lake_root(self) -> str:
        return self.lake_uri.rstrip("/") if self.lake_uri else str(self.home_dir / "lake")

    @property
    def ledger_url(self) -> str:
        return self.metadata_url or f"sqlite:///{self.home_dir / 'ledger.db'}"

    @property
    def iceberg_catalog_url(self) -> str:
        return self.catalog_url or f"sqlite:///{self.home_dir / 'catalog.db'}"

    @property
    def spill_dir(self) -> Path:
        return self.home_dir / "spill"


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment and `.env`; `overrides` win.

    Raises:
        SettingsError: a variable is malformed; the message names it.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # values are checked by pydantic itself
    except ValidationError as error:
        found = "; ".join(f"SLICE_{str(e['loc'][0]).upper()}={e['input']!r}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"Reading the settings failed: {found}. Mend the variable or the .env file.") from error
