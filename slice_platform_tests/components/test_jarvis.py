"""The outbox at the edge of Dagster: what sends it, the check that tells when it does not, hooks."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.jarvis import (
    TOLD_TAG,
    Slack,
    notify_on_failure,
    notify_on_success,
    outbox_check,
    outbox_sensor,
)
from slice_platform.notify.jarvis import notify, open_jarvis
from slice_platform_tests.slack import FakeSlack, running_slack


@pytest.fixture
def slack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLICE_NOTIFY_STUCK_SECONDS", "0.001")
    with running_slack("data") as started:
        yield started


def tick(slack: FakeSlack, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    resource = Slack(token=slack.token, base_url=slack.url)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance, cursor=cursor, resources={"slack": resource})
        found = outbox_sensor()(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def test_the_sensor_sends_what_was_kept(slack: FakeSlack) -> None:
    assert notify("data", "hello", heading="Export")
    first = tick(slack)
    assert isinstance(first, dg.SensorResult) and first.asset_events[0].passed  # type: ignore[union-attr]
    assert isinstance(tick(slack, first.cursor), dg.SkipReason)
    assert [one.text for one in slack.messages("data")] == ["*Export*\nhello"]


def test_a_stuck_outbox_fails_its_check_and_passes_when_it_is_sent(slack: FakeSlack) -> None:
    notify("data", "hello")
    with slack.failing("invalid_auth"):
        stuck = tick(slack)
    assert isinstance(stuck, dg.SensorResult) and not stuck.asset_events[0].passed  # type: ignore[union-attr]
    assert "invalid_auth" in str(stuck.asset_events[0].description)
    with open_jarvis() as jarvis:
        jarvis.outbox.try_refused_again()
    good = tick(slack, stuck.cursor)
    assert isinstance(good, dg.SensorResult) and good.asset_events[0].passed  # type: ignore[union-attr]


def test_the_check_can_be_run_by_hand(slack: FakeSlack) -> None:
    notify("data", "hello")
    found = outbox_check()()
    assert isinstance(found, dg.AssetCheckResult) and not found.passed and found.metadata["waiting"].value == 1
    assert slack.messages("data") == []


def test_hooks_tell_of_steps(slack: FakeSlack) -> None:
    @dg.op
    def good() -> None: ...

    @dg.op
    def bad() -> None:
        raise ValueError("disk full")

    @dg.job(hooks={notify_on_failure("data"), notify_on_success("data")})
    def sweep() -> None:
        good()
        bad()

    assert not sweep.execute_in_process(raise_on_error=False).success
    with open_jarvis() as jarvis:
        told = {one.heading: one.message for one in jarvis.outbox.waiting("data")}
    assert set(told) == {"sweep: good succeeded", "sweep: bad failed"} and "disk full" in told["sweep: bad failed"]
    assert slack.messages("data") == []


@pytest.mark.parametrize(("channel", "tags"), [("data", {TOLD_TAG: "true"}), ("No Channel", {})])
def test_a_run_whose_failure_a_hook_has_told_says_so(slack: FakeSlack, channel: str, tags: dict[str, str]) -> None:
    @dg.op
    def bad() -> None:
        raise ValueError("<!channel>")

    @dg.job(hooks={notify_on_failure(channel)})
    def sweep() -> None:
        bad()

    with dg.DagsterInstance.ephemeral() as instance:
        result = sweep.execute_in_process(instance=instance, raise_on_error=False)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None and {k: v for k, v in run.tags.items() if k == TOLD_TAG} == tags
    with open_jarvis() as jarvis:
        assert not any("<!channel>" in one.message for one in jarvis.outbox.waiting("data"))


def test_notify_never_raises(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICE_METADATA_URL", "postgresql+psycopg://reader:hidden@127.0.0.1:1/ledger")
    assert not notify("data", "hello") and not notify("No Channel", "hello")
    assert slack.messages("data") == []
