"""Slack as a `Chat`, over its SDK.

slack_sdk is imported late: a laptop without a token has no need of it, and loading definitions must not wait for it.
"""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from slice_platform.errors import NotificationRefused
from slice_platform.notify.chat import File, Posted
from slice_platform.notify.slack_errors import refusal, told

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.web import SlackResponse

_ID = re.compile(r"[CGD][A-Z0-9]{8,}")
_TOKEN = re.compile(r"[!-~]+")  # what a header can carry
_EVENT = "slice_notification"
_CLOCKS_DIFFER_SECONDS = 900
_MOST_CHANNELS, _MOST_MESSAGES = 1_000, 200  # of one page
_MAY_NOT_LOOK = {"channel_not_found", "missing_scope", "not_in_channel", "thread_not_found"}
# Slack refuses a file of 0 bytes ("must be greater than 1 [json-pointer:/length]"). People get a text that says so.
_EMPTY = b"(The file is empty.)\n"
_LOG = logging.getLogger("slice_platform.notify")


def slack_client(token: str, base_url: str = "https://slack.com/api/", timeout_seconds: float = 10.0) -> "WebClient":
    """A client that calls once. The outbox tries again when Slack wants it; a blind retry could double a message.

    What cannot be a token is left out: Slack then says `not_authed`, and no error and no log quotes it.
    """
    from slack_sdk import WebClient  # noqa: PLC0415 -- loading definitions must not wait for it

    client = WebClient(
        token if _TOKEN.fullmatch(token.strip()) else None,
        base_url=base_url,
        timeout=timeout_seconds,  # type: ignore[arg-type] # a socket takes fractions; the SDK hands it on as it is
        retry_handlers=[],
    )
    client.proxy = None  # urllib minds HTTPS_PROXY by itself, and NO_PROXY, which the SDK does not
    return client


class SlackChat:
    """A `Chat` in a workspace. Ids of channels that were looked up are kept as long as it lives."""

    def __init__(self, client: "WebClient") -> None:
        self.seconds_between = 1.0  # Slack's limit: one message a second for each channel
        self._client = client
        self._ids: dict[str, str] = {}

    def channel_id(self, channel: str) -> str:
        """The id of a channel that is not archived. Private ones are seen where the app is a member.

        Raises:
            NotificationRefused: there is none of that name (`channel_not_found`), or names may not be listed.
            SlackUnavailable: Slack did not answer.
        """
        if _ID.fullmatch(channel):
            return channel
        name = channel.removeprefix("#")
        if name not in self._ids:
            self._look_up(name)
        if name not in self._ids:
            raise refusal("channel_not_found", f"Could not look up {_shown(name)!r}", _shown(name))
        return self._ids[name]

    def post(self, channel: str, text: str, *, key: str, thread: str | None = None) -> Posted:
        """A new message, also where there is one with this key: `find` first if that may be."""
        where = _shown(channel)
        with told("post to", where):
            answer = self._client.chat_postMessage(
                channel=where,
                text=text,
                thread_ts=thread,
                unfurl_links=False,
                metadata={"event_type": _EVENT, "event_payload": {"key": key}},
            )
            return Posted(_text_of(answer, "channel"), _text_of(answer, "ts"))

    def update(self, posted: Posted, text: str) -> None:
        with told("update a message in", posted.channel_id):
            self._client.chat_update(channel=posted.channel_id, ts=posted.ts, text=text)

    def upload(self, file: File, *, below: Posted) -> None:
        """The file lies in the thread; where it is empty, a text that says so, under its title."""
        name, content = (file.name, file.content) if file.content else (f"{file.name}.txt", _EMPTY)
        with told(f"upload {file.name!r} to", below.channel_id):
            self._client.files_upload_v2(
                channel=below.channel_id, thread_ts=below.ts, filename=name, title=file.title, content=content
            )

    def find(self, key: str, *, channel_id: str, since: datetime, thread: str | None = None) -> Posted | None:
        """The message with this key in the thread or, where none is given, in the channel outside of threads."""
        oldest = f"{since.timestamp() - _CLOCKS_DIFFER_SECONDS:.6f}"
        found = self._first(
            lambda one: _key_of(one) == key, channel_id, thread, oldest=oldest, include_all_metadata=True
        )
        return None if found is None else Posted(channel_id, found["ts"])

    def has_file(self, title: str, *, below: Posted) -> bool:
        def carries(message: dict[str, Any]) -> bool:
            return any(file.get("title") == title for file in message.get("files") or ())

        return self._first(carries, below.channel_id, below.ts) is not None

    def _look_up(self, name: str) -> None:
        """The id of a channel is known, if there is such a one."""
        try:
            self._list(name, "public_channel,private_channel")
        except NotificationRefused as refused:
            if refused.code != "missing_scope":
                raise
            self._list(name, "public_channel")  # an app that may see no private ones may still post

    def _list(self, name: str, types: str) -> None:
        with told("look up", _shown(name)):
            for one in _each(
                self._client.conversations_list, "channels",
                types=types, exclude_archived=True, limit=_MOST_CHANNELS,
            ):  # fmt: skip
                self._ids[one["name"]] = one["id"]
                if one["name"] == name:
                    return

    def _first(
        self, matches: Callable[[dict[str, Any]], bool], channel_id: str, thread: str | None, **options: Any
    ) -> dict[str, Any] | None:
        """The first message that matches; None also where we may not look, which the log tells."""
        call: Callable[..., SlackResponse] = self._client.conversations_history
        if thread is not None:
            call, options = self._client.conversations_replies, options | {"ts": thread}
        try:
            with told("look for a message in", channel_id):
                found = _each(call, "messages", channel=channel_id, limit=_MOST_MESSAGES, **options)
                return next((one for one in found if matches(one)), None)
        except NotificationRefused as refused:
            if refused.code not in _MAY_NOT_LOOK:
                raise
            _LOG.warning("%s Whether a call came through is not known: a message or file may come twice.", refused)
            return None


def _each(call: Callable[..., "SlackResponse"], field: str, **options: Any) -> Iterator[dict[str, Any]]:
    """What the field holds, over all pages. Not the SDK's own paging: that does not tell a proxy's page from JSON."""
    cursor: str | None = None
    while cursor != "":
        answer = call(cursor=cursor, **options)
        yield from answer[field]
        cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""


def _shown(channel: str) -> str:
    """As Slack takes it and people know it: an id, or the name with `#`."""
    return channel if _ID.fullmatch(channel) else f"#{channel.removeprefix('#')}"


def _text_of(answer: "SlackResponse", field: str) -> str:
    value = answer[field]
    if not isinstance(value, str):
        raise ValueError(field)  # noqa: TRY004 -- `told` makes of it an answer that is not Slack's
    return value


def _key_of(message: dict[str, Any]) -> object:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return payload.get("key") if metadata.get("event_type") == _EVENT else None
