"""Pruning of an account: what is in use, another's or not ready stays, and no snapshot is left behind."""

from typing import Any

import pytest

from slice_platform.errors import AccessRefused, DatasetBusy
from slice_platform.local.aws import OTHER_ROLE, LocalAws
from slice_platform.ops.ami import prune as pruning
from slice_platform.ops.ami.releases import JOB, Step
from slice_platform.ops.fence import Limits
from slice_platform.ops.journal import ActState, open_journal
from slice_platform.settings import load_settings
from slice_platform_tests.ops.ami.aws_hooks import before, changed, refused
from slice_platform_tests.ops.ami.planted import OTHER_COMMIT, Shop, plant
from slice_platform_tests.ops.ami.walker import Walker


@pytest.fixture
def shop(empty_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Six images and versions, of which two are to stay."""
    planted = plant(empty_aws, tmp_path_factory.mktemp("shop"), old_images=6)
    planted.spec["limits"] = Limits(max_share=1.0, max_resources=50)
    return planted


def image_of(shop: Shop, commit: str) -> str:
    (image,) = shop.images(commit=commit)
    return str(image["ImageId"])


def commits(shop: Shop) -> set[str]:
    tags = [tag for image in shop.images(branch="main") for tag in image["Tags"]]
    return {tag["Value"] for tag in tags if tag["Key"] == "commit"}


def versions(shop: Shop) -> set[int]:
    described = shop.ec2.describe_launch_template_versions(LaunchTemplateName="shop")
    return {one["VersionNumber"] for one in described["LaunchTemplateVersions"]}


def test_the_newest_stay_and_snapshots_go_with_their_images(shop: Shop) -> None:
    outcome = shop.prune()
    assert commits(shop) == {"old4", "old5"}
    assert (
        outcome.summary() == "delete 4 of 6 launch template versions, deregister 4 of 6 images, delete 4 of 6 snapshots"
    )
    Walker(shop.local).prove(most_images=2)


def test_without_a_yes_nothing_goes(shop: Shop) -> None:
    outcome = shop.prune(apply=False)
    assert outcome.summary().startswith("dry run, nothing was changed: would delete 4 of 6 launch template versions")
    assert (len(commits(shop)), len(versions(shop))) == (6, 6)


def test_an_image_that_came_into_use_between_plan_and_act_is_left_with_its_snapshot(shop: Shop) -> None:
    used = image_of(shop, "old0")

    def launch() -> None:
        shop.ec2.run_instances(ImageId=used, MinCount=1, MaxCount=1)

    with before(shop.account.access, "ec2", "DeleteLaunchTemplateVersions", launch):
        outcome = shop.prune()
    assert [change.resource for change in outcome.skipped if change.kind == "image"] == [used]
    assert commits(shop) == {"old0", "old4", "old5"}
    Walker(shop.local).prove_everything_in_use_exists()


def test_a_snapshot_left_by_a_plan_that_was_cut_short_is_deleted_by_the_next(shop: Shop) -> None:
    with refused(shop.account.access, "ec2", "DeleteSnapshot", "UnauthorizedOperation"), pytest.raises(AccessRefused):
        shop.prune()
    assert commits(shop) == {"old1", "old2", "old3", "old4", "old5"}
    outcome = shop.prune()
    assert any(change.reason == "its image is gone, by a plan cut short" for change in outcome.done)
    Walker(shop.local).prove(most_images=2)


def test_a_snapshot_that_ec2_lets_go_of_late_is_deleted_all_the_same(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_LOOK_SECONDS", 0.01)
    with refused(shop.account.access, "ec2", "DeleteSnapshot", "InvalidSnapshot.InUse", times=3):
        assert shop.prune().skipped == ()
    Walker(shop.local).prove(most_images=2)


def test_an_image_that_ec2_shows_for_a_while_after_it_is_deregistered_does_not_keep_its_snapshot(shop: Shop) -> None:
    there = {image["ImageId"]: image for image in shop.images(branch="main")}

    def show_all(told: dict[str, Any]) -> None:
        shown = {image["ImageId"] for image in told["Images"]}
        told["Images"] += [image for image_id, image in there.items() if image_id not in shown]

    with changed(shop.account.access, "ec2", "DescribeImages", show_all):
        assert shop.prune().skipped == ()
    Walker(shop.local).prove(most_images=2)


def test_images_of_another_account_and_ones_that_are_not_ready_are_not_touched(shop: Shop) -> None:
    theirs = shop.local.client("ec2", role=OTHER_ROLE)
    image = theirs.register_image(Name="theirs", RootDeviceName="/dev/sda1")["ImageId"]
    theirs.create_tags(Resources=[image], Tags=[{"Key": "branch", "Value": "main"}])
    pending = image_of(shop, "old0")

    def not_ready(told: dict[str, Any]) -> None:
        for one in told["Images"]:
            one["State"] = "pending" if one["ImageId"] == pending else one["State"]

    with changed(shop.account.access, "ec2", "DescribeImages", not_ready):
        shop.prune()
    assert commits(shop) == {"old0", "old4", "old5"}
    assert len(theirs.describe_images(ImageIds=[image])["Images"]) == 1


def test_the_image_of_a_launch_configuration_stays(shop: Shop) -> None:
    shop.autoscaling.create_launch_configuration(
        LaunchConfigurationName="old shop", ImageId=image_of(shop, "old1"), InstanceType="t3.small"
    )
    shop.prune()
    assert commits(shop) == {"old1", "old4", "old5"}


def test_what_only_an_override_of_a_mixed_group_uses_stays(shop: Shop) -> None:
    template = shop.ec2.describe_launch_templates(LaunchTemplateNames=["shop"])["LaunchTemplates"][0][
        "LaunchTemplateId"
    ]
    specification = {"LaunchTemplateId": template, "Version": "$Default"}
    override = {"InstanceType": "t4g.small", "LaunchTemplateSpecification": {**specification, "Version": "1"}}
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": [override]}}

    def mix(told: dict[str, Any]) -> None:
        (group,) = told["AutoScalingGroups"]
        del group["LaunchTemplate"]
        group["MixedInstancesPolicy"] = policy

    with changed(shop.account.access, "autoscaling", "DescribeAutoScalingGroups", mix):
        shop.prune()
    assert (versions(shop), commits(shop)) == ({1, 5, 6}, {"old0", "old4", "old5"})


def test_an_image_that_is_protected_from_being_deregistered_stays(shop: Shop) -> None:
    protected = image_of(shop, "old1")

    def protect(told: dict[str, Any]) -> None:
        for one in told["Images"]:
            if one["ImageId"] == protected:
                one["DeregistrationProtection"] = "enabled-with-cooldown"

    with changed(shop.account.access, "ec2", "DescribeImages", protect):
        shop.prune()
    assert commits(shop) == {"old1", "old4", "old5"}


def test_the_version_to_roll_back_to_stays(shop: Shop) -> None:
    shop.ec2.modify_launch_template(LaunchTemplateName="shop", DefaultVersion="3")
    shop.release()
    shop.release()
    shop.prune()
    assert versions(shop) == {3, 6, 7}
    shop.roll_back()
    assert shop.default()["VersionNumber"] == 3


def test_images_of_a_release_under_way_stay(shop: Shop) -> None:
    shop.release(OTHER_COMMIT, until=Step.TEST)
    for number in range(3):
        image = shop.ec2.register_image(Name=f"newer {number}", RootDeviceName="/dev/sda1")["ImageId"]
        shop.ec2.create_tags(Resources=[image], Tags=[{"Key": "branch", "Value": "main"}])
    shop.prune()
    assert OTHER_COMMIT in commits(shop)


def test_images_of_another_service_on_a_branch_of_the_same_name_are_left_and_not_counted(shop: Shop) -> None:
    theirs = [image_of(shop, commit) for commit in ("old0", "old5")]
    shop.ec2.create_tags(Resources=theirs, Tags=[{"Key": "slice:service", "Value": "billing"}])
    shop.prune()
    assert commits(shop) == {"old0", "old3", "old4", "old5"}


def test_nothing_is_pruned_while_the_service_is_released(shop: Shop) -> None:
    impatient = load_settings(home=shop.home, lock_timeout_seconds=0)
    with (
        open_journal(impatient) as journal,
        journal.alone(JOB, "shop"),
        pytest.raises(DatasetBusy, match="ami_release of shop: another process works on it"),
    ):
        pruning.prune(shop.account, shop.service, journal, shop.mandate())
    assert len(commits(shop)) == 6


def test_more_snapshots_than_a_filter_takes_are_looked_up(shop: Shop) -> None:
    asked: list[int] = []

    def count(params: dict[str, Any], **_: Any) -> None:
        asked.append(len(params["Filters"][0]["Values"]))

    shop.account.ec2.meta.events.register_first("provide-client-params.ec2.DescribeSnapshots", count)
    try:
        shop.account.snapshots(f"snap-{number:08x}" for number in range(450))
    finally:
        shop.account.ec2.meta.events.unregister("provide-client-params.ec2.DescribeSnapshots", count)
    assert asked == [200, 200, 50]


def test_the_undo_record_tells_what_was_there(shop: Shop) -> None:
    with shop.journal() as journal:
        acts = journal.acts(shop.prune().plan_id)
    assert {act.state for act in acts} == {ActState.DONE}
    undo = {act.change.kind: act.change.undo for act in acts}
    assert '"InstanceType": "t3.small"' in undo["launch template version"]
    assert '"BlockDeviceMappings"' in undo["image"] and '"VolumeSize"' in undo["snapshot"]
