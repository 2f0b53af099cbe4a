"""An http monitor: one request, redirects as far as they are allowed, and what of the answer counts as up."""

import base64
import gzip
import http.client
import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urljoin

from slice_platform.ops.pulse.addresses import web_address, without_user
from slice_platform.ops.pulse.monitor import HttpMonitor, HttpResponse
from slice_platform.ops.pulse.network import (
    CannotTellError,
    Deadline,
    NotUpError,
    addresses_of,
    connected,
    secured,
)

_AGENT = "slice-pulse"
_REDIRECTS = (301, 302, 303, 307, 308)
_SECRETS = ("authorization", "cookie")
Address: TypeAlias = tuple[socket.AddressFamily, str]


@dataclass(frozen=True)
class _Request:
    """One request of a chain of redirects."""

    method: str
    url: SplitResult
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def host(self) -> str:
        return self.url.hostname or ""


@dataclass(frozen=True)
class Answer:
    """What came back; the body as far as it is looked at."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


def probe_http(monitor: HttpMonitor, endpoint: str, deadline: Deadline) -> None:
    """Raises NotUpError where it is not up, CannotTellError where that cannot be told."""
    url = web_address(endpoint)
    for answer in _answers(monitor, url, deadline):
        judge(answer, monitor.check.response)
    if monitor.check.response.json_:
        raise CannotTellError("all else is as expected, but check.response.json is judged by Heartbeat alone")


def judge(answer: Answer, wanted: HttpResponse) -> None:
    """Raises NotUpError where the answer is not as wanted; without a wanted status, below 400."""
    if wanted.status and answer.status not in wanted.status:
        expected = " or ".join(map(str, wanted.status))
        raise NotUpError(f"it answered {answer.status}, expected is {expected}")
    if not wanted.status and answer.status >= 400:
        raise NotUpError(f"it answered {answer.status}, expected is a status below 400")
    for name, value in wanted.headers.items():
        if (found := answer.headers.get(name.lower())) != value:
            raise NotUpError(f"its header {name} is {found!r}, expected is {value!r}")
    text = answer.body.decode("utf-8", "replace")
    if wanted.body.positive and not any(re.search(one, text) for one in wanted.body.positive):
        raise NotUpError(f"its body has none of {', '.join(map(repr, wanted.body.positive))}")
    for one in wanted.body.negative:
        if re.search(one, text):
            raise NotUpError(f"its body has {one!r}, which is a sign of trouble")


def _answers(monitor: HttpMonitor, url: SplitResult, deadline: Deadline) -> Iterator[Answer]:
    """The answer of the first address that gives one, or with `mode: all` that of each."""
    addresses = addresses_of(url.hostname or "", _port(url), monitor)
    if monitor.mode == "any":
        yield _followed(monitor, url, addresses, deadline)
        return
    for at in addresses:
        try:
            yield _followed(monitor, url, [at], deadline)
        except NotUpError as error:
            raise NotUpError(f"{at[1]}: {error}") from error


def _followed(monitor: HttpMonitor, url: SplitResult, addresses: Sequence[Address], deadline: Deadline) -> Answer:
    """The answer at the end of the redirects that are allowed."""
    request = _first(monitor, url)
    answer = _asked(monitor, request, addresses, deadline)
    for _ in range(monitor.max_redirects):
        target = answer.headers.get("location")
        if answer.status not in _REDIRECTS or target is None:
            return answer
        request = _redirected(request, answer.status, target)
        answer = _asked(monitor, request, addresses_of(request.host, _port(request.url), monitor), deadline)
    if monitor.max_redirects and answer.status in _REDIRECTS:
        where = without_user(request.url.geturl())
        raise NotUpError(f"it redirects more than {monitor.max_redirects} times, at last from {where}")
    return answer


def _first(monitor: HttpMonitor, url: SplitResult) -> _Request:
    request = monitor.check.request
    body = request.body.encode()
    headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **_authorization(monitor, url)}
    if body and request.compression.type == "gzip":
        body = gzip.compress(body, request.compression.level or 9)
        headers["Content-Encoding"] = "gzip"
    return _Request(request.method, url, {**headers, **request.headers}, body or None)


def _redirected(request: _Request, status: int, target: str) -> _Request:
    """As browsers and Go do it: another host learns no secret, and only 307 and 308 repeat what is not a GET."""
    try:
        url = web_address(urljoin(request.url.geturl(), target))
    except ValueError as error:
        raise NotUpError(f"it redirects to what is no address: {error}") from error
    is_same = url.hostname == request.url.hostname
    headers = {name: value for name, value in request.headers.items() if is_same or name.lower() not in _SECRETS}
    if status in (307, 308) or request.method == "HEAD":
        return replace(request, url=url, headers=headers)
    return _Request("GET", url, headers, None)


def _asked(monitor: HttpMonitor, request: _Request, addresses: Sequence[Address], deadline: Deadline) -> Answer:
    """The answer of the first address that gives one."""
    last = NotUpError("no address was asked")
    for at in addresses:
        try:
            return _asked_at(monitor, request, at, deadline)
        except NotUpError as error:
            last = error
    raise last


def _asked_at(monitor: HttpMonitor, request: _Request, at: Address, deadline: Deadline) -> Answer:
    is_tls = request.url.scheme == "https"
    with (
        connected(*at, _port(request.url), deadline) as plain,
        secured(plain, request.host, monitor.ssl) if is_tls else nullcontext(plain) as connection,
    ):
        try:
            return _exchanged(connection, request, _body_bytes(monitor))
        except (http.client.HTTPException, ValueError) as error:
            deadline.left_seconds()
            raise NotUpError(f"what it answers is no HTTP: {type(error).__name__} {error}".rstrip()) from error


def _exchanged(connection: socket.socket, request: _Request, body_bytes: int) -> Answer:
    asked = http.client.HTTPConnection(request.host, _port(request.url))
    asked.default_port = _port(request.url._replace(netloc=request.host))  # else each Host header names a port
    asked.sock = connection
    target = (request.url.path or "/") + (f"?{request.url.query}" if request.url.query else "")
    asked.request(request.method, target, request.body, dict(request.headers))
    with closing(asked.getresponse()) as got:
        headers = {name.lower(): value for name, value in got.getheaders()}
        return Answer(got.status, headers, got.read(body_bytes) if body_bytes else b"")


def _body_bytes(monitor: HttpMonitor) -> int:
    """How much of the body is looked at: none where nothing is expected of it."""
    body = monitor.check.response.body
    return monitor.response.check_body_max_bytes if body.positive or body.negative else 0


def _authorization(monitor: HttpMonitor, url: SplitResult) -> dict[str, str]:
    user, password = monitor.username or unquote(url.username or ""), monitor.password or unquote(url.password or "")
    if not user and not password:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode('ascii')}"}


def _port(url: SplitResult) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
