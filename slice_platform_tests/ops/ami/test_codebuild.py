"""Images that a CodeBuild project makes: one build for a release, followed to its end, whoever started it."""

from typing import Any

import pytest

from slice_platform.errors import AwsUnavailable, ReleaseFailed, SettingsError
from slice_platform.local.aws import LocalAws
from slice_platform.ops.ami.releases import Step
from slice_platform_tests.crashes import SimulatedCrash
from slice_platform_tests.ops.ami.aws_hooks import before, changed, refused
from slice_platform_tests.ops.ami.planted import COMMIT, Shop, plant
from slice_platform_tests.ops.ami.walker import Walker


@pytest.fixture
def shop(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The service, built by a project."""
    planted = plant(empty_aws, tmp_path_factory.mktemp("shop"))
    have_project(planted, "SUCCEEDED")
    return planted


def have_project(shop: Shop, outcome: str, **spec: Any) -> None:
    """A project whose builds end so."""
    name = f"ami-{outcome.lower()}"
    shop.local.client("codebuild").create_project(
        name=name,
        source={"type": "GITHUB", "location": "https://github.com/example/shop.git"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "SLICE_LOCAL_OUTCOME", "value": outcome}],
        },
        serviceRole="arn:aws:iam::123456789012:role/service-role/ami-build",
    )  # fmt: skip
    shop.spec.update(packer=None, codebuild={"project": name, "poll_seconds": 0, **spec})


def make_image(shop: Shop, **tags: str) -> str:
    """What the project's packer would make."""
    image: str = shop.ec2.register_image(Name=f"shop {len(shop.images())}", RootDeviceName="/dev/sda1")["ImageId"]
    wanted = {"branch": "main", "commit": COMMIT, **tags}
    shop.ec2.create_tags(Resources=[image], Tags=[{"Key": key, "Value": value} for key, value in wanted.items()])
    return image


def builds(shop: Shop) -> list[dict[str, Any]]:
    codebuild = shop.local.client("codebuild")
    ids = codebuild.list_builds_for_project(projectName=shop.spec["codebuild"]["project"])["ids"]
    found: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
    return found


def exporting(image: str) -> Any:
    def export(told: dict[str, Any]) -> None:
        for build in told["builds"]:
            build["exportedEnvironmentVariables"] = [{"name": "AMI_ID", "value": image}]

    return export


def test_a_release_takes_the_image_that_has_the_tags_of_branch_and_commit(shop: Shop) -> None:
    with before(shop.account.access, "codebuild", "StartBuild", lambda: make_image(shop)):
        shop.release()
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}
    (build,) = builds(shop)
    given = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}
    assert (given["COMMIT"], given["BRANCH"], given["SLICE_RELEASE"]) == (COMMIT, "main", shop.known().id)
    assert [line.rpartition(": ")[2] for line in shop.told if "CodeBuild" in line][-3:] == [
        "INSTALL",
        "BUILD",
        "COMPLETED",
    ]
    Walker(shop.local).prove(most_images=3)


def test_a_release_takes_the_image_that_the_build_exports(shop: Shop) -> None:
    exported = make_image(shop, commit="of the build alone")
    with changed(shop.account.access, "codebuild", "BatchGetBuilds", exporting(exported)):
        shop.release()
    assert shop.running() == {exported}
    assert [one["ImageId"] for one in shop.images(**{"commit": COMMIT, "slice:service": "shop"})] == [exported]


def test_what_is_exported_and_is_no_image_is_told(shop: Shop) -> None:
    with (
        changed(shop.account.access, "codebuild", "BatchGetBuilds", exporting("ap-south-1:ami-1")),
        pytest.raises(ReleaseFailed, match="exports AMI_ID as 'ap-south-1:ami-1', expected is the id of an image"),
    ):
        shop.release()


def test_an_image_of_another_service_with_the_same_commit_is_not_taken(shop: Shop) -> None:
    theirs = make_image(shop, **{"slice:service": "billing"})
    with pytest.raises(ReleaseFailed, match=f"no image has the tags branch 'main' and commit '{COMMIT}'"):
        shop.release()
    (image,) = shop.ec2.describe_images(ImageIds=[theirs])["Images"]
    assert {"Key": "slice:service", "Value": "billing"} in image["Tags"]


@pytest.mark.parametrize("outcome", ["FAILED", "FAULT", "TIMED_OUT"])
def test_a_build_that_fails_fails_the_release_and_the_next_starts_another(shop: Shop, outcome: str) -> None:
    have_project(shop, outcome)
    before_it = shop.default()
    for count in (1, 2):
        with pytest.raises(ReleaseFailed, match=f"ended as {outcome}. .*Nothing was promoted"):
            shop.release()
        assert len(builds(shop)) == count
    assert shop.default() == before_it


def test_a_build_that_takes_too_long_is_stopped(shop: Shop) -> None:
    shop.spec["codebuild"] = {"project": "ami-succeeded", "poll_seconds": 0.05, "timeout_seconds": 0.01}
    with pytest.raises(ReleaseFailed, match="took longer than 0.01 s and was stopped. .*codebuild.timeout_seconds"):
        shop.release()
    assert [one["buildStatus"] for one in builds(shop)] == ["STOPPED"]


def test_who_comes_after_a_run_that_was_killed_follows_its_build(shop: Shop) -> None:
    def die() -> None:
        make_image(shop)
        raise SimulatedCrash

    with before(shop.account.access, "codebuild", "BatchGetBuilds", die), pytest.raises(SimulatedCrash):
        shop.release()
    shop.release()
    assert len(builds(shop)) == 1
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}


def test_codebuild_being_away_for_a_while_is_waited_out(shop: Shop) -> None:
    make_image(shop)
    with refused(shop.account.access, "codebuild", "BatchGetBuilds", "ThrottlingException", times=2):
        shop.release(until=Step.BUILD)
    assert len(builds(shop)) == 1


def test_a_start_that_codebuild_throttles_can_be_repeated(shop: Shop) -> None:
    make_image(shop)
    with (
        refused(shop.account.access, "codebuild", "StartBuild", "ThrottlingException"),
        pytest.raises(AwsUnavailable, match="The work can be repeated"),
    ):
        shop.release()
    shop.release()
    assert len(builds(shop)) == 1


def test_a_build_whose_image_was_pruned_is_not_taken_for_one(shop: Shop) -> None:
    with before(shop.account.access, "codebuild", "StartBuild", lambda: make_image(shop)):
        shop.release()
    shop.roll_back()
    for image in shop.images(commit=COMMIT):
        shop.ec2.deregister_image(ImageId=image["ImageId"])
    with before(shop.account.access, "codebuild", "StartBuild", lambda: make_image(shop)):
        shop.release()
    assert len(builds(shop)) == 2
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}


def test_a_project_that_is_not_there_is_told_before_anything_is_done(shop: Shop) -> None:
    shop.spec["codebuild"] = {"project": "nobody"}
    with pytest.raises(SettingsError, match="Looking for the CodeBuild project 'nobody' in ap-south-1: there is none"):
        shop.release()


def test_a_build_is_only_planned_without_a_yes(shop: Shop) -> None:
    shop.release(apply=False)
    assert builds(shop) == []
