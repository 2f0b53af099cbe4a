"""A sweep from end to end: look everywhere, compare with before, fix what is critical and allowed, remember."""

import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from slice_platform.aws import AwsAccess
from slice_platform.errors import SettingsError
from slice_platform.ops.custodian.accounts import Account, chosen_accounts, read_accounts
from slice_platform.ops.custodian.applying import Applied, Applier
from slice_platform.ops.custodian.exceptions import Exceptions, PolicyException, read_exceptions
from slice_platform.ops.custodian.findings import Look
from slice_platform.ops.custodian.fixing import JOB
from slice_platform.ops.custodian.library import kinds_of, validate
from slice_platform.ops.custodian.looking import Swept, look_everywhere
from slice_platform.ops.custodian.policies import Policy, chosen, read_policies
from slice_platform.ops.custodian.runner import Custodian
from slice_platform.ops.custodian.spec import CustodianSpec
from slice_platform.ops.custodian.standing import Diff, both, compared
from slice_platform.ops.custodian.state import LastLook, SweepState, latest_looks
from slice_platform.ops.fence import Mandate
from slice_platform.ops.journal import Journal

_MOST_NAMES = 3  # of policies in one sentence


@dataclass(frozen=True)
class Book:
    """What there is to sweep, read and checked: every policy, account and exception."""

    policies: tuple[Policy, ...]
    accounts: tuple[Account, ...]
    exceptions: tuple[PolicyException, ...]


@dataclass(frozen=True)
class Selection:
    """The part of it that one sweep is about; nothing named means all."""

    accounts: tuple[str, ...] = ()  # names or numbers
    policies: tuple[str, ...] = ()


@dataclass(frozen=True)
class SweepReport:
    """What a sweep saw and did. `diff` is how all things stand now, also those that this sweep was not about."""

    sweep_id: str
    actor: str
    at: datetime
    looks: tuple[Look, ...]
    diff: Diff
    last_looks: tuple[LastLook, ...]
    applied: tuple[Applied, ...] = ()
    expired: tuple[PolicyException, ...] = ()
    accounts: tuple[Account, ...] = ()  # those that it was about
    policies: tuple[Policy, ...] = ()  # all there are

    @property
    def descriptions(self) -> dict[str, str]:
        """What each policy is about, by its name."""
        return {one.name: one.description for one in self.policies}

    @property
    def failed_looks(self) -> tuple[Look, ...]:
        return tuple(look for look in self.looks if look.error is not None)

    def problems(self) -> tuple[str, ...]:
        """What keeps the sweep from being whole, a sentence each; those of one cause in one account are one."""
        causes: dict[tuple[str, str], list[Look]] = {}
        for look in self.failed_looks:
            causes.setdefault((look.account_name, str(look.error)), []).append(look)
        told = [f"{name} was not looked at{_by(looks)}: {error}" for (name, error), looks in causes.items()]
        return (*told, *(one.problem for one in self.applied if one.problem is not None))


@dataclass(frozen=True)
class Sweeper:
    """Whoever sweeps: c7n, the memory of earlier sweeps, the journal, and a clock."""

    custodian: Custodian
    state: SweepState
    journal: Journal
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def sweep(self, book: Book, mandate: Mandate, selection: Selection | None = None) -> SweepReport:
        """Everything was looked at, what may be was fixed, and how things stand is remembered.

        Safe to repeat. What could not be looked at stands as before; the report has it among its problems.

        Raises:
            DatasetBusy: another sweep is under way.
            SettingsError: the selection names what there is not.
        """
        part = selection or Selection()
        swept = _swept(book, part)
        named = frozenset(one.account_id for one in swept.accounts if part.accounts)
        with self.journal.alone(JOB, "accounts"):
            return self._sweep(book, swept, mandate, named)

    def _sweep(self, book: Book, swept: Swept, mandate: Mandate, named: frozenset[str]) -> SweepReport:
        at, before = self.clock(), self.state.standings()
        every = _swept(book, Selection()).scopes()
        exceptions = Exceptions(book.exceptions, at.date())
        looked = look_everywhere(self.custodian, swept)
        diff = compared(before, chain(*looked.values()), every, exceptions, at)
        applier = Applier(self.custodian, swept, self.journal, mandate, book.accounts, named)
        applied = applier.apply(looked, diff)
        again = tuple(chain(*(one.looks for one in applied)))
        diff = both(diff, compared(diff.all(), again, every, exceptions, at))
        looks = _with_later(chain(*looked.values()), again)
        last = latest_looks(self.state.last_looks(), looks, every, at)
        self.state.keep(diff.all(), last)
        return SweepReport(
            f"{at:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}", mandate.actor, at, looks, diff, tuple(last), tuple(applied),
            exceptions.expired, swept.accounts, book.policies,
        )  # fmt: skip


def read_book(spec: CustodianSpec, access: AwsAccess) -> Book:
    """Everything that the sweep is about, read and checked; c7n has taken each policy.

    Raises:
        SettingsError: a file is missing, or c7n is not installed.
        ContractError: something is wrong; the message names file, line and field or policy.
    """
    policies = read_policies(spec.policies, access)
    validate(policies)
    accounts = read_accounts(spec.accounts, access)
    if not accounts:
        raise SettingsError(f"Sweeping accounts: {spec.accounts} names none. Add one: docs/custodian.md.")
    return Book(policies, accounts, read_exceptions(spec.exceptions, access, (one.name for one in policies)))


def _swept(book: Book, selection: Selection) -> Swept:
    policies = chosen(book.policies, selection.policies)
    return Swept(policies, chosen_accounts(book.accounts, selection.accounts), kinds_of(book.policies))


def _by(looks: Iterable[Look]) -> str:
    """` by this policy in that region`; of many policies their number."""
    names, regions = {look.scope.policy for look in looks}, {look.scope.region for look in looks}
    policies = ", ".join(sorted(names)) if len(names) <= _MOST_NAMES else f"{len(names)} policies"
    return f" by {policies} in {', '.join(sorted(regions))}"


def _with_later(first: Iterable[Look], second: Iterable[Look]) -> tuple[Look, ...]:
    """One look for each scope: where there was a second one, that."""
    return tuple({look.scope: look for look in chain(first, second)}.values())
