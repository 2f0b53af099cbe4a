"""What the probe says of a service is what Heartbeat would say, and it never waits beyond the timeout."""

import gzip
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler

import pytest

from slice_platform.ops.pulse.monitor_file import read_monitors
from slice_platform.ops.pulse.probe import checks_of, due, probe
from slice_platform.ops.pulse.uptime import Result, Status
from slice_platform_tests.ops.pulse.monitors import http, tcp
from slice_platform_tests.ops.pulse.servers import Web, certificate, running_tcp, running_web

ANSWERS = {
    "/": (200, {"X-Build": "7"}, b"all is well"),
    "/odd": (418, {}, b""),
    "/broken": (500, {}, b"stack trace"),
    "/away": (302, {"Location": "/away/again"}, b""),
    "/away/again": (307, {"Location": "/"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
}


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with running_web(ANSWERS) as running:
        yield running


def found(text: str) -> list[Result]:
    file = read_monitors("shop.yml", text.encode())
    assert file.is_valid, file.problems
    return probe(checks_of(file.monitors), threads=4)


def said(text: str) -> str:
    (result,) = found(text)
    return f"{result.status}: {result.error}" if result.error else result.status.value


@pytest.mark.parametrize(
    ("path", "lines", "expected"),
    [
        ("/", [], "up"),
        ("/odd", [], "down: it answered 418, expected is a status below 400"),
        ("/odd", ["check.response.status: [200, 418]"], "up"),
        ("/", ["check.response.status: 204"], "down: it answered 200, expected is 204"),
        ("/", ["check.response.headers: {x-build: 7}", "check.response.body: 'al+ is'"], "up"),
        ("/", ["check.response.headers: {X-Build: 8}"], "down: its header X-Build is '7', expected is '8'"),
        ("/", ["check.response.body: [gone, lost]"], "down: its body has none of 'gone', 'lost'"),
        ("/", ["check.response.body: {negative: [well]}"], "down: its body has 'well', which is a sign of trouble"),
        ("/away", [], "up"),
        ("/away", ["max_redirects: 2", "check.response.body: well"], "up"),
        ("/away", ["max_redirects: 1"], "down: it redirects more than 1 times"),
        ("/loop", ["max_redirects: 3"], "down: it redirects more than 3 times"),
        ("/", ["check.response.json: [{description: d, expression: 'a == 1'}]"], "unknown: all else is as expected"),
        ("/broken", ["check.response.json: [{description: d, expression: 'a == 1'}]"], "down: it answered 500"),
        ("/", ["proxy_url: http://proxy:1/"], "unknown: only Heartbeat can check it: it has proxy_url"),
    ],
)
def test_an_answer_is_judged_as_the_monitor_says(web: Web, path: str, lines: list[str], expected: str) -> None:
    assert said(http("shop", f"{web.url}{path}", *lines)).startswith(expected)


def test_a_request_is_made_as_the_monitor_says(web: Web) -> None:
    web.asked.clear()
    request = "{method: post, body: hello, headers: {X-From: pulse}, compression: {type: gzip, level: 3}}"
    assert said(http("shop", f"{web.url}/", "username: ann", "password: pw", f"check.request: {request}")) == "up"
    ((method, path, headers, body),) = web.asked
    assert (method, path, headers["X-From"], gzip.decompress(body)) == ("POST", "/", "pulse", b"hello")
    assert headers["Authorization"] == "Basic YW5uOnB3" and headers["Host"] == web.url.removeprefix("http://")


def test_another_host_learns_no_password_by_a_redirect(web: Web) -> None:
    target = web.url.replace("127.0.0.1", "localhost")
    with running_web({"/": (302, {"Location": f"{target}/"}, b"")}) as first:
        web.asked.clear()
        assert said(http("shop", f"{first.url}/", "username: ann", "password: pw", "max_redirects: 1")) == "up"
    assert "Authorization" in first.asked[0][2] and "Authorization" not in web.asked[0][2]


def test_with_mode_all_each_address_has_to_be_up(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(web.url.rsplit(":", 1)[1])
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("127.0.0.9", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    url, host = f"http://shop.test:{port}/", f"shop.test:{port}"
    assert said(http("shop", url)) == "up" == said(tcp("shop", host))
    assert said(http("shop", url, "mode: all")) == "down: 127.0.0.9: connection refused"
    assert said(tcp("shop", host, "mode: all")) == "down: 127.0.0.9: connection refused"


def test_a_password_in_a_url_is_used_and_never_shown(web: Web) -> None:
    web.asked.clear()
    (result,) = found(http("shop", f"{web.url}/".replace("://", "://ann:pw@")))
    assert result.status is Status.UP and result.endpoint.name == f"{web.url}/"
    assert web.asked[0][2]["Authorization"] == "Basic YW5uOnB3"


def test_up_has_a_latency_in_milliseconds_and_down_none(web: Web) -> None:
    up, down = found(http("shop", f"{web.url}/") + http("cart", f"{web.url}/broken"))
    assert up.latency_ms is not None and 0 < up.latency_ms < 5_000 and down.latency_ms is None


def test_every_url_is_checked_on_its_own_and_what_is_disabled_not_at_all(web: Web) -> None:
    text = http("shop", f"{web.url}/', '{web.url}/broken") + http("idle", f"{web.url}/", "enabled: false")
    assert [(one.endpoint.name, one.status) for one in found(text)] == [
        (f"{web.url}/", Status.UP),
        (f"{web.url}/broken", Status.DOWN),
    ]


def test_nobody_there_is_told_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert said(http("shop", f"http://127.0.0.1:{port}/")) == "down: connection refused"
    assert said(tcp("db", f"127.0.0.1:{port}")) == "down: connection refused"
    assert said(http("shop", "http://nowhere.invalid/")).startswith("down: the name 'nowhere.invalid' cannot be")
    assert "ipv4 and ipv6 leave" in said(http("shop", "http://127.0.0.1/", "ipv4: false"))


def drip(handler: BaseRequestHandler) -> None:
    handler.request.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        time.sleep(0.05)
        handler.request.sendall(b"X-More: 1\r\n")


def test_a_server_that_never_ends_is_left_at_the_timeout() -> None:
    with running_tcp(drip) as port:
        begun = time.monotonic()
        assert said(http("shop", f"http://127.0.0.1:{port}/", "timeout: 400ms")) == "down: no answer within 0.4 s"
        assert time.monotonic() - begun < 2


def greet(handler: BaseRequestHandler) -> None:
    handler.request.sendall(b"220 ready\r\n")
    if handler.request.recv(4) == b"QUIT":
        handler.request.sendall(b"221 bye")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "up"),
        (["check.receive: 220 ready"], "up"),
        (["check.receive: 550 no way"], "down: it answered b'220 ready\\r', expected is b'550"),
        (["check: {send: QUIT}"], "up"),
    ],
)
def test_a_tcp_service_says_what_is_expected(lines: list[str], expected: str) -> None:
    with running_tcp(greet) as port:
        assert said(tcp("mail", f"127.0.0.1:{port}", *lines)).startswith(expected)


def test_a_tcp_service_that_says_nothing_is_not_up() -> None:
    with running_tcp(lambda _handler: None) as port:
        assert said(tcp("db", f"127.0.0.1:{port}", "check.receive: hello")) == (
            "down: it closed the connection without an answer"
        )


def test_what_is_no_http_is_told() -> None:
    with running_tcp(lambda handler: handler.request.sendall(b"SSH-2.0-OpenSSH\r\n")) as port:
        assert said(http("shop", f"http://127.0.0.1:{port}/")).startswith("down: what it answers is no HTTP")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "down: its certificate is not accepted: self-signed certificate"),
        (["ssl.verification_mode: none"], "up"),
        (["ssl.certificate_authorities: [CA]"], "down: its certificate is not accepted: IP address mismatch"),
        (["ssl: {certificate_authorities: CA, verification_mode: certificate}"], "up"),
        (["ssl.certificate_authorities: [nowhere.pem]"], "unknown: certificates of the monitor cannot be read"),
    ],
)
def test_a_certificate_is_judged_as_the_monitor_says(tmp_path: Path, lines: list[str], expected: str) -> None:
    pem = certificate(tmp_path, "shop.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    lines = [line.replace("CA", str(pem)) for line in lines]
    with running_web({"/": (200, {}, b"")}, context=context) as web:
        assert said(http("shop", f"{web.url}/", *lines)).startswith(expected)
        assert said(tcp("shop", web.url.replace("https", "tls"), *lines)).startswith(expected)


def test_a_failure_is_tried_again_as_often_as_the_monitor_says(web: Web) -> None:
    web.asked.clear()
    assert said(http("shop", f"{web.url}/broken", "max_attempts: 3")).startswith("down")
    assert len(web.asked) == 3


def test_what_is_due_is_told_by_the_last_check(web: Web) -> None:
    checks = checks_of(read_monitors("a.yml", (http("a", f"{web.url}/") + http("b", f"{web.url}/")).encode()).monitors)
    (first, *_) = probe(checks, threads=1)
    known = {("a", f"{web.url}/"): first.checked_at}
    assert [one.monitor.id for one in due(checks, known, first.checked_at)] == ["b"]


def test_many_endpoints_are_checked_at_once() -> None:
    def think(handler: BaseRequestHandler) -> None:
        time.sleep(0.3)
        handler.request.sendall(b"x")

    with running_tcp(think) as port:
        text = "".join(tcp(f"m{n}", f"127.0.0.1:{port}", "check.receive: x") for n in range(8))
        file = read_monitors("a.yml", text.encode())
        begun = time.monotonic()
        assert {one.status for one in probe(checks_of(file.monitors), threads=8)} == {Status.UP}
        assert time.monotonic() - begun < 1.5  # one after the other they would take 2.4 s
