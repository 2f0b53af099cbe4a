"""People are told of what matters, once: down, recovered, flapping, steady again."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slice_platform.metadata_db import MetadataDb
from slice_platform.ops.pulse.uptime import Alert, Endpoint, Result, Rules, State, Status, step
from slice_platform.ops.pulse.uptime_states import UptimeStates

SHOP = Endpoint("shop-http", "http://shop/", "shop", "http")
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SIGNS = {"+": Status.UP, "-": Status.DOWN, "?": Status.UNKNOWN}
RULES = Rules(down_after=2, recovered_after=1, flapping_changes=4, flapping_minutes=10)


def results(signs: str, *, start: datetime = NOON) -> list[Result]:
    """A check a minute."""
    return [
        Result(SHOP, start + timedelta(minutes=n), SIGNS[sign], None, "connection refused" if sign == "-" else None)
        for n, sign in enumerate(signs)
    ]


def told(signs: str, rules: Rules = RULES) -> list[Alert]:
    state, alerts = State(), list[Alert]()
    for result in results(signs):
        state, said = step(state, result, rules)
        alerts += said
    return alerts


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ("++++", []),
        ("+-+++", []),  # one failure calls nobody
        ("+--", ["down"]),
        ("--", ["down"]),  # also where it never was up
        ("+-----", ["down"]),
        ("+---+++", ["down", "recovered"]),
        ("-?-", ["down"]),  # what is not known is no evidence
        ("--????", ["down"]),
        ("--++++++++++++--", ["down", "recovered", "down"]),
        ("+-+-+", ["flapping"]),
        ("+-+-+-+-+--+", ["flapping"]),
        ("+-+-+" + 10 * "+", ["flapping", "steady"]),
        ("+-+-+" + 11 * "-" + "+", ["flapping", "steady", "recovered"]),
        ("+--+--+", ["down", "recovered", "down", "flapping"]),
    ],
)
def test_each_is_told_once(signs: str, expected: list[str]) -> None:
    assert [alert.kind.value for alert in told(signs)] == expected


def test_what_is_told_names_service_address_since_when_and_why() -> None:
    down, recovered = told("+--+")
    assert down.heading == "shop is down"
    assert down.message == (
        "http://shop/ (monitor shop-http)\n"
        "2 checks in a row failed, the first at 2026-11-25 12:01:00 UTC: connection refused"
    )
    assert recovered.heading == "shop is up again"
    assert recovered.message.endswith("It was down for 2 min, since 2026-11-25 12:01:00 UTC.")


def test_the_thresholds_are_those_of_the_deployment() -> None:
    assert [one.kind for one in told("-", Rules(down_after=1))] == ["down"]
    assert [one.kind for one in told("--++", Rules(recovered_after=3))] == ["down"]


@given(st.text("+-?", max_size=60))
def test_down_and_recovered_alternate_and_nothing_is_told_twice(signs: str) -> None:
    alerts = told(signs)
    assert len({alert.key for alert in alerts}) == len(alerts)
    believed = Status.UP
    for alert in alerts:
        match alert.kind.value:
            case "down":
                assert believed is Status.UP
                believed = Status.DOWN
            case "recovered":
                assert believed is Status.DOWN
                believed = Status.UP
            case "steady":
                believed = Status.DOWN if "down" in alert.heading else Status.UP


@pytest.fixture
def states(tmp_path: Path) -> Iterator[UptimeStates]:
    with closing(MetadataDb(f"sqlite:///{tmp_path / 'ops.db'}", lock_dir=tmp_path / "locks")) as db:
        yield UptimeStates(db)


@settings(max_examples=50, deadline=None)
@given(signs=st.text("+-?", max_size=12), cut=st.integers(0, 12))
def test_states_that_were_kept_in_between_tell_the_same(signs: str, cut: int) -> None:
    given = results(signs)
    with TemporaryDirectory() as folder, closing(MetadataDb("sqlite://", lock_dir=Path(folder))) as db:
        kept = [alert for part in (given[:cut], given[cut:]) for alert in UptimeStates(db).take(part, RULES)]
        assert [alert.key for alert in kept] == [alert.key for alert in told(signs)]
        assert [alert for _, alert in UptimeStates(db).untold()] == kept


def test_an_alert_waits_until_it_was_told(states: UptimeStates) -> None:
    (alert,) = states.take(results("--"), RULES)
    ((number, kept),) = states.untold()
    assert kept == alert
    states.forget(number)
    assert states.untold() == [] and states.checked_at() == {("shop-http", "http://shop/"): NOON + timedelta(minutes=1)}
