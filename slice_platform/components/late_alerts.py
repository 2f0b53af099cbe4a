"""Assets that are late, as people are told of them. Dagster's daemon judges freshness; here its verdict is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.freshness import CronFreshnessPolicy, FreshnessState, TimeWindowFreshnessPolicy

from slice_platform.components.alert_labels import Labels, asset_link
from slice_platform.notify.notification import Notification
from slice_platform.notify.routing import Kind, Routing

_FRESH = (FreshnessState.PASS, FreshnessState.WARN)


@dataclass(frozen=True)
class Verdict:
    """The last that the daemon said of an asset's freshness."""

    asset: str
    state: FreshnessState
    since: datetime
    policy: dg.FreshnessPolicy

    @property
    def is_late(self) -> bool:
        return self.state is FreshnessState.FAIL

    @property
    def key(self) -> str:
        return f"{self.asset} {'late' if self.is_late else 'fresh'} {self.since:%Y%m%d%H%M%S}"


def verdicts(instance: dg.DagsterInstance, policies: Mapping[dg.AssetKey, dg.FreshnessPolicy]) -> list[Verdict]:
    """Of each asset that has a policy, where the daemon has judged it; by name."""
    found = instance.get_freshness_state_records(list(policies)) if policies else {}
    return [
        Verdict(key.to_user_string(), record.freshness_state, record.updated_at, policies[key])
        for key, record in sorted(found.items())
    ]


def changed(found: Sequence[Verdict], told_late: Sequence[str]) -> tuple[list[Verdict], tuple[str, ...]]:
    """What to tell, and which are late then: until they are fresh. One without a policy by now is no news."""
    news = [
        one
        for one in found
        if (one.is_late and one.asset not in told_late) or (one.state in _FRESH and one.asset in told_late)
    ]
    late = {
        one.asset for one in found if one.is_late or (one.asset in told_late and one.state is FreshnessState.UNKNOWN)
    }
    return news, tuple(sorted(late))


def late_notification(instance: dg.DagsterInstance, one: Verdict, labels: Labels, routing: Routing) -> Notification:
    """That it is late, or fresh again: what was asked, when it was last made, and where the UI shows it."""
    place = routing.place(labels.subject(Kind.LATE if one.is_late else Kind.RECOVERED, "", [one.asset]))
    made = instance.get_latest_materialization_event(dg.AssetKey.from_user_string(one.asset))
    at = f"{datetime.fromtimestamp(made.timestamp, UTC):%Y-%m-%d %H:%M} UTC" if made is not None else "never"
    lines = [place.mention, f"{_asked(one.policy)}; last made: {at}", asset_link(one.asset)]
    return Notification(
        place.channel,
        "\n".join(line for line in lines if line),
        heading=f"{one.asset} {'is late' if one.is_late else 'is fresh again'}",
    )


def _asked(policy: dg.FreshnessPolicy) -> str:
    """A freshness policy in words."""
    if isinstance(policy, TimeWindowFreshnessPolicy):
        return f"It should be made every {_span(policy.fail_window.to_timedelta())}"
    if isinstance(policy, CronFreshnessPolicy):
        within = _span(policy.lower_bound_delta)
        return f"It should be made by each {policy.deadline_cron!r} ({policy.timezone}), at most {within} before"
    return f"Its policy is {policy}"


def _span(length: timedelta) -> str:
    """In the largest unit that it is a whole number of."""
    for unit, one in (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1))):
        if length >= one and not length % one:
            return f"{length // one} {unit}" if length != one else unit.removesuffix("s")
    return str(length)
