"""A Custodian of paper: buckets that break policies, in memory, and fixed when it acts. Where c7n is not the matter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from slice_platform.ops.custodian.accounts import Account, Target
from slice_platform.ops.custodian.policies import Policy, Severity
from slice_platform.ops.custodian.runner import Answer
from slice_platform.ops.custodian.sweep import Book

CANARY = Account(account_id="111111111111", name="canary", regions=("ap-south-1",), allow_actions=True, canary=True)
PROD = Account(account_id="222222222222", name="prod", regions=("ap-south-1",), allow_actions=True)
CLOSED = Account(account_id="333333333333", name="closed", regions=("ap-south-1",))


def policy(name: str, *, critical: bool = True) -> Policy:
    document = {"name": name, "resource": "aws.s3", "filters": [{"type": "global-grants"}], "actions": ["close"]}
    return Policy(name, "aws.s3", Severity.HIGH, critical, "", json.dumps(document), f"{name}.yml:1")


PUBLIC, UNTAGGED = policy("public"), policy("untagged", critical=False)


def book(*accounts: Account, policies: tuple[Policy, ...] = (PUBLIC, UNTAGGED)) -> Book:
    return Book(policies, accounts, ())


@dataclass
class PaperCustodian:
    """`broken`: account name -> policy -> buckets that break it. `acted` is what was done, in order."""

    broken: dict[str, dict[str, list[str]]]
    total: int = 10  # buckets in each account
    stubborn: set[str] = field(default_factory=set)  # buckets that no action changes
    failing: set[tuple[str, str]] = field(default_factory=set)  # account and policy that cannot be asked
    cannot_act: bool = False
    acted: list[tuple[str, str, str]] = field(default_factory=list)

    def run(self, target: Target, documents: Mapping[str, str], *, is_dry_run: bool) -> Mapping[str, Answer]:
        answers = {}
        for name, document in documents.items():
            if (target.account.name, name) in self.failing or (self.cannot_act and not is_dry_run):
                answers[name] = Answer(None, "AccessDenied")
            elif name.startswith("count-"):
                answers[name] = Answer(tuple(f'{{"Name": "{number}"}}' for number in range(self.total)))
            else:
                answers[name] = self._answer(target.account.name, name, None if is_dry_run else json.loads(document))
        return answers

    def end(self) -> None:
        """Nothing runs here."""

    def _answer(self, account: str, name: str, acting: dict[str, list[dict[str, str]]] | None) -> Answer:
        found = self.broken.get(account, {}).get(name, [])
        if acting is not None:
            only = acting["filters"][0]["value"]
            found_now = [bucket for bucket in found if bucket == only]
            self.acted += [(account, name, bucket) for bucket in found_now]
            self.broken[account][name] = [one for one in found if one != only or one in self.stubborn]
            found = found_now
        return Answer(tuple(json.dumps({"Name": bucket, "InstanceId": bucket, "Tags": []}) for bucket in found))
