"""The accounts that are swept: which role opens each, in which regions, and whether anything may be changed there."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from slice_platform.aws import AwsAccess
from slice_platform.errors import SettingsError
from slice_platform.ops.custodian.documents import checked, document, entries
from slice_platform.yaml_lines import YamlFile

_Id = Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
_Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(?P<account>\d{12}):role/.+")


class Account(BaseModel):
    """One account, as accounts.yaml has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account_id: _Id = Field(description="Twelve digits, quoted: YAML would read a leading zero as something else.")
    name: str = Field(min_length=1, description="What people call it.")
    role: str | None = Field(
        default=None, description="ARN of the role that is assumed there; without one our own credentials are used."
    )
    external_id: str | None = Field(default=None, description="What the role's trust policy asks for, if it does.")
    regions: tuple[_Region, ...] = Field(min_length=1, description="The first one also sees what has no region.")
    allow_actions: bool = Field(default=False, description="Whether critical policies may change anything here.")
    canary: bool = Field(default=False, description="Changed before the others, which follow only if that went well.")

    def __str__(self) -> str:
        return f"{self.name} ({self.account_id})"


@dataclass(frozen=True)
class Target:
    """One account in one region: what one process of Cloud Custodian works on."""

    account: Account
    region: str

    @property
    def sees_global(self) -> bool:
        """Whether what has no region is looked at from here."""
        return self.region == self.account.regions[0]

    def __str__(self) -> str:
        return f"{self.account} in {self.region}"


def read_accounts(uri: str, access: AwsAccess) -> tuple[Account, ...]:
    """The accounts of a YAML file, in its order.

    Raises:
        SettingsError: there is no such file.
        ContractError: something in it is wrong; the message names file, line and field.
    """
    source = document(uri, access)
    found: dict[str, Account] = {}
    for number, content in enumerate(entries(source, "accounts")):
        one = checked(source, ("accounts", number), content, Account)
        _check(source, number, one, found)
        found[one.account_id] = one
    return tuple(found.values())


def _check(source: YamlFile, number: int, one: Account, before: dict[str, Account]) -> None:
    place = ("accounts", number)
    if one.account_id in before or one.name in {other.name for other in before.values()}:
        raise source.error(place, f"{one} stands here twice, by its number or its name")
    if len(set(one.regions)) < len(one.regions):
        raise source.error((*place, "regions"), f"{one} names a region twice")
    role = _ROLE.fullmatch(one.role) if one.role is not None else None
    if one.role is not None and (role is None or role["account"] != one.account_id):
        expected = f"arn:aws:iam::{one.account_id}:role/<name>"
        raise source.error(
            (*place, "role"), f"expected the ARN of a role of the same account, {expected}: {one.role!r}"
        )
    if one.canary and not one.allow_actions:
        raise source.error(
            (*place, "canary"), f"{one} is a canary in which nothing may be changed: allow_actions is off"
        )


def chosen_accounts(accounts: Iterable[Account], names: Iterable[str]) -> tuple[Account, ...]:
    """The accounts of these names or numbers; all, where none is named.

    Raises:
        SettingsError: there is no such account.
    """
    known, wanted = tuple(accounts), set(names)
    if unknown := wanted - {label for one in known for label in (one.name, one.account_id)}:
        there = ", ".join(map(str, known)) or "none"
        raise SettingsError(f"Choosing accounts: there is none called {min(unknown)!r}; there are: {there}.")
    return tuple(one for one in known if not wanted or wanted & {one.name, one.account_id})
