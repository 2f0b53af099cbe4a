"""docs/ami.md says what is so: every option, and rights that suffice for every call that is made."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from slice_platform.aws import client
from slice_platform.errors import ReleaseFailed
from slice_platform.ops.ami.releases import Step
from slice_platform.ops.ami.spec import CodeBuild, ImageTest, PackerBuild, Refresh, ReleaseSpec
from slice_platform_tests.ops.ami.planted import OTHER_COMMIT, Shop

DOC = (Path(__file__).parents[3] / "docs" / "ami.md").read_text(encoding="utf-8")
SERVICES = ("ec2", "autoscaling", "sts")
NEEDS_NO_RIGHT = {"sts:GetCallerIdentity"}


@pytest.mark.parametrize("model", [ReleaseSpec, PackerBuild, CodeBuild, ImageTest, Refresh])
def test_every_option_stands_in_the_table(model: type[BaseModel]) -> None:
    table = "\n".join(line for line in DOC.splitlines() if line.startswith("| `"))
    missing = [name for name in model.model_fields if not re.search(rf"[`.]{name}\b", table)]
    assert missing == []


def rights() -> set[str]:
    (policy,) = re.findall(r"```json\n(.*?)```", DOC, re.DOTALL)
    found: set[str] = set()
    for statement in json.loads(policy)["Statement"]:
        given = statement["Action"]
        found |= {given} if isinstance(given, str) else set(given)
    return found


def test_the_rights_are_those_of_every_call_that_is_made(shop: Shop) -> None:
    made: set[str] = set()

    def look(event_name: str, **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        made.add(f"{service.replace('-', '')}:{operation}")

    access = shop.account.access
    for service in SERVICES:
        client(service, access).meta.events.register_first("before-send", look)
    try:
        shop.release()
        _release_that_is_cancelled(shop)
    finally:
        for service in SERVICES:
            client(service, access).meta.events.unregister("before-send", look)
    assert made - NEEDS_NO_RIGHT <= rights()
    assert {one for one in rights() if not one.startswith("codebuild:")} - made == {"ec2:DeleteSecurityGroup"}


def _release_that_is_cancelled(shop: Shop) -> None:
    shop.spec["refresh"] = {"poll_seconds": 0, "timeout_seconds": 0.3}
    shop.have_refresh("hang")
    with pytest.raises(ReleaseFailed):
        shop.release_then(lambda: shop.have_refresh("succeed"), OTHER_COMMIT)
    assert not shop.known(OTHER_COMMIT).has_done(Step.PROMOTE)
