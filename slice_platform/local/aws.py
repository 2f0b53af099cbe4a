"""The AWS of a laptop: moto on the loopback with an overlay for what it lacks, and a small account in it.

The code that talks to it is that of production; only the endpoint differs. What it does not reproduce is told in
docs/local_aws.md. moto and boto3 are imported when it starts: loading definitions must not wait for them.
"""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from slice_platform.errors import SettingsError

if TYPE_CHECKING:
    from slice_platform.local.aws_overlay import Overlay
    from slice_platform.local.aws_state import Kept

ACCOUNT, OTHER_ACCOUNT, REGION = "123456789012", "222222222222", "ap-south-1"
OTHER_ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/custodian"  # whoever assumes it is in the other account
_HOST = "127.0.0.1"


def environment_at(port: int) -> Mapping[str, str]:
    """The variables with which any AWS SDK finds a local AWS on that port, and no other AWS."""
    return {
        "AWS_ENDPOINT_URL": f"http://{_HOST}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",  # with true, SDKs would go to AWS itself
        **_past_the_proxy(),
    }


def _past_the_proxy() -> Mapping[str, str]:
    """A proxy of this machine is not asked for the loopback; SDKs would, where nobody excepts it."""
    if not any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        return {}
    excepted = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    return dict.fromkeys(("NO_PROXY", "no_proxy"), f"{excepted},{_HOST}" if excepted else _HOST)


@dataclass(frozen=True)
class LocalAws:
    """A running local AWS. Its state is that of the process: two in one process share their accounts."""

    port: int
    _overlay: "Overlay" = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)
    _seeded: list["Kept"] = field(default_factory=list, repr=False)  # the accounts as they were seeded, once they were

    @property
    def endpoint_url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    @property
    def environment(self) -> Mapping[str, str]:
        return environment_at(self.port)

    def client(self, service: str, *, role: str | None = None) -> Any:
        """A client in the account, or in that of `role`; it needs nothing from the environment.

        One with a role is good until the next reset, which forgets who assumed it.
        """
        if role is not None:
            found = self.client("sts").assume_role(RoleArn=role, RoleSessionName="local-aws")["Credentials"]
            return self._new_client(service, found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        if service not in self._clients:
            self._clients[service] = self._new_client(service, "testing", "testing")
        return self._clients[service]

    def _new_client(self, service: str, key: str, secret: str, token: str | None = None) -> Any:
        import botocore.session  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        session = botocore.session.Session()
        session.register_component("data_loader", _loader())
        return session.create_client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint_url,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
        )

    def reset(self, *, seeded: bool = True) -> None:
        """Forget everything; afterwards the accounts are as at the start, or with `seeded=False` empty."""
        from moto.moto_api._internal.models import moto_api_backend  # noqa: PLC0415

        from slice_platform.local.aws_seed import seed_accounts  # noqa: PLC0415
        from slice_platform.local.aws_state import keep, put_back  # noqa: PLC0415

        with self._overlay.lock:
            moto_api_backend.reset()
            if seeded and self._seeded:
                put_back(self._seeded[0])
        if seeded and not self._seeded:
            seed_accounts(self)
            self._seeded.append(keep())


@lru_cache(maxsize=1)
def _loader() -> Any:
    """What botocore knows of the services: read once, not by each client."""
    from botocore.loaders import create_loader  # noqa: PLC0415

    return create_loader()


@contextmanager
def running_local_aws(
    port: int = 0, *, step_seconds: float = 0.0, seeded: bool = True, listening: socket.socket | None = None
) -> Iterator[LocalAws]:
    """Within the block it answers on the loopback, on a free port if `port` is 0, from threads of this process.

    `step_seconds` is how long a step of an instance refresh or of a build takes; with 0 each poll is a step.
    `listening` is a socket that listens already: whoever connected to it is answered once the accounts are seeded.

    Raises:
        SettingsError: moto is not installed, or the port is taken.
    """
    if not is_installed():
        raise SettingsError(
            "Starting the local AWS: the package 'moto' is not installed. Install the extra `local`, or set "
            "AWS_ENDPOINT_URL to one that runs."
        )
    with listening or listening_on(port) as public:
        overlay, handler = _application(step_seconds)
        with listening_on(0) as private, _served(overlay, handler, private) as local:
            local.reset(seeded=seeded)
        with _served(overlay, handler, public) as local:
            yield local


def is_installed() -> bool:
    return find_spec("moto") is not None


def listening_on(port: int) -> socket.socket:
    """A socket that listens on that port of the loopback, on a free one if it is 0.

    Raises:
        SettingsError: the port is taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"Starting the local AWS on port {port!r} of {_HOST}: {error.strerror}. Give it another port, or end what "
            "listens there."
        ) from error
    return listening


@contextmanager
def _served(overlay: "Overlay", handler: Any, listening: socket.socket) -> Iterator[LocalAws]:
    from werkzeug.serving import make_server  # noqa: PLC0415 -- comes with moto

    server = make_server(_HOST, 0, overlay, threaded=True, request_handler=handler, fd=listening.fileno())
    thread = threading.Thread(target=server.serve_forever, name="local-aws", daemon=True)
    thread.start()
    try:
        yield LocalAws(listening.getsockname()[1], overlay)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _application(step_seconds: float) -> tuple["Overlay", Any]:
    """The overlay over moto, and the handler that reads requests for them."""
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )

    from slice_platform.local import aws_builds, aws_groups, aws_images, aws_launch_templates, aws_moto  # noqa: PLC0415
    from slice_platform.local.aws_instance_refresh import InstanceRefreshes  # noqa: PLC0415
    from slice_platform.local.aws_overlay import Overlay  # noqa: PLC0415

    class Silent(MotoRequestHandler):
        def log(self, *_: object, **__: object) -> None:
            """One line for each request helps nobody."""

    aws_moto.install()
    operations = {
        **aws_groups.OPERATIONS,
        **aws_images.OPERATIONS,
        **aws_launch_templates.OPERATIONS,
        **InstanceRefreshes(step_seconds).operations,
        **aws_builds.Builds(step_seconds).operations,
    }
    return Overlay(DomainDispatcherApplication(create_backend_app), operations), Silent
