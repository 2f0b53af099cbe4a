"""Faults of AWS at any call of the code under test, and deaths of it: by the hooks botocore has for its requests."""

import json
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.request import Request, urlopen

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from slice_platform.aws import AwsAccess, client
from slice_platform_tests.crashes import SimulatedCrash

Fault: TypeAlias = Literal["throttled", "refused", "timed out", "answer lost", "killed before", "killed after"]
_CODES = {"throttled": (503, "RequestLimitExceeded"), "refused": (403, "UnauthorizedOperation")}
_SERVICES = ("ec2", "autoscaling", "sts")


@dataclass
class Faults:
    """In each attempt the fault meets the first call that it has not met before, told by its way through our code.

    So one attempt after the other gets one call further, until none is left. After a death every call dies.
    """

    fault: Fault
    met: set[str] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)
    _has_struck: bool = False

    def begin(self) -> None:
        """The next attempt."""
        self._counts, self._has_struck = Counter(), False

    def __call__(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        operation = f"{event_name.removeprefix('before-send.')} {_way()}"
        self._counts[operation] += 1
        call = f"{operation} {self._counts[operation]}"
        if self._has_struck or call in self.met:
            if self._has_struck and self.fault.startswith("killed"):
                raise SimulatedCrash
            return None
        self.met.add(call)
        self._has_struck = True
        return self._strike(request)

    def _strike(self, request: Any) -> AWSResponse:
        if self.fault in _CODES:
            return answer(request, *_CODES[self.fault])
        if self.fault in ("answer lost", "killed after"):
            _send(request)
        if self.fault.startswith("killed"):
            raise SimulatedCrash
        raise ReadTimeoutError(endpoint_url=request.url)


@contextmanager
def faulty(access: AwsAccess, faults: Faults) -> Iterator[None]:
    """Clients of this access meet the faults within the block."""
    for service in _SERVICES:
        client(service, access).meta.events.register("before-send", faults)
    try:
        yield
    finally:
        for service in _SERVICES:
            client(service, access).meta.events.unregister("before-send", faults)


def _way() -> str:
    """The lines of our code that led here."""
    ours = [one for one in traceback.extract_stack() if "slice_platform/ops/ami/" in one.filename]
    return " > ".join(f"{Path(one.filename).stem}:{one.lineno}" for one in ours)


def _send(request: Any) -> None:
    """AWS does what it is asked; nobody hears of it."""
    body = request.body.encode() if isinstance(request.body, str) else request.body
    asked = Request(request.url, body, dict(request.headers.items()), method=request.method)  # noqa: S310 -- our own
    urlopen(asked).close()  # noqa: S310 -- our own http


def answer(request: Any, status: int, code: str) -> AWSResponse:
    """An error as the service asked would tell it."""
    asked = request.headers.get("Authorization", b"").decode()
    body = f"<Response><Errors><Error><Code>{code}</Code><Message>as asked</Message></Error></Errors></Response>"
    if "autoscaling" in asked:
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>as asked</Message></Error></ErrorResponse>"
    if "codebuild" in asked:
        body = json.dumps({"__type": code, "message": "as asked"})
    return AWSResponse(request.url, status, {"content-type": "text/xml"}, _Raw(body.encode()))


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content
