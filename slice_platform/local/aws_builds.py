"""Builds of CodeBuild that take their time and may fail, where moto's have succeeded as soon as one looks.

A build goes one step at each poll (BatchGetBuilds), or each `step_seconds`: QUEUED, INSTALL, BUILD, then its end. The
variable SLICE_LOCAL_OUTCOME of the build, if it says FAILED, FAULT or TIMED_OUT, is how it ends; else it succeeds.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from moto.codebuild.models import CodeBuildBackend, codebuild_backends

from slice_platform.local.aws_overlay import Asked, Caller, Operations, Refused

OUTCOME_VARIABLE = "SLICE_LOCAL_OUTCOME"
_PHASES = ("QUEUED", "INSTALL", "BUILD", "COMPLETED")
_OUTCOMES = ("SUCCEEDED", "FAILED", "FAULT", "TIMED_OUT")


class Builds:
    """The operations, and how fast time goes in them. What a build is lies with moto's project."""

    def __init__(self, step_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._step_seconds, self._clock = step_seconds, clock

    @property
    def operations(self) -> Operations:
        return {
            ("codebuild", "StartBuild"): self._start,
            ("codebuild", "BatchGetBuilds"): self._get,
            ("codebuild", "StopBuild"): self._stop,
        }

    def _start(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        """A build goes on from here.

        Raises:
            Refused: there is no such project, or it asks for an outcome that is none.
        """
        backend = _backend(caller)
        name = asked["projectName"]
        if name not in backend.codebuild_projects:
            raise Refused("ResourceNotFoundException", f"Project cannot be found: {name}")
        variables = _variables(backend.codebuild_projects[name].project_metadata, asked)
        outcome = next((one["value"] for one in variables if one["name"] == OUTCOME_VARIABLE), "SUCCEEDED")
        if outcome not in _OUTCOMES:
            message = f"{OUTCOME_VARIABLE} is {outcome!r}, expected one of {', '.join(_OUTCOMES)}"
            raise Refused("InvalidInputException", message)
        build = backend.start_build(name, asked.get("sourceVersion"), asked.get("artifactsOverride"))
        build["environment"]["environmentVariables"] = variables
        build |= {"buildStatus": "IN_PROGRESS", "currentPhase": "QUEUED", "buildNumber": len(_all(backend))}
        build["phases"] = [_phase("QUEUED")]
        build["slice"] = {"outcome": outcome, "stepped_at": self._clock()}
        return {"build": _shown(build)}

    def _get(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        known = {build["id"]: build for build in _all(_backend(caller))}
        found = [known[one] for one in asked["ids"] if one in known]
        for build in found:
            self._go_on(build)
        missing = [one for one in asked["ids"] if one not in known]
        return {"builds": [_shown(build) for build in found], "buildsNotFound": missing}

    def _stop(self, asked: Asked, caller: Caller) -> Mapping[str, Any]:
        """A build that went on is stopped; one that ended stays as it ended.

        Raises:
            Refused: there is no such build.
        """
        build = next((one for one in _all(_backend(caller)) if one["id"] == asked["id"]), None)
        if build is None:
            raise Refused("ResourceNotFoundException", f"Build cannot be found: {asked['id']}")
        if not build["buildComplete"]:
            _end(build, "STOPPED")
        return {"build": _shown(build)}

    def _go_on(self, build: dict[str, Any]) -> None:
        course, now = build["slice"], self._clock()
        if not self._step_seconds:
            _step(build)
        while self._step_seconds and course["stepped_at"] + self._step_seconds <= now:
            course["stepped_at"] += self._step_seconds
            _step(build)


def _step(build: dict[str, Any]) -> None:
    if build["buildComplete"]:
        return
    phase = _PHASES[_PHASES.index(build["currentPhase"]) + 1]
    if phase == "COMPLETED":
        _end(build, build["slice"]["outcome"])
        return
    _close(build["phases"][-1], "SUCCEEDED")
    build["phases"].append(_phase(phase))
    build["currentPhase"] = phase


def _end(build: dict[str, Any], status: str) -> None:
    _close(build["phases"][-1], status)
    build["phases"].append({"phaseType": "COMPLETED", "startTime": _now()})
    build |= {"buildStatus": status, "currentPhase": "COMPLETED", "buildComplete": True, "endTime": _now()}


def _close(phase: dict[str, Any], status: str) -> None:
    phase |= {"phaseStatus": status, "endTime": _now()}


def _phase(name: str) -> dict[str, Any]:
    return {"phaseType": name, "startTime": _now()}


def _variables(project: Mapping[str, Any], asked: Asked) -> list[dict[str, Any]]:
    """The project's, and over them those of this build."""
    of_project = project["environment"].get("environmentVariables", [])
    of_build = asked.get("environmentVariablesOverride", [])
    found = {one["name"]: {"type": "PLAINTEXT", **one} for one in (*of_project, *of_build)}
    return list(found.values())


def _all(backend: CodeBuildBackend) -> list[dict[str, Any]]:
    return [build for builds in backend.build_metadata_history.values() for build in builds]


def _shown(build: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in build.items() if name != "slice"}


def _backend(caller: Caller) -> CodeBuildBackend:
    return codebuild_backends[caller.account][caller.region]


def _now() -> datetime:
    return datetime.now(UTC)
