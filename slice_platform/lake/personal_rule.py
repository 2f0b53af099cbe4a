"""What may become of personal data on its way out of a table: the words of defs.yaml and contract.yaml."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, StringConstraints


class Allow(BaseModel):
    """The column stays as it is; `allow` says why that is right."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: Annotated[str, StringConstraints(strip_whitespace=True, min_length=10)]


PersonalRule: TypeAlias = Literal["drop", "mask", "hash"] | Allow
