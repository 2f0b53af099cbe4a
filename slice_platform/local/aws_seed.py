"""The accounts of a fresh local AWS: small, believable, with things in order and things that a sweep must find.

Ages count from now, so that a rule about days finds the same today and next year. docs/local_aws.md lists it all.
"""

from typing import TYPE_CHECKING, Any

from slice_platform.local.aws_overlay import Caller
from slice_platform.local.aws_seed_machines import (
    seed_group,
    seed_images,
    seed_instance,
    seed_network,
    seed_template,
)
from slice_platform.local.aws_seed_storage import OWNED, seed_good_bucket, seed_open_buckets, seed_volumes

if TYPE_CHECKING:
    from slice_platform.local.aws import LocalAws


def seed_accounts(local: "LocalAws") -> None:
    """Fill the two accounts, which are empty. Ids are the same each time, so that a sweep knows again what it found."""
    from moto.moto_api._internal import mock_random  # noqa: PLC0415 -- moto is imported when the server starts

    from slice_platform.local.aws import ACCOUNT, OTHER_ACCOUNT, OTHER_ROLE, REGION  # noqa: PLC0415 -- it imports us

    mock_random.seed(1)
    _seed_first(local, Caller(ACCOUNT, REGION))
    _seed_other(local, Caller(OTHER_ACCOUNT, REGION), OTHER_ROLE)
    mock_random.seed()  # what is made later has ids of its own


def _seed_first(local: "LocalAws", caller: Caller) -> None:
    ec2, s3 = local.client("ec2"), local.client("s3")
    network = seed_network(ec2)
    images = seed_images(ec2, caller, {"main": (43, 36, 29, 22, 15, 8, 1), "release": (60, 31, 3)})
    main = images["main"]
    seed_template(ec2, network, main[3:6])
    seed_group(local.client("autoscaling"), network)
    # Launched from the oldest image of its branch: whoever prunes images has to see that it is in use.
    seed_instance(ec2, main[0], network.closed_group, Name="batch", **OWNED)
    seed_instance(ec2, images["release"][1], network.open_group, tokens="optional", Name="legacy")
    seed_volumes(ec2, caller)
    for name in ("slice-lake", "slice-pulse", "acme-reports"):
        seed_good_bucket(s3, name)
    seed_open_buckets(s3, "acme")
    _seed_project(local.client("codebuild"))


def _seed_other(local: "LocalAws", caller: Caller, role: str) -> None:
    ec2, s3 = local.client("ec2", role=role), local.client("s3", role=role)
    network = seed_network(ec2)
    image = seed_images(ec2, caller, {"main": (20,)})["main"][0]
    seed_instance(ec2, image, network.closed_group, Name="reports", **OWNED)
    seed_instance(ec2, image, network.open_group, tokens="optional", Name="forgotten")
    seed_volumes(ec2, caller)
    seed_good_bucket(s3, "other-reports")
    seed_open_buckets(s3, "other")


def _seed_project(codebuild: Any) -> None:
    codebuild.create_project(
        name="ami-build",
        source={"type": "GITHUB", "location": "https://github.com/example/images.git"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "BRANCH", "value": "main"}],
        },
        serviceRole="arn:aws:iam::123456789012:role/service-role/ami-build",
        tags=[{"key": name, "value": value} for name, value in OWNED.items()],
    )
