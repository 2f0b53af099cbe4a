"""Messages of a queue: which are a reason to look, and that none of them breaks anything."""

import json
from urllib.parse import quote_plus

import boto3
import pytest

from slice_platform.aws import AwsAccess
from slice_platform.warehouse.wake import dropped_keys, forget, is_wanted, received
from slice_platform_tests.cloud import Cloud

KEY = "propagator/destination=postgres/database=shop/table_name=people/input/load/red flower+1.csv"


def s3_event(key: str, name: str = "ObjectCreated:Put") -> str:
    return json.dumps({"Records": [{"eventName": name, "s3": {"object": {"key": quote_plus(key)}}}]})


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (s3_event(KEY), [KEY]),
        (s3_event(KEY, "ObjectCreated:CompleteMultipartUpload"), [KEY]),
        (s3_event(KEY, "ObjectRemoved:Delete"), []),
        (json.dumps({"Type": "Notification", "Message": s3_event(KEY)}), [KEY]),
        (json.dumps({"detail": {"object": {"key": KEY}}}), [KEY]),
        (json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"}), []),
        ("hello", []),
        ("[]", []),
        ('{"Records": [{}]}', []),
        ("[" * 100_000, []),
        ('{"a":' * 100_000, []),
        ('{"detail": {"object": {"key": 5}}}', []),
        ('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": ["a"]}}}]}', []),
        ('{"Records": [{"eventName": 7}]}', []),
    ],
    ids=["put", "multipart", "removal", "by SNS", "EventBridge", "test event", "text", "list", "no event", "deep list",
         "deep object", "number for a key", "list for a key", "number for a name"],
)  # fmt: skip
def test_a_message_tells_the_keys_that_were_created(body: str, keys: list[str]) -> None:
    assert dropped_keys(body) == keys


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        (KEY, True),
        ("other/a.csv", False),
        (KEY.replace("input/load", "succeeded"), False),
        (KEY.replace("input/load", "failed"), False),
        ("propagator/failed/a.csv", False),
        ("propagator/_staging/a.csv.gz", False),
        ("propagator/destination=postgres/", False),
        ("propagator/stray.csv", True),
    ],
)
def test_our_own_moves_and_markers_of_folders_are_no_reason(key: str, *, wanted: bool) -> None:
    assert is_wanted(key, "propagator") is wanted


def test_a_queue_is_emptied_once_its_messages_are_done_with(cloud: Cloud) -> None:
    sqs = boto3.client("sqs", endpoint_url=cloud.url)
    url = sqs.create_queue(QueueName="drops", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    for body in ("nonsense", *[s3_event(KEY)] * 12):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    access = AwsAccess(cloud.url)
    wake = received(url, access, "propagator")
    assert wake.is_wanted and len(wake.receipts) >= 13
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody=s3_event("propagator/failed/a"))
    wake = received(url, access, "propagator")
    assert not wake.is_wanted
    forget(wake, url, access)
    assert not received(url, access, "propagator").receipts
