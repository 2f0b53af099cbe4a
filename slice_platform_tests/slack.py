"""A stand-in for Slack on the loopback: a workspace over HTTP, and faults in front of it on request.

Clients may be other processes, and may die whenever they like.
"""

import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from slice_platform.notify.slack import SlackChat, slack_client
from slice_platform_tests.faults import Fault
from slice_platform_tests.slack_workspace import Message, Workspace

TOKEN = "xoxb-1234567890-fake-token-of-the-tests"  # noqa: S105 -- of no workspace
_WRITES = {"chat.postMessage", "chat.update", "files.completeUploadExternal"}
_TOLERANCE_SECONDS = 0.02  # requests that were sent a second apart may arrive closer
_HTML = b"<html><body>502 Bad Gateway</body></html>"


@dataclass(frozen=True)
class Call:
    """A call as it came in; `at` is of the monotonic clock of the stand-in."""

    method: str
    asked: Mapping[str, Any]
    at: float


@dataclass(frozen=True)
class Answer:
    """`body` None: the connection ends without one."""

    body: bytes | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class FakeSlack:
    """The running stand-in.

    Faults match methods of Slack; an upload of bytes is `upload/v1/<id>`. Their kinds: rate_limited (429), error (500),
    no_json, hang (longer than the client waits), reset, lost_answer (the work is done, its answer hidden), or any code
    of Slack as `invalid_auth`. `too_fast` names every call that came sooner after another for its channel than allowed.
    """

    url: str
    workspace: Workspace
    token: str = TOKEN
    hold_seconds: float = 3.0  # how long a call hangs; longer than the client under test waits
    retry_after: str = "1"  # what a 429 says
    pace_seconds: float = 1.0
    faults: list[Fault] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    too_fast: list[str] = field(default_factory=list)
    _last: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_channel(self, name: str, *, member: bool = True, archived: bool = False, private: bool = False) -> str:
        """A new channel; its id."""
        with self._lock:
            return self.workspace.add_channel(name, member=member, archived=archived, private=private)

    def invite(self, channel: str) -> None:
        """As `/invite @jarvis` does it."""
        with self._lock:
            found = self.workspace.find(channel)
            assert found is not None, f"no channel {channel!r}"
            found.is_member = True

    def messages(self, channel: str) -> list[Message]:
        """What people see in a channel, by its name or id, the oldest first."""
        with self._lock:
            found = self.workspace.find(channel)
            assert found is not None, f"no channel {channel!r}"
            return [replace(one) for one in found.messages]

    def called(self, pattern: str) -> list[Call]:
        """The calls so far whose method matches."""
        with self._lock:
            return [one for one in self.calls if re.search(pattern, one.method)]

    @contextmanager
    def failing(self, kind: str, pattern: str = "", *, times: int = 1_000_000, skip: int = 0) -> Iterator[Fault]:
        fault = Fault(kind, pattern, times, skip)
        with self._lock:
            self.faults.append(fault)
        try:
            yield fault
        finally:
            with self._lock:
                self.faults.remove(fault)

    def handle(self, method: str, content_type: str, token: str, body: bytes) -> Answer:
        """The answer to one request; the calls of others go on while one hangs."""
        is_upload = method.startswith("upload/")
        call = Call(method, {"bytes": len(body)} if is_upload else _parsed(content_type, body), time.monotonic())
        with self._lock:
            self.calls.append(call)
            self._watch_pace(call)
            fault = next((one for one in self.faults if one.strikes(method)), None)
            if fault is None or fault.kind == "lost_answer":
                answer = self._upload(method, body) if is_upload else self._answer(call, token)
                return answer if fault is None else Answer(None)
        return self._fail(fault.kind)

    def _answer(self, call: Call, token: str) -> Answer:
        if not token:
            return _json({"ok": False, "error": "not_authed"})
        if token != f"Bearer {self.token}":
            return _json({"ok": False, "error": "invalid_auth"})
        return _json(self.workspace.answer(call.method, call.asked))

    def _upload(self, method: str, body: bytes) -> Answer:
        is_taken = self.workspace.take_bytes(method.rsplit("/", 1)[-1], body)
        return Answer(f"OK - {len(body)}".encode()) if is_taken else Answer(b"Bad Request", 400)

    def _fail(self, kind: str) -> Answer:
        if kind == "rate_limited":
            return _json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": self.retry_after})
        if kind == "error":
            return _json({"ok": False, "error": "internal_error"}, 500)
        if kind == "no_json":
            return Answer(_HTML, headers={"Content-Type": "text/html"})
        if kind == "hang":
            time.sleep(self.hold_seconds)
        return Answer(None) if kind in ("hang", "reset") else _json({"ok": False, "error": kind})

    def _watch_pace(self, call: Call) -> None:
        channel = self.workspace.find(call.asked.get("channel") or call.asked.get("channel_id"))
        if call.method not in _WRITES or channel is None:
            return
        passed = call.at - self._last.get(channel.id, float("-inf"))
        if passed < self.pace_seconds - _TOLERANCE_SECONDS:
            self.too_fast.append(f"{call.method} to #{channel.name} after {passed:.3f} s")
        self._last[channel.id] = call.at


def _json(answer: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(
        json.dumps(answer).encode(), status, {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    )


def _parsed(content_type: str, body: bytes) -> dict[str, Any]:
    if content_type.startswith("application/json"):
        return dict(json.loads(body or b"{}"))
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it died: half a call is none
            self.close_connection = True
            return
        method = self.path.partition("?")[0].removeprefix("/api/")
        kind, token = self.headers.get("Content-Type", ""), self.headers.get("Authorization", "")
        answer = self.server.slack.handle(method, kind, token, body)
        self._reset() if answer.body is None else self._send(answer.status, answer.headers, answer.body)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # the client was faster
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()  # with nothing lingering: a reset

    def log_message(self, *_: object) -> None:
        """Calls are in `FakeSlack.calls`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    slack: FakeSlack

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that was killed is no news
            super().handle_error(request, client_address)


@contextmanager
def running_slack(*channels: str) -> Iterator[FakeSlack]:
    """Serve a workspace with these channels on a free port of the loopback."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}/api/"
        server.slack = FakeSlack(url, Workspace(url))
        for name in channels:
            server.slack.add_channel(name)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server.slack
        finally:
            server.shutdown()
            thread.join()


def slack_chat(slack: FakeSlack, *, token: str = TOKEN, timeout_seconds: float = 0.5) -> SlackChat:
    """Slack's own SDK, with little patience, as a chat in this workspace."""
    return SlackChat(slack_client(token, slack.url, timeout_seconds))
