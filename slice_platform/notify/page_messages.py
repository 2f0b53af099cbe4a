"""The messages of a channel on disk: one line of JSON each, oldest first. The pages are only made from them."""

import json
import os
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from slice_platform.errors import NotificationRefused

MESSAGES = "messages.jsonl"
_TS = re.compile(rb'^\{"ts": "(\d+\.\d{6})"', re.MULTILINE)  # how each line begins
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Attachment:
    """A file that lies at `path`, relative to the channel's folder. `name` and `title` are as they were given."""

    name: str
    title: str
    path: str


@dataclass(frozen=True)
class Message:
    """`ts` is its time, and what it is known by. `thread` is the `ts` of the message that it stands below."""

    ts: str
    text: str
    key: str | None = None
    thread: str | None = None
    edited_ts: str | None = None
    file: Attachment | None = None

    @property
    def at(self) -> datetime:
        return time_of(self.ts)


@dataclass(frozen=True)
class Channel:
    """How many messages a channel has, replies and files among them, and when the last one came."""

    name: str
    messages: int
    last_at: datetime


def read_messages(folder: Path) -> list[Message]:
    """All messages of a channel, oldest first; none where there is no such channel.

    Raises:
        NotificationRefused: a line is no message, so somebody has changed the file.
    """
    path = folder / MESSAGES
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return [_parsed(line, f"{path}:{number}") for number, line in enumerate(lines, start=1)]


def write_messages(folder: Path, messages: list[Message]) -> None:
    """The channel has these messages. Who reads meanwhile, or after a crash, sees the old ones or the new ones."""
    lines = (json.dumps(asdict(message)) + "\n" for message in messages)
    replace_file(folder / MESSAGES, "".join(lines).encode())


def list_channels(folder: Path) -> list[Channel]:
    """The channels that have messages, by name. It reads over damage: only the channel that has it fails from it."""
    found = {path.parent.name: _TS.findall(path.read_bytes()) for path in sorted(folder.glob(f"*/{MESSAGES}"))}
    return [Channel(name, len(all_ts), time_of(all_ts[-1].decode())) for name, all_ts in found.items() if all_ts]


def next_ts(messages: list[Message], now: datetime) -> str:
    """Now as Slack writes it; later than every message, even where the clock was set back."""
    return max([ts_of(now), *(_after(message.ts) for message in messages[-1:])])


def ts_of(at: datetime) -> str:
    """Slack's way to write a time: seconds since 1970, with six digits behind the point."""
    return _as_ts((at - _EPOCH) // datetime.resolution)


def time_of(ts: str) -> datetime:
    return _EPOCH + datetime.resolution * int(ts.replace(".", ""))


def _after(ts: str) -> str:
    return _as_ts(int(ts.replace(".", "")) + 1)


def _as_ts(microseconds: int) -> str:
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


def replace_file(path: Path, content: bytes) -> None:
    """The file has this content, durably: all of it or, if we die here, none. The caller keeps others from writing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.new")  # what a crash leaves here, the next change overwrites
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def _parsed(line: str, place: str) -> Message:
    try:
        found = json.loads(line)
        file = found.pop("file")
        message = Message(**found, file=Attachment(**file) if file else None)
        time_of(message.ts)  # everything stands on it
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NotificationRefused(
            f"Reading {place}: {line[:100]!r} is no message ({error}). Move the file aside, and a new one begins.",
            code="damaged_page",
        ) from error
    return message
