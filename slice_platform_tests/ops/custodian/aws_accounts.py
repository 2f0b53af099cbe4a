"""Three AWS accounts on the loopback, as moto serves them, one that refuses its role, and one that never answers."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.request import Request, urlopen

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from slice_platform_tests.cloud import _Silent

OWN, OTHER, REFUSING, SILENT = "123456789012", "222222222222", "333333333333", "444444444444"
REGION = "ap-south-1"
_HOLD_SECONDS = 30.0  # how long the silent account says nothing; longer than any test waits
_DENIED = (
    b'<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied'
    b"</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>"
)
_UNAUTHORIZED = (
    b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this "
    b"operation.</Message></Error></Errors></Response>"
)


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/custodian"


@dataclass
class Accounts:
    """The running stand-in. Requests that hold what is in `denied` are refused, as EC2 refuses them."""

    url: str = ""
    denied: set[bytes] = field(default_factory=set)
    is_over: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """Forget everything; what moto knows is shared by all of its servers in one process."""
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()  # noqa: S310 -- our own http

    def client(self, service: str, account: str = OWN, region: str = REGION) -> Any:
        import boto3

        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        if account != OWN:
            sts = boto3.client("sts", endpoint_url=self.url, region_name=region, **keys)
            given = sts.assume_role(RoleArn=role(account), RoleSessionName="planting")["Credentials"]
            keys = {
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            }
        return boto3.client(service, endpoint_url=self.url, region_name=region, **keys)


class _Gate:
    """In front of moto: who may assume which role."""

    def __init__(self, inner: Callable[..., Any], accounts: Accounts) -> None:
        self._inner, self._accounts = inner, accounts

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        if b"Action=AssumeRole" in body and REFUSING.encode() in body:
            return _refused(_DENIED, start)
        request = f"{environ['REQUEST_METHOD']} {environ.get('HTTP_HOST')}{environ['PATH_INFO']} ".encode() + body
        if any(one in request for one in self._accounts.denied):
            return _refused(_UNAUTHORIZED, start)
        if b"Action=AssumeRole" in body and SILENT.encode() in body:
            self._accounts.is_over.wait(_HOLD_SECONDS)
        answer: Iterable[bytes] = self._inner(environ, start)
        return answer


def _refused(answer: bytes, start: Callable[..., Any]) -> list[bytes]:
    start("403 Forbidden", [("Content-Type", "text/xml"), ("Content-Length", str(len(answer)))])
    return [answer]


@contextmanager
def running_accounts() -> Iterator[Accounts]:
    """Serve them on a free port of the loopback, with nothing in them."""
    accounts = Accounts()
    app = _Gate(DomainDispatcherApplication(create_backend_app), accounts)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    accounts.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        accounts.reset()
        yield accounts
        accounts.reset()
    finally:
        accounts.is_over.set()
        server.shutdown()
        thread.join()
        server.server_close()
