"""Answers of AWS that the local one never gives: set, or changed, by the hooks botocore has for each call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse

from slice_platform.aws import AwsAccess, client
from slice_platform_tests.ops.ami.aws_faults import answer


@contextmanager
def changed(access: AwsAccess, service: str, call: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """What AWS answers to this call is changed before our code reads it."""

    def hook(parsed: dict[str, Any], **_: Any) -> None:
        change(parsed)

    with _hooked(access, service, f"after-call.{service}.{call}", hook):
        yield


@contextmanager
def refused(
    access: AwsAccess, service: str, call: str, code: str, *, times: int = 1, status: int = 400
) -> Iterator[None]:
    """AWS refuses the next of these calls with this code."""
    left = [code] * times

    def hook(request: Any, **_: Any) -> AWSResponse | None:
        return answer(request, status, left.pop()) if left else None

    with _hooked(access, service, f"before-send.{service}.{call}", hook):
        yield


@contextmanager
def before(access: AwsAccess, service: str, call: str, do: Callable[[], object]) -> Iterator[None]:
    """Right before the first of these calls somebody else does this."""
    left = [do]

    def hook(**_: Any) -> None:
        if left:
            left.pop()()

    with _hooked(access, service, f"before-call.{service}.{call}", hook):
        yield


@contextmanager
def _hooked(access: AwsAccess, service: str, event: str, hook: Callable[..., Any]) -> Iterator[None]:
    events = client(service, access).meta.events
    events.register_first(event, hook)
    try:
        yield
    finally:
        events.unregister(event, hook)
