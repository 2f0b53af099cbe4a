"""The same way over S3, with its faults: what cannot be read in full changes nothing."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest

from slice_platform.aws import AwsAccess
from slice_platform.errors import FenceRefused, StoreUnavailable
from slice_platform.metadata_db import MetadataDb
from slice_platform.settings import load_settings
from slice_platform.store import open_store
from slice_platform_tests.cloud import Cloud
from slice_platform_tests.ops.pulse.conftest import Way, way_over
from slice_platform_tests.ops.pulse.monitors import BROKEN, http

TWO = {"cart.yml": http("cart"), "shop.yml": http("shop")}


@pytest.fixture
def way(cloud: Cloud, tmp_path: Path) -> Iterator[Way]:
    settings = load_settings(aws_endpoint_url=cloud.url, aws_attempts=1, home=tmp_path)
    store = open_store(f"s3://{cloud.fresh_bucket()}/pulse", AwsAccess.of(settings))
    with closing(MetadataDb(f"sqlite:///{tmp_path / 'ops.db'}", lock_dir=tmp_path / "locks")) as db:
        yield way_over(tmp_path, store, db)


def test_what_is_published_in_a_bucket_arrives_and_follows_edits_and_deletes(way: Way) -> None:
    way.deliver(TWO)
    assert way.there() == TWO
    edited = {"cart.yml": TWO["cart.yml"].replace(":1/", ":2/")}
    assert len(edited["cart.yml"]) == len(TWO["cart.yml"])
    way.deliver(edited)
    assert way.there() == edited and way.behind() == ()


def test_a_bad_file_and_a_mass_delete_are_what_they_are_in_a_directory(way: Way) -> None:
    way.deliver(TWO)
    assert [one.file for one in way.publish({**TWO, "cart.yml": BROKEN}).problems] == ["cart.yml"]
    with pytest.raises(FenceRefused, match="rule max_share"):
        way.publish({})
    way.sync()
    assert way.there() == TWO


@pytest.mark.parametrize("kind", ["slow_down", "error", "cut"])
def test_a_manifest_that_does_not_come_whole_changes_nothing(cloud: Cloud, way: Way, kind: str) -> None:
    way.deliver(TWO)
    way.publish({"cart.yml": TWO["cart.yml"]})
    with cloud.failing(kind, r"GET .*manifest.json"), pytest.raises(StoreUnavailable):  # type: ignore[arg-type]
        way.sync()
    assert way.there() == TWO
    way.sync()
    assert list(way.there()) == ["cart.yml"]


def test_a_file_that_does_not_come_is_fetched_by_the_next_sync(cloud: Cloud, way: Way) -> None:
    way.publish(TWO)
    with cloud.failing("error", r"GET .*shop.yml"), pytest.raises(StoreUnavailable):
        way.sync()
    way.sync()
    assert way.there() == TWO


def test_objects_of_others_below_the_prefix_are_left_alone(cloud: Cloud, way: Way) -> None:
    way.publish(TWO)
    bucket, _, prefix = way.store.root.removeprefix("s3://").partition("/")
    s3 = boto3.client("s3", endpoint_url=cloud.url)
    for key in ("monitors/team/deep.yml", "monitors/notes.txt", "other.json"):
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=b"x")
    way.deliver({"cart.yml": TWO["cart.yml"]})
    left = {one["Key"].removeprefix(f"{prefix}/") for one in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    assert left == {"manifest.json", "monitors/cart.yml", "monitors/notes.txt", "monitors/team/deep.yml", "other.json"}
