"""What the outbox asks of a place where people read: Slack, or pages on the disk of a laptop."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Posted:
    """A message that is there. `ts` is what Slack knows it by within its channel."""

    channel_id: str
    ts: str


@dataclass(frozen=True)
class File:
    """An attachment as it goes out. `title` has the number of its notification, so it is told from others."""

    name: str
    title: str
    content: bytes


class Chat(Protocol):
    """Every call does one thing once. What it was that failed is told by the error, never by a value.

    Raises:
        SlackUnavailable: the same may succeed later.
        NotificationRefused: it will not; `concerns_all` tells whether that goes for every message.
    """

    seconds_between: float  # two calls for one channel

    def channel_id(self, channel: str) -> str:
        """The id of a channel by its name, with or without `#`; an id is returned as it is."""

    def post(self, channel: str, text: str, *, key: str, thread: str | None = None) -> Posted:
        """Post `text` (Slack's mrkdwn, escaped) to a channel by name or id; below the message `thread`, if given.

        The message carries `key`, by which `find` knows it again.
        """

    def update(self, posted: Posted, text: str) -> None:
        """The message has another text."""

    def upload(self, file: File, *, below: Posted) -> None:
        """The file lies in the thread below a message."""

    def find(self, key: str, *, channel_id: str, since: datetime, thread: str | None = None) -> Posted | None:
        """The message that carries `key`, if it was posted since; None also where we may not look."""

    def has_file(self, title: str, *, below: Posted) -> bool:
        """Whether a file of that title lies in the thread below a message; False also where we may not look."""
