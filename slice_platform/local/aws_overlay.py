"""What stands in front of moto: operations that it lacks or answers unlike AWS, on the same port, by the same protocol.

A request is read and an answer written by botocore's own model of the service, so that a client meets the shapes and
the typed exceptions of AWS. Whatever has no operation here, and every service without one, goes to moto untouched.
"""

import io
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from moto.core.exceptions import ServiceException
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request
from moto.core.serialize import XFormedAttributePicker, get_serializer_class
from moto.core.utils import get_service_model
from moto.iam.models import get_account_id_from
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

_SIGNED_FOR = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")  # key, region, service


@dataclass(frozen=True)
class Caller:
    """Whose account a request is about, and where."""

    account: str
    region: str


Asked: TypeAlias = Mapping[str, Any]
Operation: TypeAlias = Callable[[Asked, Caller], Mapping[str, Any] | None]  # None: moto shall answer
Operations: TypeAlias = Mapping[tuple[str, str], Operation]  # by service and name
Application: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Refused(ServiceException):
    """AWS's answer to a request that it does not carry out: `Refused(code, message)`."""


class Overlay:
    """The WSGI application. The services it has operations of are served one request at a time: moto has no locks."""

    def __init__(self, inner: Application, operations: Operations) -> None:
        self._inner, self._operations = inner, operations
        self._services = {service for service, _ in operations}
        self.lock = threading.RLock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        signed = _SIGNED_FOR.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signed is None or signed[3] not in self._services:
            return self._inner(environ, start)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        request = Request({**environ, "wsgi.input": io.BytesIO(body)})
        with self.lock:
            caller = Caller(get_account_id_from(signed[1]), signed[2])
            answer = self._answer(signed[3], request, body, caller)
            return list((answer or self._inner)(environ, start))

    def _answer(self, service: str, request: Request, body: bytes, caller: Caller) -> Response | HTTPException | None:
        """None where moto shall answer."""
        name = request.headers.get("X-Amz-Target", "").rpartition(".")[2] or request.values.get("Action", "")
        operation = self._operations.get((service, name))
        if operation is None:
            return None
        model = get_service_model(service).operation_model(name)
        protocol = model.service_model.metadata["protocol"]
        asked = PROTOCOL_PARSERS[protocol](model).parse({
            "method": request.method, "values": request.values, "headers": request.headers, "body": body,
            "url_path": request.path, "url_params": {},
        })  # fmt: skip
        writer = get_serializer_class(service, protocol)(model, value_picker=XFormedAttributePicker())
        try:
            found: object = operation(asked, caller)
        except ServiceException as refused:
            found = refused
        except HTTPException as refused:  # as moto's older parts refuse
            return refused
        if found is None:
            return None
        written = writer.serialize(found)
        return Response(written["body"], written["status_code"], dict(written["headers"]))
