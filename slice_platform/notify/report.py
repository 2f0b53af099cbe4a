"""What is told in the error channel of a notification that could not be sent."""

import json

from slice_platform.errors import NotificationRefused
from slice_platform.notify.kept import Kept
from slice_platform.notify.notification import Notification
from slice_platform.notify.redact import redact, redacted
from slice_platform.notify.slack_text import code, quoted

_MOST_CHARACTERS = 1_500  # of the payload


def report_of(one: Kept, refused: NotificationRefused, channel: str) -> Notification:
    """The report of a notification of the outbox; the same one for the same reason."""
    payload = {"heading": one.heading, "message": one.message, "slack_channel": one.channel}
    return _report(payload | ({"attachments": list(one.attachments)} if one.attachments else {}), refused, channel)


def report_of_payload(payload: object, refused: NotificationRefused, channel: str) -> Notification:
    """The report of a document that is no payload."""
    return _report(payload, refused, channel)


def _report(payload: object, refused: NotificationRefused, channel: str) -> Notification:
    shown = redact(payload) if isinstance(payload, str) else json.dumps(redacted(payload), indent=2, default=repr)
    more = "\n..." if len(shown) > _MOST_CHARACTERS else ""
    return Notification(
        channel,
        f"{quoted(str(refused))}\n{code(shown[:_MOST_CHARACTERS] + more)}",
        heading="A notification could not be sent",
        fingerprint=f"report {refused.code} {shown}",
        is_report=True,
    )
