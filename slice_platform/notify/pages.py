"""Where no Slack is configured: each channel is a folder with a page that shows what Slack would show."""

import fcntl
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from slice_platform.errors import NotificationRefused, SlackUnavailable
from slice_platform.notify.chat import File, Posted
from slice_platform.notify.page_files import safe_name
from slice_platform.notify.page_html import channel_page, index_page
from slice_platform.notify.page_messages import (
    MESSAGES,
    Attachment,
    Message,
    list_channels,
    next_ts,
    read_messages,
    replace_file,
    ts_of,
    write_messages,
)

_CHANNEL = re.compile(r"[a-z0-9_-]{1,80}|[CGD][A-Z0-9]{8,20}")  # names, and ids
_PAGE = "index.html"
_LOCK_SECONDS = 10.0  # a change takes a few milliseconds: who waits longer waits for a process that was stopped
_POLL_SECONDS = 0.005


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class PageChat:
    """A `Chat` in a folder. Any number of processes may write to it; each change is there wholly or not at all.

    `<channel>/messages.jsonl` counts. A page that a crash has left behind is made anew by the channel's next change,
    also by one that changes nothing.
    """

    folder: Path
    now: Callable[[], datetime] = _utc_now
    seconds_between = 0.0  # a disk takes as many as come

    def channel_id(self, channel: str) -> str:
        """The name without `#`. Every name that Slack would take is a channel.

        Raises:
            NotificationRefused: Slack would not take it.
        """
        name = channel.removeprefix("#")
        if not _CHANNEL.fullmatch(name):
            raise NotificationRefused(
                f"Notifying the channel {channel[:100]!r}: its page cannot be called so. Expected are 1 to 80 of "
                "a-z, 0-9, - and _, or an id. Give the channel's name.",
                code="channel_not_found",
            )
        return name

    def post(self, channel: str, text: str, *, key: str, thread: str | None = None) -> Posted:
        """Post once: where the channel has a message with this key, that one is returned and stays as it is."""
        name = self.channel_id(channel)
        with self._changing(name) as messages:
            there = next((one for one in messages if one.key == key), None)
            if there:
                return Posted(name, there.ts)
            root = thread and _existing_root(messages, thread, name)
            messages.append(Message(next_ts(messages, self.now()), text, key, root))
        return Posted(name, messages[-1].ts)

    def update(self, posted: Posted, text: str) -> None:
        """The message has this text, and is marked as edited where it had another."""
        name = self.channel_id(posted.channel_id)
        with self._changing(name) as messages:
            place = _place(messages, posted.ts, name)
            if messages[place].text != text:
                messages[place] = replace(messages[place], text=text, edited_ts=ts_of(self.now()))

    def upload(self, file: File, *, below: Posted) -> None:
        """The file lies in the thread, once: a second one of the same title there is the first come again."""
        name = self.channel_id(below.channel_id)
        with self._changing(name) as messages:
            root = _existing_root(messages, below.ts, name)
            if _has_file(messages, file.title, root):
                return
            ts = next_ts(messages, self.now())
            path = f"files/{ts}/{safe_name(file.name)}"
            replace_file(self.folder / name / path, file.content)
            messages.append(Message(ts, "", thread=root, file=Attachment(file.name, file.title, path)))

    def find(self, key: str, *, channel_id: str, since: datetime, thread: str | None = None) -> Posted | None:
        """The message with this key. No thread means anywhere in the channel."""
        name = self.channel_id(channel_id)
        with _told(self.folder):
            messages = read_messages(self.folder / name)
        root = thread and _root(messages, thread)
        found = (one for one in messages if one.key == key and one.at >= since and (root is None or one.thread == root))
        return next((Posted(name, one.ts) for one in found), None)

    def has_file(self, title: str, *, below: Posted) -> bool:
        name = self.channel_id(below.channel_id)
        with _told(self.folder):
            messages = read_messages(self.folder / name)
        return _has_file(messages, title, _root(messages, below.ts))

    @contextmanager
    def _changing(self, name: str) -> Iterator[list[Message]]:
        """What becomes of the list becomes of the channel, and then of the pages; nothing where the caller fails."""
        with _told(self.folder), self._alone():
            messages = read_messages(self.folder / name)
            before = list(messages)
            yield messages
            if messages != before:
                write_messages(self.folder / name, messages)
            self._render(name, messages)

    def _render(self, name: str, messages: list[Message]) -> None:
        replace_file(self.folder / name / _PAGE, channel_page(name, messages, self.folder / name))
        channels = [one for one in list_channels(self.folder) if _CHANNEL.fullmatch(one.name)]
        replace_file(self.folder / _PAGE, index_page(channels))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + _LOCK_SECONDS
        with (self.folder / ".lock").open("wb") as file:
            while not _take(file.fileno()):
                if time.monotonic() >= deadline:
                    raise SlackUnavailable(
                        f"Another process has held {str(self.folder / '.lock')!r} for {_LOCK_SECONDS:.0f} s; expected "
                        "a few milliseconds. Look for one that was stopped (`fuser` names it)."
                    )
                time.sleep(_POLL_SECONDS)
            yield


def _place(messages: list[Message], ts: str, channel: str) -> int:
    for place, message in enumerate(messages):
        if message.ts == ts:
            return place
    raise NotificationRefused(
        f"Looking for the message {ts!r} in #{channel}: it is gone. Expected is a line of {MESSAGES} with "
        "this ts: was the file changed? A count or a file that was to be added is not shown.",
        code="message_not_found",
    )


def _existing_root(messages: list[Message], ts: str, channel: str) -> str:
    """The message that the thread of a message begins with: threads are one level deep."""
    return messages[_place(messages, ts, channel)].thread or ts


def _root(messages: list[Message], ts: str) -> str:
    """As `_existing_root`; a message that is gone is taken for the beginning of its thread."""
    return next((one.thread for one in messages if one.ts == ts and one.thread), ts)


def _has_file(messages: list[Message], title: str, root: str) -> bool:
    return any(one.file and one.file.title == title and one.thread == root for one in messages)


def _take(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What the disk does not do is told as Slack's not answering: the outbox tries again."""
    try:
        yield
    except OSError as error:
        raise SlackUnavailable(
            f"Keeping the pages of the channels in {str(folder)!r}: {error}. Expected is a folder that can be written; "
            "look at the disk and at its rights."
        ) from error
