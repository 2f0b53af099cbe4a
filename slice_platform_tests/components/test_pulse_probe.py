"""Pulse without Elastic: a service goes off and on, people are told, and the lake knows how available it was."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.jarvis import Slack, outbox_sensor
from slice_platform.lake.business.build import refresh
from slice_platform.lake.ingest import ingest
from slice_platform.lake.lake import open_lake
from slice_platform.lake.query import query
from slice_platform.settings import load_settings
from slice_platform_tests.components.pulse_deployment import Deployment, deployed, told
from slice_platform_tests.ops.pulse.monitors import http
from slice_platform_tests.ops.pulse.servers import running_web
from slice_platform_tests.slack import running_slack

UP, DOWN = True, False


@dataclass
class Switched:
    """A web server that is there, or not."""

    port: int
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def on(self) -> None:
        self.stack.enter_context(running_web({"/": (200, {}, b"ok")}, port=self.port))

    def off(self) -> None:
        self.stack.close()


@pytest.fixture
def shop() -> Switched:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return Switched(free.getsockname()[1])


@pytest.fixture
def pulse(tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, shop: Switched) -> Deployment:
    monkeypatch.setenv("SLICE_LANDING_TICK_SECONDS", "0")
    made = deployed(tmp_path, instance, monkeypatch, probe={"flapping_changes": 4})
    made.publish({"shop.yml": http("shop", shop.url, "service.name: web-shop")})
    made.settle()
    return made


def headings() -> list[str]:
    return [one.splitlines()[0] for one in told() if "shop is" in one or "shop keeps" in one]


def rounds(pulse: Deployment, shop: Switched, *signs: bool) -> None:
    for is_up in signs:
        shop.off()
        if is_up:
            shop.on()
        assert pulse.probe().success  # a service that is down is no failed run
    shop.off()


def test_a_service_that_goes_off_and_on_is_told_once_each(pulse: Deployment, shop: Switched) -> None:
    rounds(pulse, shop, UP, DOWN)
    assert headings() == []
    rounds(pulse, shop, DOWN, DOWN)
    assert headings() == ["web-shop is down"]
    rounds(pulse, shop, UP, UP)
    assert headings() == ["web-shop is down", "web-shop is up again"]
    assert "2 checks in a row failed" in told()[-2] and "connection refused" in told()[-2]


def test_a_service_that_keeps_changing_is_said_to_flap_once(pulse: Deployment, shop: Switched) -> None:
    rounds(pulse, shop, UP, DOWN, UP, DOWN, UP, DOWN, DOWN, DOWN)
    assert headings() == ["web-shop keeps going down and up"]


def test_an_alert_that_could_not_be_kept_comes_with_the_next_round(
    pulse: Deployment, shop: Switched, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("slice_platform.components.pulse_runtime.notify", lambda *_, **__: False)
        rounds(pulse, shop, DOWN, DOWN)
    assert headings() == []
    rounds(pulse, shop, DOWN)
    assert headings() == ["web-shop is down"]


def test_a_lake_that_is_away_keeps_no_downtime_from_people(
    pulse: Deployment, shop: Switched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "no-folder").write_text("")
    rounds(pulse, shop, DOWN)
    monkeypatch.setenv("SLICE_LAKE_URI", str(tmp_path / "no-folder"))
    monkeypatch.setattr("slice_platform.components.runtime.RETRIES", 0)
    assert not pulse.probe().success
    assert headings() == ["web-shop is down"]


def test_the_alert_arrives_in_slack_once(pulse: Deployment, shop: Switched) -> None:
    rounds(pulse, shop, DOWN, DOWN)
    with running_slack("platform-ops") as slack:
        slack.pace_seconds = 0
        for _ in range(2):
            context = dg.build_sensor_context(
                instance=pulse.instance, resources={"slack": Slack(token=slack.token, base_url=slack.url)}
            )
            outbox_sensor()(context)
        texts = [one.text for one in slack.messages("platform-ops")]
    assert sum("web-shop is down" in text for text in texts) == 1, texts


def test_the_lake_tells_availability_and_latency_per_service_and_day(pulse: Deployment, shop: Switched) -> None:
    rounds(pulse, shop, UP, UP, DOWN, UP)
    with open_lake(load_settings()) as lake:
        ingest(lake, "uptime")
        refresh(lake, lake.business["service_availability"])
        (row,) = query(lake, "select * from business.service_availability").table.to_pylist()
        checked = query(lake, "select max(checked_at) as at, count(*) as n from curated.uptime").table.to_pylist()
    assert (row["service"], row["checks"], row["up"], str(row["availability_percent"])) == ("web-shop", 4, 3, "75.000")
    assert 0 < row["latency_p50_ms"] <= row["latency_p95_ms"] < 10_000
    assert checked[0]["n"] == 4 and row["day"] == checked[0]["at"].date()


def asked(pulse: Deployment) -> object:
    """What the schedule answers; it finds its instance by reference, which an ephemeral one does not have."""
    (pulse.home / "dagster").mkdir()
    schedule = pulse.definitions.resolve_schedule_def("pulse_probe_schedule")
    with (
        dg.DagsterInstance.local_temp(str(pulse.home / "dagster")) as kept,
        dg.build_schedule_context(instance=kept) as context,
    ):
        return schedule(context)


def test_the_schedule_is_off_unless_the_yaml_says_so_and_runs_what_is_due(pulse: Deployment, shop: Switched) -> None:
    schedule = pulse.definitions.resolve_schedule_def("pulse_probe_schedule")
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    request = asked(pulse)
    assert isinstance(request, dg.RunRequest)
    assert request.run_config["ops"] == {"probe_monitors": {"config": {"only_due": True}}}
    rounds(pulse, shop, UP)
    done = pulse.probe(only_due=True)
    (output,) = [one.step_output_data for one in done.all_events if one.is_successful_output]
    assert output.metadata["recorded"].value == "nothing was due"


def test_nothing_to_run_is_told(tmp_path: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = deployed(tmp_path, instance, monkeypatch, probe={"is_on": True})
    schedule = empty.definitions.resolve_schedule_def("pulse_probe_schedule")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert isinstance(asked(empty), dg.SkipReason)
    assert "slice pulse sync --apply" in str(empty.probe().get_step_failure_events()[0])
