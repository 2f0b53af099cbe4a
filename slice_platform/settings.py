"""Every knob of the platform. Each is an environment variable `SLICE_<NAME>` or a line of the project's `.env`.

The two profiles differ here and nowhere else: on a laptop `lake_uri` is a directory and the catalog
and the ledger are SQLite files; on AWS they are `s3://...`, `glue` and a Postgres URL.
"""

import os
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from slice_platform.errors import SettingsError

PACKAGE_DIR = Path(__file__).parent
_MEMORY = re.compile(r"\d+(\.\d+)? ?([KMGT](i?B)?|%)", re.IGNORECASE)


def project_folder() -> Path:
    """Where `.env` and the default home lie, whatever folder a process starts in.

    That is the checkout the package lies in; of an installed package it is the current folder.
    """
    checkout = PACKAGE_DIR.parent
    return checkout if (checkout / "dagster.yaml").exists() else Path.cwd()


Names: TypeAlias = Annotated[tuple[str, ...], NoDecode]  # in a variable separated by commas


class Settings(BaseSettings):
    """What differs between deployments, with its unit; read once per process by `load_settings`."""

    model_config = SettingsConfigDict(env_prefix="SLICE_", extra="ignore", frozen=True)

    home: Path = Field(
        default=Path(".slice"),
        description="Directory of all local state. In .env, and by default, it is relative to the project's folder.",
    )
    defs_dir: Path = Field(
        default=PACKAGE_DIR / "defs",
        description="Folder that holds one folder per dataset. For the library and for tests: the code location of "
        "Dagster always loads the folder inside the package.",
    )
    lake_uri: str | None = Field(
        default=None, description="Root of landing, raw, curated and quarantine: a directory or s3://..."
    )
    metadata_url: str | None = Field(
        default=None, repr=False, description="SQLAlchemy URL of the ledger; default SQLite under `home`."
    )
    catalog: Literal["sql", "glue"] = Field(default="sql", description="Iceberg catalog.")
    catalog_url: str | None = Field(
        default=None, repr=False, description="SQLAlchemy URL of the `sql` catalog; default SQLite under `home`."
    )
    catalog_namespace: str = Field(
        default="curated",
        pattern=r"[a-z0-9_]{1,200}",
        description="Namespace of the curated tables in the catalog, in Glue a database. Two lakes in one account need "
        "two.",
    )
    business_namespace: str = Field(
        default="business", pattern=r"[a-z0-9_]{1,200}", description="The same of the business tables."
    )
    personal_hash_key: SecretStr | None = Field(
        default=None,
        description="Secret of at least 32 characters by which personal data is hashed (HMAC-SHA256). With another key "
        "new hashes no longer join old ones.",
    )
    query_role: Literal["analyst", "pii_reader"] = Field(
        default="analyst", description="Whose eyes `slice query` has: an analyst sees personal data masked."
    )
    aws_endpoint_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("slice_aws_endpoint_url", "aws_endpoint_url"),
        description="Endpoint of S3 and Glue, for a local AWS; default AWS itself. AWS_ENDPOINT_URL counts as well.",
    )
    aws_attempts: int = Field(default=5, ge=1, description="How often a call of S3 or Glue is tried.")
    aws_timeout_seconds: float = Field(
        default=20.0, gt=0, description="How long a try of such a call may wait to connect, and for the next byte."
    )

    duckdb_memory_limit: str = Field(
        default="1200MB", description="Memory DuckDB may hold before it spills: 1200MB, 2GiB or 50%."
    )
    duckdb_threads: int = Field(default=2, ge=1, description="Threads of one DuckDB process.")
    batch_files: int = Field(default=200, ge=1, description="Most files that one commit publishes.")
    batch_bytes: int = Field(
        default=2 * 1024**3, ge=1, description="Most stored bytes of input that one commit publishes."
    )
    target_file_bytes: int = Field(default=128 * 1024**2, ge=1024, description="Size to aim at for a data file.")
    compact_min_files: int = Field(
        default=5, ge=2, description="Upkeep rewrites the small files of a partition once so many become one."
    )
    reader_hours: float = Field(
        default=1.0, ge=0, description="How long a query may run: files that its snapshot has stay at least so long."
    )
    snapshot_hours: float = Field(
        default=120.0,
        ge=0,
        description="Age at which what a table was is let go; beyond `reader_hours` one snapshot an hour is kept.",
    )
    orphan_hours: float = Field(
        default=24.0, ge=1, description="Age at which an object of a table that nothing refers to is deleted."
    )
    upkeep_hours: float = Field(default=24.0, ge=1, description="How often the upkeep of each table runs.")
    upkeep_files: int = Field(
        default=100, ge=1, description="Small files of a table at which its upkeep runs at the next full hour already."
    )
    refresh_tick_seconds: float = Field(
        default=5.0, ge=1, description="How often the sensor looks for business tables and projections that are behind."
    )
    in_step_partitions: int = Field(
        default=35, ge=1, description="How many of the latest partitions of a projection are compared every hour."
    )
    landing_tick_seconds: float = Field(
        default=5.0, ge=0, description="Sensor interval; a local file counts as complete once it rested this long."
    )
    lock_timeout_seconds: float = Field(
        default=900.0, ge=0, description="How long to wait for another run on the same dataset."
    )
    commit_attempts: int = Field(default=8, ge=1, description="How often a lost commit is planned again.")

    propagator_uri: str | None = Field(
        default=None, description="Root of the folders destination=...: a directory or s3://...; default under `home`."
    )
    propagator_queue_url: str | None = Field(
        default=None, description="SQS queue that S3 tells of dropped files; without it the sensor looks by itself."
    )
    propagator_sweep_seconds: float = Field(
        default=300.0, ge=0, description="How often the sensor looks by itself where a queue wakes it."
    )
    propagator_wait_seconds: float = Field(
        default=600.0, ge=0, description="How long a file waits for the table it is for to be created."
    )
    propagator_max_bytes: int = Field(
        default=50 * 1024**3, ge=1, description="Most bytes of a dropped file, uncompressed."
    )
    propagator_memory_limit: str = Field(
        default="192MB", description="Memory that DuckDB may hold while it checks a dropped file, before it spills."
    )
    postgres_url: str | None = Field(
        default=None,
        repr=False,
        description="URI of the Postgres that destination=postgres means, of libpq: postgresql://user:password@host. "
        "Default: a Postgres of its own under `home` if the propagator's root is a directory, else none.",
    )
    postgres_databases: Names = Field(default=("analytics",), description="Its databases that files may name.")
    mysql_url: str | None = Field(
        default=None,
        repr=False,
        description="The MySQL that destination=mysql means: mysql://user:password@host. Default: none.",
    )
    mysql_databases: Names = Field(default=("analytics",), description="Its databases that files may name.")
    redshift_url: str | None = Field(
        default=None,
        repr=False,
        description="The Redshift that destination=redshift means: redshift://user:password@host:5439/database, or "
        "redshift://user@/database with one of the next two. Default: a stand-in on the Postgres under `home`.",
    )
    redshift_cluster: str | None = Field(default=None, description="Cluster whose IAM gives temporary credentials.")
    redshift_workgroup: str | None = Field(default=None, description="The same for a serverless workgroup.")
    redshift_region: str | None = Field(default=None, description="Region of the cluster; default AWS_REGION.")
    redshift_iam_role: str | None = Field(
        default=None, description="ARN of the role by which COPY reads the bucket; default the cluster's own."
    )
    redshift_schemas: Names = Field(default=("analytics",), description="Schemas that files may name.")

    dagster_url: str = Field(
        default="http://127.0.0.1:3000",
        description="Where people find the Dagster UI; links in notifications begin so.",
    )
    slack_token: SecretStr | None = Field(
        default=None,
        description="Bot token (xoxb-...) of the app that posts. Without it messages are pages below `home`/slack.",
    )
    slack_base_url: str = Field(default="https://slack.com/api/", description="Where Slack is; ends with a slash.")
    slack_timeout_seconds: float = Field(default=10.0, gt=0, description="How long a call of Slack may take.")
    notify_error_channel: str = Field(
        default="jarvis-error-notifications", description="Where people are told of notifications that cannot be sent."
    )
    ops_channel: str = Field(
        default="platform-ops", description="Where people are told what jobs of operations changed."
    )
    pulse_monitors_dir: Path = Field(
        default=PACKAGE_DIR / "defs" / "pulse" / "monitors",
        description="Directory of monitors as people keep them in git, one YAML per service: docs/pulse.md.",
    )
    pulse_uri: str | None = Field(
        default=None, description="Where monitors are published: a directory or s3://...; default under `home`."
    )
    pulse_dir: Path | None = Field(
        default=None, description="Directory that Heartbeat reads monitors from; default under `home`."
    )
    notify_routes: Path = Field(
        default=PACKAGE_DIR / "defs" / "notifications.yaml",
        description="Which channel and whom Dagster's failures are told: docs/notifications.md.",
    )
    notify_attachments_uri: str | None = Field(
        default=None,
        description="Where attachments of other machines lie until they are sent: a directory or s3://...; default "
        "under `home`.",
    )
    notify_most_attachment_bytes: int = Field(
        default=50 * 1024**2, ge=1, description="Of a larger attachment people are told where it lies."
    )
    notify_window_seconds: float = Field(
        default=600.0, ge=0, description="So long what is told again becomes a count on its first message."
    )
    notify_burst: int = Field(
        default=10, ge=1, description="More that wait for one channel at once become one message that names them."
    )
    notify_stuck_seconds: float = Field(
        default=300.0, gt=0, description="A notification that waits longer counts as stuck, and the outbox as failing."
    )

    @field_validator("personal_hash_key")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("expected at least 32 characters, as `openssl rand -hex 32` makes them")
        return value

    @field_validator("notify_error_channel", "ops_channel")
    @classmethod
    def _is_without_sign(cls, value: str) -> str:
        return value.removeprefix("#")

    @field_validator("postgres_databases", "mysql_databases", "redshift_schemas", mode="before")
    @classmethod
    def _is_a_list_of_names(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("duckdb_memory_limit", "propagator_memory_limit")
    @classmethod
    def _is_an_amount(cls, value: str) -> str:
        if not _MEMORY.fullmatch(value):
            raise ValueError("expected an amount of memory such as 1200MB, 2GiB or 50%")
        return value

    @cached_property
    def home_dir(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def lake_root(self) -> str:
        return self.lake_uri.rstrip("/") if self.lake_uri else str(self.home_dir / "lake")

    @property
    def propagator_root(self) -> str:
        return self.propagator_uri.rstrip("/") if self.propagator_uri else str(self.home_dir / "propagator")

    @property
    def pulse_root(self) -> str:
        return self.pulse_uri.rstrip("/") if self.pulse_uri else str(self.home_dir / "pulse" / "published")

    @property
    def pulse_directory(self) -> Path:
        return (self.pulse_dir or self.home_dir / "pulse" / "heartbeat").expanduser().absolute()

    @property
    def notify_attachments_root(self) -> str:
        uri = self.notify_attachments_uri
        return uri.rstrip("/") if uri else str(self.home_dir / "notify" / "attachments")

    @property
    def slack_pages_dir(self) -> Path:
        return self.home_dir / "slack"

    @property
    def ledger_url(self) -> str:
        return self.metadata_url or f"sqlite:///{self.home_dir / 'ledger.db'}"

    @property
    def iceberg_catalog_url(self) -> str:
        return self.catalog_url or f"sqlite:///{self.home_dir / 'catalog.db'}"

    @property
    def spill_dir(self) -> Path:
        return self.home_dir / "spill"


def _shown(error: ErrorDetails) -> str:
    """The value that is wrong; of a secret none."""
    field = Settings.model_fields.get(str(error["loc"][0]))
    return "***" if field is not None and "SecretStr" in str(field.annotation) else repr(error["input"])


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment and the project's `.env`; `overrides` win.

    Raises:
        SettingsError: a variable is malformed; the message names it.
    """
    folder = project_folder()
    try:
        settings = Settings(_env_file=folder / ".env", **overrides)  # type: ignore[arg-type]  # pydantic checks values
    except ValidationError as error:
        found = "; ".join(f"SLICE_{str(e['loc'][0]).upper()}={_shown(e)}: {e['msg']}" for e in error.errors())
        # Not from the error: its words would show a secret.
        raise SettingsError(f"Reading the settings failed: {found}. Mend the variable or the .env file.") from None
    if "home" in overrides or any(name.upper() == "SLICE_HOME" for name in os.environ):
        return settings
    return settings.model_copy(update={"home": folder / settings.home.expanduser()})
