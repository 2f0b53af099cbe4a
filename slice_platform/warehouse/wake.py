"""What S3 tells through a queue: that something was dropped, so that it is worth a look.

A message is a reason to look and nothing more. One that is lost, comes twice or says nonsense costs a look or a few
minutes, never a file.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from slice_platform.aws import AwsAccess, client, told
from slice_platform.warehouse.pending import FAILED, STAGING

MOST_BATCHES = 20  # of ten messages, in one tick
_OURS = ("/succeeded/", "/failed/")
_LOG = logging.getLogger("slice_platform.warehouse.wake")


@dataclass(frozen=True)
class Wake:
    """Whether to look, and the messages that are then done with."""

    is_wanted: bool
    receipts: tuple[str, ...]


def received(queue_url: str, access: AwsAccess, prefix: str) -> Wake:
    """Take the messages that wait. They come again unless they are forgotten; `prefix` is that of the root's keys.

    Raises:
        StoreUnavailable, AccessRefused: SQS did not answer, or refuses.
    """
    keys: list[str] = []
    receipts: list[str] = []
    sqs = client("sqs", access)
    for _ in range(MOST_BATCHES):
        with told("read", queue_url):
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=0)
        messages = answer.get("Messages", [])
        for message in messages:
            receipts.append(message["ReceiptHandle"])
            keys += dropped_keys(message["Body"])
        if not messages:
            break
    return Wake(any(is_wanted(key, prefix) for key in keys), tuple(receipts))


def forget(wake: Wake, queue_url: str, access: AwsAccess) -> None:
    """Delete the messages, once what they led to has been asked for."""
    sqs = client("sqs", access)
    for start in range(0, len(wake.receipts), 10):
        some = wake.receipts[start : start + 10]
        entries = [{"Id": str(number), "ReceiptHandle": receipt} for number, receipt in enumerate(some)]
        with told("delete from", queue_url):
            sqs.delete_message_batch(QueueUrl=queue_url, Entries=entries)


def dropped_keys(body: str) -> list[str]:
    """The keys of objects that a message says were created: of S3 itself, by SNS, or of EventBridge."""
    try:
        return [key for key in _keys(json.loads(body)) if isinstance(key, str)]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _LOG.warning("A message of the queue is no event of S3 and is passed over: %.200r", body)
        return []


def is_wanted(key: str, prefix: str) -> bool:
    """Whether an object of this key may be a file to take: not one that we put away, and no marker of a folder."""
    below = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    inside = key.removeprefix(below)
    if not key.startswith(below) or key.endswith("/") or inside.startswith((f"{FAILED}/", f"{STAGING}/")):
        return False
    return not any(ours in inside for ours in _OURS)


def _keys(event: dict[str, Any]) -> Iterator[Any]:
    if event.get("Type") == "Notification":
        yield from _keys(json.loads(event["Message"]))
    elif "detail" in event:
        yield event["detail"]["object"]["key"]  # EventBridge does not encode it
    elif event.get("Event") != "s3:TestEvent":
        for record in event["Records"]:
            if record["eventName"].startswith("ObjectCreated:"):
                yield unquote_plus(record["s3"]["object"]["key"])
