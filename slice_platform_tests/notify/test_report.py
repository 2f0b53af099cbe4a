"""What the error channel reads of a notification that could not be sent: no secret, and nobody is called."""

import json

import pytest

from slice_platform.errors import NotificationRefused
from slice_platform.notify.report import report_of_payload
from slice_platform.notify.slack_text import escape

REFUSED = NotificationRefused("The channel '<!channel>' is none.", code="channel_not_found")
PAYLOADS = [
    {"message": json.dumps({"password": "hunter2"}), "slack_channel": "x"},
    {"message": "password=hunter2", "password": "hunter2"},
    {"message": ["deep", {"token": "hunter2"}]},
    json.dumps({"message": json.dumps({"password": "hunter2"})}),
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_report_has_no_secret_of_the_payload(payload: object) -> None:
    said = report_of_payload(payload, REFUSED, "errors").message
    assert "hunter2" not in said and "[hidden]" in said and "message" in said


def test_a_report_calls_nobody() -> None:
    said = escape(report_of_payload({"message": "<!channel> <@U024BE7LH> hi"}, REFUSED, "errors").message)
    assert "<!channel>" not in said and "<@U024BE7LH>" not in said and "hi" in said
