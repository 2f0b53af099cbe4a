"""A new version of the launch template comes from the default, once for a release, and is waited for."""

from typing import Any

import pytest

from slice_platform.errors import AwsUnavailable
from slice_platform.ops.ami import promotion
from slice_platform.ops.ami.promotion import Promotion, default_of, made_by
from slice_platform_tests.ops.ami.aws_hooks import changed
from slice_platform_tests.ops.ami.planted import Shop

RELEASE = "0123456789abcdef0123456789abcdef"


def promoted(shop: Shop) -> Promotion:
    """The older image, on its way into the template."""
    (image,) = shop.images(commit="old0")
    return Promotion(shop.account, "shop", image["ImageId"], RELEASE)


def carry_out(one: Promotion) -> None:
    for change in one.changes(default_of(one.account, "shop")):
        one.act(change)


def test_the_version_tells_its_release_and_where_it_comes_from(shop: Shop) -> None:
    carry_out(promoted(shop))
    now = default_of(shop.account, "shop")
    assert (now.number, now.image_id, str(made_by(now))) == (3, promoted(shop).image_id, f"release {RELEASE} from 2")
    assert promoted(shop).changes(now) == ()


def test_a_version_that_ec2_does_not_show_yet_is_waited_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "_LOOK_SECONDS", 0.01)
    hidden = [True] * 6

    def hide(told: dict[str, Any]) -> None:
        if hidden and hidden.pop():
            told["LaunchTemplateVersions"] = [one for one in told["LaunchTemplateVersions"] if one["VersionNumber"] < 3]

    with changed(shop.account.access, "ec2", "DescribeLaunchTemplateVersions", hide):
        carry_out(promoted(shop))
    assert shop.default()["VersionNumber"] == 3


def test_a_version_that_is_never_shown_is_told_and_can_be_gone_on_with(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(promotion, "_SEEN_SECONDS", 0.0)

    def hide(told: dict[str, Any]) -> None:
        told["LaunchTemplateVersions"] = [one for one in told["LaunchTemplateVersions"] if one["VersionNumber"] < 3]

    with (
        changed(shop.account.access, "ec2", "DescribeLaunchTemplateVersions", hide),
        pytest.raises(AwsUnavailable, match="EC2 does not show it after 0 s. The release can be repeated"),
    ):
        carry_out(promoted(shop))
    carry_out(promoted(shop))
    assert shop.default()["VersionNumber"] == 3


def test_the_token_of_a_version_is_no_longer_than_ec2_takes(shop: Shop) -> None:
    tokens: list[str] = []

    def look(params: dict[str, Any], **_: Any) -> None:
        tokens.append(params["ClientToken"])

    events = shop.account.ec2.meta.events
    events.register_first("provide-client-params.ec2.CreateLaunchTemplateVersion", look)
    try:
        carry_out(promoted(shop))
    finally:
        events.unregister("provide-client-params.ec2.CreateLaunchTemplateVersion", look)
    assert len(tokens[0]) + len("9999") <= 64
