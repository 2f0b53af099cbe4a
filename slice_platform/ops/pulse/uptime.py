"""What probes found, and what people are told of it: down, recovered, flapping, steady again - each once.

A service is down after so many failures in a row: one lost packet calls nobody. One that keeps changing is said to
flap, once, and nothing more is told until it has been steady for as long as the window.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Status(StrEnum):
    """What a check says of an endpoint; `unknown` where it could not be made, which is no evidence of anything."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Endpoint:
    """What is watched: one address of one monitor. Its name is safe to show."""

    monitor: str
    name: str
    service: str
    type: str  # http, tcp, icmp


@dataclass(frozen=True)
class Result:
    """One check. `latency_ms` is from looking up the name to the end of what was checked; None where it is not up."""

    endpoint: Endpoint
    checked_at: datetime  # UTC
    status: Status
    latency_ms: float | None = None
    error: str | None = None


class Rules(BaseModel):
    """When people are told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    down_after: int = Field(default=2, ge=1, le=100, description="Failures in a row by which an endpoint is down.")
    recovered_after: int = Field(default=1, ge=1, le=100, description="Successes in a row by which it is up again.")
    flapping_changes: int = Field(default=5, ge=2, le=100, description="Changes within the window that are flapping.")
    flapping_minutes: float = Field(default=30, gt=0, le=10_080, description="The window.")

    @property
    def window(self) -> timedelta:
        return timedelta(minutes=self.flapping_minutes)


class AlertKind(StrEnum):
    """What people are told."""

    DOWN = "down"
    RECOVERED = "recovered"
    FLAPPING = "flapping"
    STEADY = "steady"


@dataclass(frozen=True)
class Alert:
    """One thing to tell. Two with the same key are the same."""

    kind: AlertKind
    endpoint: Endpoint
    since: datetime
    heading: str
    message: str

    @property
    def key(self) -> str:
        return f"pulse {self.endpoint.monitor} {self.endpoint.name} {self.kind} {self.since.isoformat()}"


@dataclass(frozen=True)
class State:
    """How an endpoint stands. `told` is what people believe, `last` what the last check with an answer said."""

    told: Status = Status.UP
    last: Status = Status.UP
    in_a_row: int = 0  # checks that said `last`
    last_since: datetime | None = None  # the first of them
    told_since: datetime | None = None
    changes: tuple[datetime, ...] = ()  # of `last`, within the window
    is_flapping: bool = False


def step(state: State, result: Result, rules: Rules) -> tuple[State, tuple[Alert, ...]]:
    """The state after the result, and what people are to be told of the difference."""
    if result.status is Status.UNKNOWN:
        return state, ()
    state = _counted(state, result, rules)
    alerts: list[Alert] = []
    for change in (_flapping, _steady, _down, _recovered):
        state, said = change(state, result, rules)
        alerts += said
    return state, tuple(alerts)


def _counted(state: State, result: Result, rules: Rules) -> State:
    now = result.checked_at
    changes = tuple(one for one in state.changes if now - one < rules.window)
    if result.status is state.last and state.last_since is not None:
        return replace(state, in_a_row=state.in_a_row + 1, changes=changes)
    changed = () if state.last_since is None else (*changes, now)  # the first check ever is no change
    return replace(state, last=result.status, in_a_row=1, last_since=now, changes=changed)


def _flapping(state: State, result: Result, rules: Rules) -> tuple[State, list[Alert]]:
    if state.is_flapping or len(state.changes) < rules.flapping_changes:
        return state, []
    since = state.changes[0]
    said = f"{len(state.changes)} changes since {_moment(since)}. Nothing more is told until it has been steady"
    alert = _alert(AlertKind.FLAPPING, "keeps going down and up", f"{said} for {_span(rules.window)}.", result, since)
    return replace(state, is_flapping=True), [alert]


def _steady(state: State, result: Result, rules: Rules) -> tuple[State, list[Alert]]:
    if not state.is_flapping or state.changes:
        return state, []
    state = replace(state, is_flapping=False, told=state.last, told_since=state.last_since)
    said = f"No change for {_span(rules.window)}."
    return state, [_alert(AlertKind.STEADY, f"is steady again: {state.last}", said, result, result.checked_at)]


def _down(state: State, result: Result, rules: Rules) -> tuple[State, list[Alert]]:
    is_due = state.last is Status.DOWN and state.told is Status.UP and state.in_a_row >= rules.down_after
    if state.is_flapping or not is_due:
        return state, []
    assert state.last_since is not None
    said = f"{state.in_a_row} checks in a row failed, the first at {_moment(state.last_since)}: {result.error}"
    alert = _alert(AlertKind.DOWN, "is down", said, result, state.last_since)
    return replace(state, told=Status.DOWN, told_since=state.last_since), [alert]


def _recovered(state: State, result: Result, rules: Rules) -> tuple[State, list[Alert]]:
    is_due = state.last is Status.UP and state.told is Status.DOWN and state.in_a_row >= rules.recovered_after
    if state.is_flapping or not is_due:
        return state, []
    assert state.last_since is not None
    assert state.told_since is not None
    said = f"It was down for {_span(state.last_since - state.told_since)}, since {_moment(state.told_since)}."
    alert = _alert(AlertKind.RECOVERED, "is up again", said, result, state.last_since)
    return replace(state, told=Status.UP, told_since=state.last_since), [alert]


def _alert(kind: AlertKind, what: str, said: str, result: Result, since: datetime) -> Alert:
    at = result.endpoint
    return Alert(kind, at, since, f"{at.service} {what}", f"{at.name} (monitor {at.monitor})\n{said}")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    return " ".join(_parts(round(span.total_seconds()))) or "0 s"


def _parts(seconds: int) -> Iterator[str]:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length)
        if count:
            yield f"{count} {unit}"
