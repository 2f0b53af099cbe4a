"""What a notification may say, and what its JSON schema says of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from slice_platform.errors import NotificationRefused
from slice_platform.notify.notification import Notification, Payload, channel_name, read_payload

ROOT = Path(__file__).parents[2]
GOOD = {"heading": "Heading", "message": "Message", "slack_channel": "#slice-lambda-notifications"}


def test_the_payload_of_the_docs_is_a_notification() -> None:
    attachment = {"bucket": "slack-notification-framework-attachments", "key": "testing/test_file.csv"}
    one = read_payload(json.dumps(GOOD | {"attachment": attachment})).notification()
    assert (one.channel, one.heading, one.message) == ("slice-lambda-notifications", "Heading", "Message")
    assert one.attachments == ("s3://slack-notification-framework-attachments/testing/test_file.csv",)


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("{", "no JSON"), ("[]", "payload: "), ('{"message": "m"}', "slack_channel: Field required"),
        (GOOD | {"message": "  "}, "message: "), (GOOD | {"atachment": {}}, "atachment: Extra inputs"),
        (GOOD | {"attachment": {"bucket": "b"}}, "attachment.key: Field required"), (None, "payload: "),
        (GOOD | {"attachment": {"bucket": "Slice X", "key": "a"}}, "attachment.bucket: 'Slice X' is no name of"),
        (GOOD | {"attachment": {"bucket": "a", "key": "a"}}, "'a' is no name of a bucket: S3's have"),
        (GOOD | {"attachment": {"bucket": "abc", "key": "\u00e4" * 513}}, "attachment.key: 1026 bytes are no key"),
        (GOOD | {"attachment": {"bucket": "abc", "key": " "}}, "attachment.key: "),
    ],
)  # fmt: skip
def test_a_document_that_is_no_payload_is_told_field_by_field(document: object, says: str) -> None:
    with pytest.raises(NotificationRefused, match="The payload is wrong") as caught:
        read_payload(document)
    assert says in str(caught.value) and caught.value.code == "bad_payload"


def test_of_a_long_heading_a_line_is_shown_and_the_message_has_the_whole() -> None:
    heading = "<!channel> " + "long " * 12_000 + "end"
    one = Notification("data", "<!channel> hello", heading)
    assert one.heading is not None and len(one.heading) <= 250 and one.heading.endswith("long ...")
    assert one.message.endswith("long end\n<!channel> hello") and one.message.count("<!channel>") == 1
    assert replace(one, key="again").message == one.message


def test_a_secret_at_the_end_of_a_long_heading_is_not_cut_in_half() -> None:
    one = Notification("data", "hello", "x" * 230 + " AKIAIOSFODNN7EXAMPLE " + "y" * 100)
    assert "AKIA" not in f"{one.heading} {one.message}"


@pytest.mark.parametrize("name", ["data", "#data-2", "C024BE91L", "a" * 80])
def test_a_channel_is_a_name_or_an_id(name: str) -> None:
    assert channel_name(name) == name.removeprefix("#")


@pytest.mark.parametrize("name", ["", "#", "Data", "a b", "../x", "<!channel>", "a" * 81])
def test_other_names_are_no_channels(name: str) -> None:
    with pytest.raises(NotificationRefused, match="no name of a channel"):
        channel_name(name)


def test_the_schema_in_the_docs_is_the_model() -> None:
    written = json.loads((ROOT / "docs" / "notification.schema.json").read_text(encoding="utf-8"))
    assert written == Payload.model_json_schema(), "write docs/notification.schema.json anew"
