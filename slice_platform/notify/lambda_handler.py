"""The AWS Lambda function slice-slack-notifier: whatever may invoke a function may tell people in Slack.

It keeps the notification in the outbox of `SLICE_METADATA_URL` and sends it at once. What Slack does not take now fails
the invocation: AWS invokes an asynchronous one again, with the same request id, which is the notification's key. What
is still not sent then is in the outbox, for the platform's daemon.
"""

import logging
import os
from dataclasses import dataclass, replace
from typing import Any

from slice_platform.errors import NotificationRefused, SlackUnavailable
from slice_platform.notify.jarvis import Jarvis, open_jarvis
from slice_platform.notify.kept import State
from slice_platform.notify.notification import read_payload

_DELIVER_SECONDS = 20.0
_LOG = logging.getLogger("slice_platform.notify")


@dataclass(frozen=True)
class Answer:
    """What who invokes it synchronously gets."""

    status: int
    message: str
    id: int | None = None

    def document(self) -> dict[str, Any]:
        return {"statusCode": self.status, "message": self.message, **({} if self.id is None else {"id": self.id})}


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Send the payload `event`. 200: it is in Slack; 400: it is refused, and the error channel was told why.

    Raises:
        SlackUnavailable: it is kept, and not sent yet.
        LedgerUnavailable, StoreUnavailable: it is not kept.
    """
    os.environ.setdefault("SLICE_HOME", "/tmp/slice")  # noqa: S108 -- all that a function may write to
    with open_jarvis() as jarvis:
        try:
            return _send(jarvis, event, getattr(context, "aws_request_id", None)).document()
        except NotificationRefused as refused:
            _LOG.error("%s", refused)
            jarvis.report(event, refused)
            jarvis.deliver(seconds=_DELIVER_SECONDS)
            return Answer(400, str(refused)).document()


def _send(jarvis: Jarvis, event: object, request_id: str | None) -> Answer:
    payload = read_payload(event)
    one = payload.notification()
    if payload.idempotency_key is None and request_id is not None:
        one = replace(one, key=request_id)
    receipt = jarvis.tell(one)
    jarvis.deliver(seconds=_DELIVER_SECONDS, first=one.channel)
    kept = jarvis.kept(receipt)
    if kept.state is State.REFUSED:
        return Answer(400, kept.error or "refused", kept.id)
    if kept.state is not State.SENT:
        raise SlackUnavailable(f"Notification #{kept.id} is kept, and not sent yet: {jarvis.standing().error}")
    return Answer(200, "sent", kept.id)
