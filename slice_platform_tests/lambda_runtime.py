"""Lambda's Invoke, which moto would start Docker for: the zip that was uploaded runs in an interpreter of its own.

That has the packages of the zip, and those that AWS's runtime brings; nothing else of this machine.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moto.awslambda.models import lambda_backends

_INVOKE = re.compile(r"/2015-03-31/functions/(?P<name>[^/]+)/invocations")
_OF_AWS = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")
_RUN = """
import importlib, json, sys
asked = json.load(sys.stdin)
module, _, name = asked["handler"].rpartition(".")
context = type("Context", (), {"aws_request_id": asked["request_id"]})
try:
    answer, failed = getattr(importlib.import_module(module), name)(asked["event"], context), False
except Exception as error:
    answer, failed = {"errorType": type(error).__name__, "errorMessage": str(error)}, True
print(json.dumps({"answer": answer, "failed": failed}))
"""


class LambdaRuntime:
    """The WSGI application in front of moto's."""

    def __init__(self, inner: Callable[..., Any]) -> None:
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        found = _INVOKE.fullmatch(environ["PATH_INFO"])
        if found is None:
            answer: Iterable[bytes] = self._inner(environ, start)
            return answer
        event = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])) or b"null")
        done = _invoke(found["name"], event, environ.get("HTTP_X_TEST_REQUEST_ID") or str(uuid.uuid4()))
        body = json.dumps(done["answer"]).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start("200 OK", [*headers, ("X-Amz-Function-Error", "Unhandled")] if done["failed"] else headers)
        return [body]


def _invoke(name: str, event: object, request_id: str) -> dict[str, Any]:
    function = lambda_backends["123456789012"]["eu-central-1"].get_function(name)
    with tempfile.TemporaryDirectory(prefix="lambda-") as folder:
        zipfile.ZipFile(io.BytesIO(function.code_bytes)).extractall(Path(folder) / "task")
        for package in _OF_AWS:
            _link(package, Path(folder) / "runtime")
        paths = os.pathsep.join([f"{folder}/task", f"{folder}/runtime"])
        asked = {"handler": function.handler, "event": event, "request_id": request_id}
        kept = {name: os.environ[name] for name in os.environ if name.startswith("AWS_")}
        done = subprocess.run(
            [sys.executable, "-S", "-c", _RUN], input=json.dumps(asked), capture_output=True, text=True, check=False,
            cwd=f"{folder}/task", env={**kept, **function.environment_vars, "PYTHONPATH": paths, "HOME": folder},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _link(package: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    spec = find_spec(package)
    if spec is not None and spec.origin is not None:
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (folder / source.name).symlink_to(source)
