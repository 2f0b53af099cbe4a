"""Exceptions from policies: by whom, until when and why. When its day has passed an exception hides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from slice_platform.aws import AwsAccess
from slice_platform.ops.custodian.documents import checked, document, entries
from slice_platform.ops.custodian.findings import Finding


class PolicyException(BaseModel):
    """One entry of exceptions.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: str = Field(min_length=1, description="Name of the policy.")
    resource: str = Field(min_length=1, description="Its id, or a glob such as public-*; upper and lower case count.")
    account: str | None = Field(default=None, description="Name or number; without it all accounts.")
    owner: str = Field(min_length=1, description="Who answers for it.")
    until: date = Field(description="The last day, UTC, on which it holds.")
    reason: str = Field(min_length=1)

    def covers(self, finding: Finding) -> bool:
        return (
            self.policy == finding.key.policy
            and self.account in (None, finding.account_name, finding.key.account_id)
            and fnmatchcase(finding.key.resource_id, self.resource)
        )

    def __str__(self) -> str:
        where = f" in {self.account}" if self.account else ""
        return f"{self.policy} for {self.resource}{where}, by {self.owner} until {self.until}"


@dataclass(frozen=True)
class Exceptions:
    """All exceptions as of one day."""

    known: tuple[PolicyException, ...]
    today: date

    @property
    def expired(self) -> tuple[PolicyException, ...]:
        return tuple(one for one in self.known if one.until < self.today)

    def of(self, finding: Finding) -> PolicyException | None:
        """The one that excuses the finding; of several the one that holds longest."""
        holding = [one for one in self.known if one.until >= self.today and one.covers(finding)]
        return max(holding, key=lambda one: one.until, default=None)


def read_exceptions(uri: str, access: AwsAccess, policies: Iterable[str]) -> tuple[PolicyException, ...]:
    """The exceptions of a YAML file, for these policies.

    Raises:
        SettingsError: there is no such file.
        ContractError: an entry is malformed or names an unknown policy; the message names file, line and field.
    """
    source, names = document(uri, access), set(policies)
    found = []
    for number, content in enumerate(entries(source, "exceptions")):
        one = checked(source, ("exceptions", number), content, PolicyException)
        if one.policy not in names:
            problem = f"there is no policy {one.policy!r}; there are: {', '.join(sorted(names))}"
            raise source.error(("exceptions", number, "policy"), problem)
        found.append(one)
    return tuple(found)
