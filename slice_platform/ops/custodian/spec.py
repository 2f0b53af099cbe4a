"""What a person writes of the sweep: where policies, accounts and exceptions are, and how much it may do."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from slice_platform.errors import SettingsError
from slice_platform.ops.fence import Limits
from slice_platform.yaml_lines import read_yaml

COMPONENT = "slice_platform.components.custodian.CustodianSweep"


class CustodianSpec(BaseModel):
    """A sweep of accounts by Cloud Custodian (`attributes` of a defs.yaml). Places are relative to its folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policies: str = Field(default="policies", description="Folder or s3://bucket/prefix with policies of c7n.")
    accounts: str = Field(default="accounts.yaml", description="File or s3://bucket/key.")
    exceptions: str = Field(default="exceptions.yaml", description="File or s3://bucket/key.")
    schedule: str = Field(default="0 3 * * *", description="Cron expression in UTC; the schedule starts stopped.")
    timeout_seconds: float = Field(
        default=900.0, gt=0, description="How long c7n may take for one account and region before it is killed."
    )
    limits: Limits = Field(default=Limits(), description="How many resources one account and region may have changed.")
    security_hub: bool = Field(default=False, description="Whether each account's Security Hub has its findings.")
    channel: str | None = Field(
        default=None, description="Where people are told; default SLICE_OPS_CHANNEL. Owners read it: name one for them."
    )
    owners: tuple[str, ...] = ()

    def below(self, folder: Path) -> "CustodianSpec":
        """The same with full places."""
        places = {name: getattr(self, name) for name in ("policies", "accounts", "exceptions")}
        full = {name: at if at.startswith("s3://") else str(folder / at) for name, at in places.items()}
        return self.model_copy(update=full)


def read_spec(folder: Path) -> CustodianSpec:
    """The sweep that `folder`/defs.yaml describes, with full places.

    Raises:
        SettingsError: there is no such file.
        ContractError: something in it is wrong; the message names file, line and field.
    """
    path = folder / "defs.yaml"
    if not path.exists():
        raise SettingsError(
            f"Reading the sweep of Cloud Custodian: there is no {path}. Write one of type {COMPONENT}, or point "
            "SLICE_DEFS_DIR to the definitions that have it."
        )
    source = read_yaml(path)
    content = source.content if isinstance(source.content, dict) else {}
    if content.get("type") != COMPONENT:
        raise source.error(("type",), f"expected {COMPONENT}, got {content.get('type')!r}")
    try:
        return CustodianSpec.model_validate(content.get("attributes") or {}).below(folder)
    except ValidationError as error:
        first = error.errors()[0]
        raise source.error(("attributes", *first["loc"]), f"{first['msg']}, got {first['input']!r}") from error
