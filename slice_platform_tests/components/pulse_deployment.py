"""A deployment of Pulse with its own places, seen as the daemon sees it."""

from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest

from slice_platform.components.pulse import Pulse
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.ops.pulse.spec import PulseSpec
from slice_platform_tests.ops.pulse.monitors import write_files


@dataclass
class Deployment:
    """Its definitions over an instance; `cursor` is that of the sensor."""

    home: Path
    instance: dg.DagsterInstance
    spec: PulseSpec = field(default_factory=PulseSpec)
    cursor: str | None = None

    @property
    def git(self) -> Path:
        return self.home / "git"

    @property
    def heartbeat(self) -> Path:
        return self.home / "monitors.d"

    @property
    def definitions(self) -> dg.Definitions:
        return dg.build_defs_for_component(Pulse(self.spec))

    def write(self, files: dict[str, str]) -> None:
        write_files(self.git, files)

    def there(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in sorted(self.heartbeat.glob("*.yml"))}

    def run(self, job: str, op: str, **config: object) -> dg.ExecuteInProcessResult:
        run_config = {"ops": {op: {"config": config}}} if config else None
        return self.definitions.resolve_job_def(job).execute_in_process(
            run_config=run_config, instance=self.instance, raise_on_error=False
        )

    def publish(self, files: dict[str, str], **config: object) -> dg.ExecuteInProcessResult:
        self.write(files)
        return self.run("pulse_publish", "publish_monitors", **{"apply": True, **config})

    def probe(self, **config: object) -> dg.ExecuteInProcessResult:
        return self.run("pulse_probe", "probe_monitors", **config)

    def tick(self) -> list[dg.RunRequest]:
        """One tick of the sensor; what it asks for is not run."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self.definitions.resolve_sensor_def("pulse_sensor")(context)
        if isinstance(result, dg.SkipReason):
            return []
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or [])

    def settle(self) -> list[dg.ExecuteInProcessResult]:
        """One tick, and the runs that it asks for."""
        job = self.definitions.resolve_job_def("pulse_sync")
        return [
            job.execute_in_process(
                run_config=one.run_config,
                instance=self.instance,
                raise_on_error=False,
                tags={**one.tags, "dagster/sensor_name": "pulse_sensor"},
            )
            for one in self.tick()
        ]


def told(channel: str = "platform-ops") -> list[str]:
    """What waits for Slack there: heading and message, the oldest first."""
    with open_jarvis() as jarvis:
        return [f"{one.heading}\n{one.message}" for one in jarvis.outbox.waiting(channel)]


def deployed(home: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, **spec: object) -> Deployment:
    places = {"HOME": home, "PULSE_MONITORS_DIR": home / "git", "PULSE_DIR": home / "monitors.d"}
    for name, value in places.items():
        monkeypatch.setenv(f"SLICE_{name}", str(value))
    return Deployment(home, instance, PulseSpec.model_validate(spec))
