"""Builds of CodeBuild on the local AWS. In tests each poll is a step."""

from typing import Any

import pytest

from slice_platform.local.aws import LocalAws
from slice_platform.local.aws_builds import OUTCOME_VARIABLE


def start(local: LocalAws, **variables: str) -> dict[str, Any]:
    override = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in variables.items()]
    started: dict[str, Any] = local.client("codebuild").start_build(
        projectName="ami-build", environmentVariablesOverride=override
    )["build"]
    return started


def poll(local: LocalAws, build: str) -> dict[str, Any]:
    found: dict[str, Any] = local.client("codebuild").batch_get_builds(ids=[build])["builds"][0]
    return found


@pytest.mark.parametrize("outcome", ["SUCCEEDED", "FAILED", "TIMED_OUT"])
def test_a_build_takes_its_time_and_ends_as_it_was_told(local_aws: LocalAws, outcome: str) -> None:
    build = start(local_aws, **{OUTCOME_VARIABLE: outcome})
    assert (build["buildStatus"], build["currentPhase"]) == ("IN_PROGRESS", "QUEUED")
    course = [poll(local_aws, build["id"]) for _ in range(4)]
    assert [one["currentPhase"] for one in course] == ["INSTALL", "BUILD", "COMPLETED", "COMPLETED"]
    assert [one["buildStatus"] for one in course] == ["IN_PROGRESS", "IN_PROGRESS", outcome, outcome]
    assert [one["buildComplete"] for one in course] == [False, False, True, True]
    phases = {one["phaseType"]: one.get("phaseStatus") for one in course[-1]["phases"]}
    assert phases == {"QUEUED": "SUCCEEDED", "INSTALL": "SUCCEEDED", "BUILD": outcome, "COMPLETED": None}


def test_the_variables_of_a_build_lie_over_those_of_its_project(local_aws: LocalAws) -> None:
    build = start(local_aws, BRANCH="release", COMMIT="abc")
    found = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
    assert found == {"BRANCH": "release", "COMMIT": "abc"}


def test_a_stopped_build_stays_stopped(local_aws: LocalAws) -> None:
    build = start(local_aws)["id"]
    local_aws.client("codebuild").stop_build(id=build)
    assert [poll(local_aws, build)["buildStatus"] for _ in range(3)] == ["STOPPED"] * 3


def test_an_unknown_project_is_refused_and_an_unknown_build_is_told(local_aws: LocalAws) -> None:
    codebuild = local_aws.client("codebuild")
    with pytest.raises(codebuild.exceptions.ResourceNotFoundException, match="Project cannot be found: none"):
        codebuild.start_build(projectName="none")
    assert codebuild.batch_get_builds(ids=["ami-build:none"])["buildsNotFound"] == ["ami-build:none"]
