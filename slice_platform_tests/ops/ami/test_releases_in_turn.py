"""Releases and rollbacks that meet one another: none goes on over another, and each way back leads to what worked."""

import pytest

from slice_platform.errors import ReleaseFailed, SettingsError
from slice_platform.ops.ami.releases import ReleaseState, Step
from slice_platform.ops.fence import Limits
from slice_platform_tests.ops.ami.planted import COMMIT, OTHER_COMMIT, Shop
from slice_platform_tests.ops.ami.walker import Walker


def image_of(shop: Shop, commit: str) -> str:
    (image,) = shop.images(commit=commit)
    return str(image["ImageId"])


def have_rollback_fail(shop: Shop, commit: str = COMMIT) -> None:
    """A release whose refresh fails, and the way back as well."""
    shop.have_refresh("fail-at-50")
    with pytest.raises(ReleaseFailed, match="Putting 'shop' back"):
        shop.release(commit)
    shop.have_refresh("succeed")


def test_a_commit_whose_image_was_pruned_since_is_built_again(shop: Shop) -> None:
    for number in range(4):
        shop.release(f"{number:040d}")
    assert shop.images(commit=f"{0:040d}") == []
    shop.release(f"{0:040d}")
    assert shop.running() == {image_of(shop, f"{0:040d}")}
    Walker(shop.local).prove()


def test_a_commit_that_is_released_again_keeps_what_was_changed_of_the_template_since(shop: Shop) -> None:
    shop.release()
    shop.ec2.create_launch_template_version(
        LaunchTemplateName="shop", SourceVersion="$Default", LaunchTemplateData={"InstanceType": "t3.large"}
    )
    shop.ec2.modify_launch_template(LaunchTemplateName="shop", DefaultVersion="4")
    shop.release()
    assert shop.default()["LaunchTemplateData"] == {"ImageId": image_of(shop, COMMIT), "InstanceType": "t3.large"}


def test_a_rollback_that_was_cut_short_does_not_go_on_once_another_commit_is_released(shop: Shop) -> None:
    have_rollback_fail(shop)
    shop.release(OTHER_COMMIT)
    with pytest.raises(ReleaseFailed, match="another version was promoted, or rolled back to, since"):
        shop.do(Step.REFRESH)
    assert shop.running() == {image_of(shop, OTHER_COMMIT)}
    assert shop.known().state is ReleaseState.SUPERSEDED


def test_a_rollback_leads_past_a_version_that_never_reached_the_group(shop: Shop) -> None:
    before = shop.default()["VersionNumber"]
    shop.release(until=Step.PROMOTE)
    shop.have_refresh("fail-at-50")
    with pytest.raises(ReleaseFailed, match=f"Rolled back: version {before} is the default again"):
        shop.release_then(lambda: shop.have_refresh("succeed"), OTHER_COMMIT)
    assert shop.default()["VersionNumber"] == before
    Walker(shop.local).prove()


def test_a_release_that_goes_on_after_a_failed_one_knows_its_way_back(shop: Shop) -> None:
    shop.release(until=Step.PROMOTE)
    template = (shop.home / "packer.json").read_text(encoding="utf-8")
    (shop.home / "packer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SettingsError):
        shop.release(OTHER_COMMIT)
    (shop.home / "packer.json").write_text(template, encoding="utf-8")
    shop.have_refresh("fail-at-50")
    with pytest.raises(ReleaseFailed, match="Rolled back: version 2 is the default again"):
        shop.release_then(lambda: shop.have_refresh("succeed"))
    Walker(shop.local).prove()


def test_a_release_does_not_go_on_with_its_refresh_once_it_was_rolled_back_by_hand(shop: Shop) -> None:
    before = shop.running()
    shop.release(until=Step.PROMOTE)
    shop.roll_back()
    with pytest.raises(ReleaseFailed, match="The group is left as it is; release this commit anew"):
        shop.do(Step.REFRESH)
    assert shop.running() == before
    shop.release()
    assert shop.running() == {image_of(shop, COMMIT)}


def test_a_rollback_goes_to_the_version_before_a_release_whose_pruning_was_refused(shop: Shop) -> None:
    shop.release()
    before, running = shop.default()["VersionNumber"], shop.running()
    shop.spec["limits"] = Limits(max_resources=0)
    shop.release(OTHER_COMMIT, until=Step.REFRESH)
    shop.roll_back()
    assert (shop.default()["VersionNumber"], shop.running()) == (before, running)


def test_a_rollback_by_hand_cancels_the_refresh_that_goes_wrong(shop: Shop) -> None:
    running = shop.running()
    shop.release(until=Step.PROMOTE)
    shop.have_refresh("hang")
    shop.autoscaling.start_instance_refresh(AutoScalingGroupName="shop")
    shop.when_told("is under way: it is cancelled", lambda: shop.have_refresh("succeed"))
    shop.roll_back()
    told = shop.autoscaling.describe_instance_refreshes(AutoScalingGroupName="shop")["InstanceRefreshes"]
    assert [one["Status"] for one in told] == ["Successful", "Cancelled"]
    assert shop.running() == running
    Walker(shop.local).prove()


def test_a_rollback_that_is_repeated_goes_no_further_back(shop: Shop) -> None:
    shop.release()
    before = shop.default()["VersionNumber"]
    shop.release(OTHER_COMMIT)
    for _ in range(2):
        shop.roll_back()
    assert shop.default()["VersionNumber"] == before


def test_a_version_whose_image_is_gone_is_not_rolled_back_to(shop: Shop) -> None:
    before = shop.default()
    shop.ec2.deregister_image(ImageId=shop.images(commit="old0")[0]["ImageId"])
    with pytest.raises(ReleaseFailed, match=r"its image 'ami-[0-9a-f]+' is gone, .*Nothing was changed"):
        shop.roll_back(1)
    assert shop.default() == before
