"""What `slice custodian` prints as tables."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from slice_platform.cli.tables import grid
from slice_platform.ops.custodian.exceptions import Exceptions
from slice_platform.ops.custodian.policies import Policy, Severity
from slice_platform.ops.custodian.standing import Standing, Status
from slice_platform.ops.custodian.state import LastLook

_WORST_FIRST = {severity: number for number, severity in enumerate(reversed(Severity))}
_COLOURS = {Severity.CRITICAL: "red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}


def print_policies(policies: Iterable[Policy], console: Console) -> None:
    table = grid("Policies", "policy", "resource", "severity", "with --apply", "what it finds")
    for one in policies:
        acts = ", ".join(one.actions) if one.may_act else "-"
        table.add_row(one.name, one.resource, _severity(one.severity), acts, Text(one.description))
    console.print(table)


def print_findings(standings: Sequence[Standing], console: Console, *, only_open: bool) -> None:
    shown = [one for one in standings if one.status is Status.OPEN or not only_open]
    if not shown:
        console.print("No findings. See how they come: slice custodian sweep")
        return
    table = grid("Findings", "severity", "policy", "account", "region", "resource", "status", "since (UTC)")
    for one in sorted(shown, key=lambda each: (_WORST_FIRST[each.finding.severity], each.key)):
        status = f"{one.status} by {one.exception_owner}" if one.status is Status.EXCEPTED else one.status
        table.add_row(
            _severity(one.finding.severity), one.key.policy, Text(one.finding.account_name), one.key.region,
            Text(_resource(one)), Text(status), f"{one.since:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    console.print(table)


def print_failed_looks(looks: Iterable[LastLook], console: Console) -> None:
    """Of what nothing is known since when."""
    for one in looks:
        if one.error is not None:
            since = f"since {one.answered_at:%Y-%m-%d %H:%M} UTC" if one.answered_at else "at all"
            where = f"{one.scope.policy} in {one.account_name}, {one.scope.region}"
            console.print(Text.assemble(("not looked at ", "red"), f"{where} {since}: {one.error}"))


def print_exceptions(known: Exceptions, standings: Iterable[Standing], console: Console) -> None:
    if not known.known:
        console.print("No exceptions.")
        return
    findings = [one.finding for one in standings if one.status is not Status.CLOSED]
    heads = ("policy", "resource", "account", "owner", "until", "covers", "reason")
    table = grid("Exceptions", *heads, right=("covers",))
    expired = set(known.expired)
    for one in sorted(known.known, key=lambda each: each.until):
        until = Text(f"{one.until} expired" if one in expired else str(one.until), "red" if one in expired else "")
        covers = sum(one.covers(finding) for finding in findings)
        table.add_row(one.policy, one.resource, one.account or "all", one.owner, until, str(covers), Text(one.reason))
    console.print(table)


def _severity(severity: Severity) -> Text:
    return Text(severity.value, _COLOURS.get(severity, ""))


def _resource(one: Standing) -> str:
    name, identity = one.finding.resource_name, one.key.resource_id
    return identity if name == identity else f"{identity} ({name})"
