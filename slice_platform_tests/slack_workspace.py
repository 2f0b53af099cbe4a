"""What a workspace of Slack knows and answers, as far as the platform asks. It takes one call at a time."""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

Arguments: TypeAlias = Mapping[str, Any]  # of JSON, or of a form: then every value is text
Act: TypeAlias = Callable[[Arguments], dict[str, Any]]
_MOST_POSTED, _MOST_UPDATED = 40_000, 4_000  # characters
_SCOPES = {"channels:history", "channels:read", "chat:write", "files:write", "groups:history", "groups:read"}


class Refusal(Exception):  # noqa: N818 -- an answer of Slack, not an error of ours
    """`{"ok": false, "error": code}`, and what else Slack tells."""

    def __init__(self, code: str, **more: object) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


@dataclass
class SentFile:
    """A file whose address was asked for; `content` is None until its bytes came."""

    id: str
    name: str
    length: int
    title: str = ""
    content: bytes | None = None
    is_complete: bool = False


@dataclass
class Message:
    """A message as people see it; `edits` is how often its text was changed."""

    ts: str
    text: str
    thread_ts: str | None = None
    metadata: dict[str, Any] | None = None
    files: tuple[SentFile, ...] = ()
    edits: int = 0

    @property
    def key(self) -> str | None:
        return self.metadata.get("event_payload", {}).get("key") if self.metadata else None

    def as_json(self, *, with_metadata: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {"type": "message", "ts": self.ts, "text": self.text, "bot_id": "B00000001"}
        if self.thread_ts:
            shown["thread_ts"] = self.thread_ts
        if self.metadata and with_metadata:
            shown["metadata"] = self.metadata
        if self.files:
            shown["files"] = [{"id": one.id, "name": one.name, "title": one.title} for one in self.files]
        return shown | ({"edited": {"ts": self.ts}} if self.edits else {})


@dataclass
class Channel:
    """A channel, and whether the app is in it."""

    id: str
    name: str
    is_member: bool = True
    is_archived: bool = False
    is_private: bool = False
    messages: list[Message] = field(default_factory=list)

    def message(self, ts: object, code: str) -> Message:
        found = next((one for one in self.messages if one.ts == ts), None)
        if found is None:
            raise Refusal(code)
        return found


@dataclass
class Workspace:
    """`page_size` caps every page, `clock` gives messages their time, `scopes` is what the app may do."""

    url: str = ""
    channels: list[Channel] = field(default_factory=list)
    files: dict[str, SentFile] = field(default_factory=dict)
    scopes: set[str] = field(default_factory=_SCOPES.copy)
    page_size: int = 1_000
    clock: Callable[[], float] = time.time
    _last_micros: int = 0
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def add_channel(self, name: str, *, member: bool = True, archived: bool = False, private: bool = False) -> str:
        """A new channel; its id."""
        channel = Channel(f"C{next(self._numbers):010}", name, member, archived, private)
        self.channels.append(channel)
        return channel.id

    def find(self, name_or_id: object, *, by_name: bool = True) -> Channel | None:
        """None where there is none; `by_name=False` takes ids alone, as most of Slack's methods do."""
        name = str(name_or_id).removeprefix("#") if by_name else None
        return next((one for one in self.channels if name_or_id == one.id or name == one.name), None)

    def answer(self, method: str, asked: Arguments) -> dict[str, Any]:
        """What Slack answers: `ok` and more, or the code of an error."""
        scope, act = self._methods().get(method, ("", _unknown))
        try:
            self._check_scope(scope)
            return {"ok": True, **act(asked)}
        except Refusal as refusal:
            return refusal.answer

    def _methods(self) -> dict[str, tuple[str, Act]]:
        """The scope that each needs, and what it does."""
        return {
            "auth.test": ("", lambda _: {"user_id": "U00000001", "team": "slice", "bot_id": "B00000001"}),
            "chat.postMessage": ("chat:write", self._post),
            "chat.update": ("chat:write", self._update),
            "conversations.list": ("channels:read", self._list),
            "conversations.history": ("channels:history", self._history),
            "conversations.replies": ("channels:history", self._replies),
            "files.getUploadURLExternal": ("files:write", self._upload_url),
            "files.completeUploadExternal": ("files:write", self._complete),
        }

    def _check_scope(self, scope: str) -> None:
        if scope and scope not in self.scopes:
            raise Refusal("missing_scope", needed=scope, provided=",".join(sorted(self.scopes)))

    def _open(self, asked: object, *, by_name: bool = False, to_write: bool = True) -> Channel:
        """The channel, if the app may write to it, or else read it."""
        channel = self.find(asked, by_name=by_name)
        if channel is None or (channel.is_private and not channel.is_member):
            raise Refusal("channel_not_found")
        if not channel.is_member:
            raise Refusal("not_in_channel")
        if to_write and channel.is_archived:
            raise Refusal("is_archived")
        return channel

    def _add(self, channel: Channel, message: Message) -> Message:
        if message.thread_ts:
            message.thread_ts = channel.message(message.thread_ts, "thread_not_found").thread_ts or message.thread_ts
        self._last_micros = max(int(self.clock() * 1e6), self._last_micros + 1)
        message.ts = f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06}"
        channel.messages.append(message)
        return message

    # --- methods

    def _post(self, asked: Arguments) -> dict[str, Any]:
        channel, text = self._open(asked.get("channel"), by_name=True), _text(asked, _MOST_POSTED)
        metadata = asked.get("metadata")
        parsed = json.loads(metadata) if isinstance(metadata, str) else metadata
        message = self._add(channel, Message("", text, asked.get("thread_ts"), parsed))
        return {"channel": channel.id, "ts": message.ts, "message": message.as_json(with_metadata=True)}

    def _update(self, asked: Arguments) -> dict[str, Any]:
        channel, text = self._open(asked.get("channel")), _text(asked, _MOST_UPDATED)
        message = channel.message(asked.get("ts"), "message_not_found")
        message.edits += message.text != text
        message.text = text
        return {"channel": channel.id, "ts": message.ts, "text": text}

    def _list(self, asked: Arguments) -> dict[str, Any]:
        types = str(asked.get("types", "public_channel")).split(",")
        if "private_channel" in types:
            self._check_scope("groups:read")
        shown = [
            one
            for one in self.channels
            if ("private_channel" in types and one.is_member if one.is_private else "public_channel" in types)
            and not (one.is_archived and _is_true(asked.get("exclude_archived")))
        ]
        page, more = self._page([one.id for one in shown], asked)
        keys = ("id", "name", "is_member", "is_archived", "is_private")
        return {"channels": [{key: getattr(one, key) for key in keys} for one in shown if one.id in page], **more}

    def _history(self, asked: Arguments) -> dict[str, Any]:
        channel = self._open(asked.get("channel"), to_write=False)
        top = [one for one in channel.messages if one.thread_ts is None and _is_newer(one, asked)]
        return self._messages(top[::-1], asked)

    def _replies(self, asked: Arguments) -> dict[str, Any]:
        channel = self._open(asked.get("channel"), to_write=False)
        root = channel.message(asked.get("ts"), "thread_not_found")
        below = [one for one in channel.messages if one.thread_ts == root.ts and _is_newer(one, asked)]
        return self._messages([root, *below], asked)

    def _messages(self, messages: Sequence[Message], asked: Arguments) -> dict[str, Any]:
        page, more = self._page([one.ts for one in messages], asked)
        with_metadata = _is_true(asked.get("include_all_metadata"))
        shown = [one.as_json(with_metadata=with_metadata) for one in messages if one.ts in page]
        return {"messages": shown, "has_more": bool(more["response_metadata"]["next_cursor"]), **more}

    def _page(self, ids: list[str], asked: Arguments) -> tuple[set[str], dict[str, Any]]:
        """The ids of a page. A cursor names the last of the page before: what comes in meanwhile shifts nothing."""
        after = base64.b64decode(str(asked.get("cursor") or "")).decode().removeprefix("after:")
        if after and after not in ids:
            raise Refusal("invalid_cursor")
        start = ids.index(after) + 1 if after else 0
        end = start + min(int(asked.get("limit") or 100), self.page_size)
        cursor = base64.b64encode(f"after:{ids[end - 1]}".encode()).decode() if end < len(ids) else ""
        return set(ids[start:end]), {"response_metadata": {"next_cursor": cursor}}

    def _upload_url(self, asked: Arguments) -> dict[str, Any]:
        if int(asked.get("length") or 0) < 1:
            said = ["[ERROR] must be greater than 1 [json-pointer:/length]"]
            raise Refusal("invalid_arguments", response_metadata={"messages": said})
        file = SentFile(f"F{next(self._numbers):010}", str(asked["filename"]), int(asked["length"]))
        self.files[file.id] = file
        return {"file_id": file.id, "upload_url": f"{self.url}upload/v1/{file.id}"}

    def take_bytes(self, file_id: str, content: bytes) -> bool:
        """The bytes of a file came; False where Slack does not want them."""
        file = self.files.get(file_id)
        if file is None or len(content) != file.length:
            return False
        file.content = content
        return True

    def _complete(self, asked: Arguments) -> dict[str, Any]:
        channel = self._open(asked.get("channel_id"))
        wanted = json.loads(asked["files"]) if isinstance(asked["files"], str) else asked["files"]
        files = [self.files.get(one["id"]) for one in wanted]
        ready = [one for one in files if one is not None and one.content is not None and not one.is_complete]
        if len(ready) < len(files):
            raise Refusal("file_not_found")
        message = Message("", str(asked.get("initial_comment", "")), asked.get("thread_ts"), files=tuple(ready))
        self._add(channel, message)
        for file, one in zip(ready, wanted, strict=True):
            file.title, file.is_complete = one.get("title", file.name), True
        return {"files": [{"id": one.id, "title": one.title} for one in ready]}


def _unknown(_: Arguments) -> dict[str, Any]:
    raise Refusal("unknown_method")


def _text(asked: Arguments, most: int) -> str:
    text = str(asked.get("text") or "")
    if not text.strip():
        raise Refusal("no_text")
    if len(text) > most:
        raise Refusal("msg_too_long")
    return text


def _is_true(value: object) -> bool:
    return str(value).lower() in ("1", "true")


def _is_newer(message: Message, asked: Arguments) -> bool:
    return float(message.ts) > float(asked.get("oldest") or 0)
