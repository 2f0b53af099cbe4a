"""What a deployment says of Pulse in its defs.yaml; places that differ between machines are in the settings."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from slice_platform.ops.fence import Limits
from slice_platform.ops.pulse.cron import cron
from slice_platform.ops.pulse.uptime import Rules
from slice_platform.yaml_lines import YamlFile, read_yaml

COMPONENT = "slice_platform.components.pulse.Pulse"


class ProbeSpec(Rules):
    """How the platform runs monitors by itself, where there is no Heartbeat."""

    schedule: str = Field(default="* * * * *", description="Cron of pulse_probe; it runs the monitors that are due.")
    is_on: bool = Field(default=False, description="Whether its schedule runs from the start.")
    threads: int = Field(default=16, ge=1, le=200, description="Most endpoints that are checked at once.")
    dataset: str = Field(default="uptime", description="Dataset of the lake that results are dropped for.")

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        if len(value.split()) != 5:
            raise ValueError("expected the 5 fields of cron")
        cron(value)
        return value


class WatcherSpec(BaseModel):
    """How Elastic Watcher tells of downtimes, where there is a Heartbeat."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    indices: tuple[str, ...] = Field(default=("heartbeat-*",), description="Where Heartbeat writes.")
    down_after: int = Field(default=2, ge=1, le=10, description="Checks in a row that have to fail.")
    throttle_minutes: int = Field(default=15, ge=1, description="How rarely a watch repeats itself.")
    account: str = Field(default="monitoring", description="Slack account of Elasticsearch.")


class PulseSpec(BaseModel):
    """The attributes of the component."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limits: Limits = Limits()
    channel: str | None = Field(default=None, description="Who is told of downtimes; default SLICE_OPS_CHANNEL.")
    tick_seconds: int = Field(default=10, ge=1, le=30, description="How often the sensor compares.")
    probe: ProbeSpec = ProbeSpec()
    watcher: WatcherSpec = WatcherSpec()


def load_spec(defs_dir: Path) -> PulseSpec:
    """What the deployment says, for those who come without Dagster; the defaults where it says nothing.

    Raises:
        ContractError: it is wrong; the message names file, line and field.
    """
    for path in sorted(defs_dir.rglob("defs.yaml")):
        if COMPONENT in path.read_text(encoding="utf-8") and isinstance((file := read_yaml(path)).content, dict):
            return _spec_of(file)
    return PulseSpec()


def _spec_of(file: YamlFile) -> PulseSpec:
    try:
        return PulseSpec.model_validate(file.content.get("attributes") or {})
    except ValidationError as error:
        first = error.errors()[0]
        raise file.error(("attributes", *first["loc"]), first["msg"]) from error
