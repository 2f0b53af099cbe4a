"""What a notification may say, and what its JSON schema says of it."""

import json
from pathlib import Path

import pytest

from slice_platform.errors import NotificationRefused
from slice_platform.notify.notification import Payload, channel_name, read_payload

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
    ],
)  # fmt: skip
def test_a_document_that_is_no_payload_is_told_field_by_field(document: object, says: str) -> None:
    with pytest.raises(NotificationRefused, match="The payload is wrong") as caught:
        read_payload(document)
    assert says in str(caught.value) and caught.value.code == "bad_payload"


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
