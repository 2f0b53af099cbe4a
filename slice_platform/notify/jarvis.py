"""The one way in: what is told is kept first, and sent by whoever comes by next.

In a run of Dagster `notify` keeps it and returns; the daemon sends. A command and the Lambda function send at once.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from slice_platform.aws import AwsAccess
from slice_platform.errors import NotificationRefused
from slice_platform.metadata_db import MetadataDb
from slice_platform.notify.attachments import Attachments
from slice_platform.notify.chat import Chat
from slice_platform.notify.delivery import Delivery, Rules
from slice_platform.notify.kept import Kept, Receipt, Standing
from slice_platform.notify.notification import Notification, channel_name
from slice_platform.notify.outbox import Outbox
from slice_platform.notify.pages import PageChat
from slice_platform.notify.redact import redact
from slice_platform.notify.report import report_of_payload
from slice_platform.notify.slack import SlackChat, slack_client
from slice_platform.settings import Settings, load_settings

_BUSY_SECONDS = 5.0  # a data run waits no longer for the outbox
_LOG = logging.getLogger("slice_platform.notify")
_LOG.addHandler(logging.NullHandler())  # who wants to read it sets up logging


@dataclass(frozen=True)
class Jarvis:
    """The outbox of this deployment, and the way from it to people."""

    outbox: Outbox
    attachments: Attachments
    delivery: Delivery
    settings: Settings

    def tell(self, one: Notification) -> Receipt:
        """It is kept until it is sent.

        Raises:
            NotificationRefused: the channel is none.
            LedgerUnavailable, StoreUnavailable, AccessRefused: it could not be kept.
        """
        one, notes = self.attachments.keep(one)
        receipt = self.outbox.store(one, notes=notes)
        if receipt.is_repeat:
            self.attachments.forget(one.attachments)
        if receipt.is_new:
            for note in notes:
                self.report(
                    {"channel": one.channel, "message": one.message}, NotificationRefused(note, code="attachment")
                )
        return receipt

    def report(self, payload: object, refused: NotificationRefused) -> None:
        """The error channel is told of a notification that never came to be."""
        self.outbox.store(report_of_payload(payload, refused, self.settings.notify_error_channel))

    def deliver(self, *, seconds: float, first: str | None = None) -> int:
        """Send for about so long, to the channel `first` before others; how many calls were made."""
        return self.delivery.run(seconds=seconds, first=first)

    def kept(self, receipt: Receipt) -> Kept:
        """The notification, or the message that tells it in its place."""
        kept = self.outbox.get(receipt.id)
        while kept.merged_into is not None:
            kept = self.outbox.get(kept.merged_into)
        return kept

    def standing(self) -> Standing:
        return self.outbox.standing()

    def stuck(self) -> str | None:
        """What to say where notifications wait too long; None where they do not."""
        found, now = self.standing(), datetime.now(UTC)
        if not found.is_stuck(now, self.settings.notify_stuck_seconds):
            return None
        assert found.oldest_at is not None
        since = f"{found.oldest_at:%Y-%m-%d %H:%M:%S} UTC"
        why = found.error or "nobody tries to send them; does the daemon run, with outbox_sensor on?"
        return f"{found.waiting} notifications wait, the oldest since {since}: {why}"


@contextmanager
def open_jarvis(settings: Settings | None = None, *, chat: Chat | None = None) -> Iterator[Jarvis]:
    """Jarvis for the length of the block. `chat` replaces that of the settings."""
    settings = settings or load_settings()
    url = settings.ledger_url
    db = MetadataDb(url, lock_dir=settings.home_dir / "locks", busy_seconds=_BUSY_SECONDS)
    outbox = Outbox(db, window_seconds=settings.notify_window_seconds)
    try:
        attachments = Attachments(
            settings.notify_attachments_root, AwsAccess.of(settings), settings.notify_most_attachment_bytes
        )
        rules = Rules(settings.notify_burst, settings.notify_error_channel)
        delivery = Delivery(outbox, chat or chat_of(settings), attachments, rules)
        yield Jarvis(outbox, attachments, delivery, settings)
    finally:
        outbox.close()


def chat_of(settings: Settings) -> Chat:
    """Slack, or pages on disk where no token is set."""
    if settings.slack_token is None:
        return PageChat(settings.slack_pages_dir)
    token = settings.slack_token.get_secret_value()
    return SlackChat(slack_client(token, settings.slack_base_url, settings.slack_timeout_seconds))


def notify(  # noqa: PLR0913 -- options, each by its name
    channel: str,
    message: str,
    *,
    heading: str | None = None,
    attach: Sequence[str] = (),
    key: str | None = None,
    fingerprint: str | None = None,
    thread: str | None = None,
) -> bool:
    """Tell `channel`: the notification is kept until Slack has it; False where it could not be kept.

    Never raises, and waits for nothing but the outbox: what goes wrong is logged with the text that is then lost.
    `attach` takes paths of files and s3://bucket/key. A second call with the same `key` changes nothing; calls with
    the same `fingerprint` within ten minutes become a count on one message.
    """
    try:
        one = Notification(
            channel_name(channel), message, heading, tuple(attach), fingerprint=fingerprint, thread=thread
        )
        with open_jarvis() as jarvis:
            jarvis.tell(one if key is None else replace(one, key=key))
    except NotificationRefused as refused:
        return _refused(channel, message, refused)
    except Exception:  # noqa: BLE001 -- a data run must not fail because of what it tells
        _LOG.exception("A notification to %r is lost: %s", channel, redact(message))
        return False
    return True


def _refused(channel: str, message: str, refused: NotificationRefused) -> bool:
    _LOG.error("%s", refused)
    try:
        with open_jarvis() as jarvis:
            jarvis.report({"slack_channel": channel, "message": message}, refused)
    except Exception:  # noqa: BLE001 -- a data run must not fail because of what it tells
        _LOG.exception("The report of it is lost, too")
    return False
