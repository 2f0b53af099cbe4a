"""A release ends with the new image in every instance of the group, or with the version before - and says which."""

import json

import pytest

from slice_platform.errors import FenceRefused, ReleaseFailed, SettingsError
from slice_platform.local.aws import LocalAws
from slice_platform.ops.ami.releases import ReleaseState, Step
from slice_platform.ops.fence import Limits
from slice_platform_tests.ops.ami.planted import COMMIT, OTHER_COMMIT, Shop, plant
from slice_platform_tests.ops.ami.walker import Walker


def test_a_release_brings_the_image_of_a_commit_to_every_instance(shop: Shop) -> None:
    before = shop.default()
    shop.release()
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}
    now = shop.default()
    assert now["VersionNumber"] == before["VersionNumber"] + 1
    assert now["LaunchTemplateData"] == {**before["LaunchTemplateData"], "ImageId": image["ImageId"]}
    assert shop.known().state is ReleaseState.DONE
    Walker(shop.local).prove(most_images=3)  # two are kept, one more by the version to roll back to


def test_the_image_and_its_snapshots_tell_branch_commit_and_service(shop: Shop) -> None:
    shop.release()
    (image,) = shop.images(commit=COMMIT)
    tags = {one["Key"]: one["Value"] for one in image["Tags"]}
    assert (tags["branch"], tags["slice:service"], tags["slice:release"]) == ("main", "shop", shop.known().id)
    assert int(tags["timestamp"]) > 0  # of the template itself
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    (described,) = shop.ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    assert {"Key": "commit", "Value": COMMIT} in described["Tags"]


def test_what_packer_says_is_told_line_by_line(shop: Shop) -> None:
    shop.release()
    assert any("Creating AMI shop c0ffee" in line for line in shop.told)
    assert any("No volumes to clean up, skipping" in line for line in shop.told)


def test_without_a_yes_a_release_is_planned_and_nothing_is_changed(shop: Shop) -> None:
    before, images = shop.default(), shop.images()
    outcomes = shop.release(apply=False)
    assert all(one is None or not one.was_applied for one in outcomes)
    assert (shop.default(), shop.images()) == (before, images)
    said = "\n".join(shop.told)
    for promised in ("build image shop@c0ffee", "set default launch template shop", "refresh auto-scaling group shop"):
        assert promised in said
    with pytest.raises(ReleaseFailed, match="never begun"):
        shop.known()


def test_a_commit_that_is_released_is_not_released_again(shop: Shop) -> None:
    shop.release()
    before = Walker(shop.local)
    assert shop.release() == [None] * 6
    after = Walker(shop.local)
    assert (after.images, after.versions, after.members) == (before.images, before.versions, before.members)


def test_releases_one_after_the_other_keep_images_and_versions_bounded(shop: Shop) -> None:
    for number in range(5):
        shop.release(f"{number:040d}")
    walker = Walker(shop.local)
    walker.prove(most_images=2)
    assert [one["VersionNumber"] for one in sorted(walker.versions, key=lambda one: one["VersionNumber"])] == [6, 7]


def test_an_earlier_commit_can_be_released_again_from_its_image(shop: Shop) -> None:
    shop.release()
    (image,) = shop.images(commit=COMMIT)
    shop.release(OTHER_COMMIT)
    shop.told.clear()
    shop.release()
    assert shop.running() == {image["ImageId"]}
    assert not any("Creating AMI" in line for line in shop.told)
    Walker(shop.local).prove()


def test_an_image_that_fails_its_test_is_never_promoted(shop: Shop) -> None:
    before = shop.default()
    shop.spec["test"] = {"check": ["sh", "-c", "echo no answer from $INSTANCE_ID; exit 3"], "poll_seconds": 0}
    with pytest.raises(ReleaseFailed, match=r"exited with 3: 'no answer from i-[0-9a-f]+'. Nothing uses the image"):
        shop.release()
    assert shop.default() == before
    assert shop.known().state is ReleaseState.FAILED
    Walker(shop.local).prove()
    del shop.spec["test"]
    shop.release()
    assert len(shop.images(commit=COMMIT)) == 1
    Walker(shop.local).prove()


@pytest.mark.parametrize("version", ["$Default", "2", "$Latest"])
@pytest.mark.parametrize("outcome", ["fail-at-50", "hang"])
def test_a_refresh_that_does_not_succeed_puts_the_version_before_back(
    empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory, version: str, outcome: str
) -> None:
    shop = plant(empty_aws, tmp_path_factory.mktemp("shop"), version=version)
    before, running = shop.default(), shop.running()
    shop.spec["refresh"] = {"poll_seconds": 0, "timeout_seconds": 0.5}
    shop.have_refresh(outcome)
    with pytest.raises(ReleaseFailed, match="did not succeed: .*Rolled back: version 2 is the default again"):
        shop.release_then(lambda: shop.have_refresh("succeed"))
    assert shop.default()["VersionNumber"] == before["VersionNumber"]
    assert shop.running() == running
    assert shop.known().state is ReleaseState.ROLLED_BACK
    Walker(shop.local).prove()


def test_a_rollback_that_fails_as_well_says_so_and_is_gone_on_with(shop: Shop) -> None:
    shop.have_refresh("fail-at-50")
    with pytest.raises(ReleaseFailed, match="Putting 'shop' back to version 2 of 'shop': .*Look at the group"):
        shop.release()
    assert shop.known().state is ReleaseState.ROLLING_BACK
    shop.have_refresh("succeed")
    with pytest.raises(ReleaseFailed, match="Rolled back: version 2 is the default again, and the group runs it"):
        shop.release()
    assert shop.known().state is ReleaseState.ROLLED_BACK
    Walker(shop.local).prove()


def test_a_rolled_back_release_goes_on_from_its_image_once_its_cause_is_mended(shop: Shop) -> None:
    shop.have_refresh("fail-at-50")
    with pytest.raises(ReleaseFailed):
        shop.release()
    shop.have_refresh("succeed")
    with pytest.raises(ReleaseFailed):
        shop.release()
    shop.release()
    assert shop.known().state is ReleaseState.DONE
    (image,) = shop.images(commit=COMMIT)
    assert shop.running() == {image["ImageId"]}


def test_pruning_that_would_take_too_much_is_refused_and_the_release_stands(
    empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shop = plant(empty_aws, tmp_path_factory.mktemp("shop"), old_images=8)
    shop.spec["limits"] = Limits(max_share=0.5, max_resources=50)
    with pytest.raises(FenceRefused, match="refused by the rule max_share: it removes"):
        shop.release()
    release = shop.known()
    assert (release.state, release.reached) == (ReleaseState.RUNNING, Step.REFRESH)
    assert len(shop.images(branch="main")) == 9
    shop.spec["limits"] = Limits(max_share=1.0, max_resources=50)
    shop.release()
    Walker(shop.local).prove(most_images=3)


def test_a_template_that_packer_does_not_accept_is_told_before_anything_is_done(shop: Shop) -> None:
    path = shop.home / "packer.json"
    path.write_text(json.dumps({"builders": [{"type": "amazon-ebs"}]}), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"(?s)Packer does not accept 'packer.json': .*ami_name must be specified"):
        shop.release()
    path.write_text(json.dumps({"builders": [{"type": "docker"}]}), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"its builders are \['docker'\], expected is one of the type 'amazon-ebs'"):
        shop.release()
