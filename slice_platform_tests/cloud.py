"""A stand-in for AWS on the loopback: as moto serves it, with faults in front of it on request."""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, TypeAlias
from urllib.request import Request, urlopen

from moto.glue.models import glue_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from slice_platform_tests.faults import Fault
from slice_platform_tests.lambda_runtime import LambdaRuntime

Kind: TypeAlias = Literal["slow_down", "error", "reset", "hang", "cut", "lost_answer"]  # the last does the work
Answer: TypeAlias = Iterable[bytes]
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-central-1"}
_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_ERROR = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
_STALE = b'{"__type": "ConcurrentModificationException", "Message": "Update table failed due to concurrent changes."}'


@dataclass
class Cloud:
    """The running stand-in. `faults` act from the moment they are added until they are cleared.

    They see requests as `method path`; Glue's path is its operation.
    """

    url: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    hold_seconds: float = 5.0  # how long a request hangs; longer than the client under test waits
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def fresh_bucket(self) -> str:
        import boto3

        name = f"lake-{next(self._numbers)}"
        s3 = boto3.client("s3", endpoint_url=self.url)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return name

    def reset(self) -> None:
        """Forget every bucket, table, fault and request."""
        self.faults.clear()
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()  # noqa: S310 -- our own http
        self.seen.clear()

    @contextmanager
    def failing(self, kind: Kind, pattern: str, *, times: int = 1_000_000, skip: int = 0) -> Iterator[Fault]:
        fault = Fault(kind, pattern, times, skip)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)


class _Faults:
    """The WSGI application in front of moto's."""

    def __init__(self, inner: Callable[..., Any], cloud: Cloud) -> None:
        self._inner, self._cloud, self._lock = inner, cloud, threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rsplit(".", 1)[-1]
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        request = f"{environ['REQUEST_METHOD']} {operation or environ['PATH_INFO'] + query}"
        with self._lock:
            self._cloud.seen.append(request)
            fault = next((one for one in self._cloud.faults if one.strikes(request)), None)
        inner = self._update_table if operation == "UpdateTable" else self._inner
        if fault is None:
            return list(inner(environ, start))
        return self._fail(fault.kind, inner, environ, start)

    def _update_table(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        """Glue's optimistic lock, of which moto takes no notice."""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        asked = json.loads(body)
        with self._lock:
            tables = glue_backends["123456789012"][CREDENTIALS["AWS_DEFAULT_REGION"]]
            now = tables.get_table(asked["DatabaseName"], asked["TableInput"]["Name"]).as_dict()["VersionId"]
            if asked.get("VersionId", now) == now:
                return list(self._inner(environ, start))
        start("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(_STALE)))])
        return [_STALE]

    def _fail(self, kind: str, inner: Callable[..., Any], environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        if kind in ("slow_down", "error"):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            status, body = (
                ("503 Slow Down", _SLOW_DOWN) if kind == "slow_down" else ("500 Internal Server Error", _ERROR)
            )
            start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if kind == "cut":  # half of the answer comes
            body = b"".join(inner(environ, start))
            return _half(body, environ)
        if kind == "hang":
            time.sleep(self._cloud.hold_seconds)
        if kind == "lost_answer":
            list(inner(environ, lambda *_: None))
        _hang_up(environ)
        start("500 Internal Server Error", [("Content-Length", "0")])
        return []


def _half(body: bytes, environ: dict[str, Any]) -> Answer:
    yield body[: len(body) // 2]
    _hang_up(environ)


def _hang_up(environ: dict[str, Any]) -> None:
    with suppress(OSError):  # the client was faster
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)


class _Silent(MotoRequestHandler):
    def log(self, *_: object, **__: object) -> None:
        """Requests are in `Cloud.seen`; a connection that a fault cut is no news."""


@contextmanager
def running_cloud() -> Iterator[Cloud]:
    """Serve S3 and Glue on a free port of the loopback."""
    cloud = Cloud("")
    app = _Faults(LambdaRuntime(DomainDispatcherApplication(create_backend_app)), cloud)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    cloud.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
