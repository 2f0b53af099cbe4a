"""An image proves itself on one instance, which is gone afterwards whatever happens."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from slice_platform.errors import AccessRefused, ReleaseFailed
from slice_platform.ops.ami.image_test import ImageTrial
from slice_platform.ops.ami.packer_template import Marks
from slice_platform.ops.ami.spec import ImageTest
from slice_platform_tests.ops.ami.planted import COMMIT, Shop, shop  # noqa: F401 -- a fixture
from slice_platform_tests.ops.ami.walker import Walker


def trial(shop: Shop, **spec: Any) -> ImageTrial:  # noqa: F811
    chosen = ImageTest.model_validate({"poll_seconds": 0.01, "timeout_seconds": 5, **spec})
    return ImageTrial(shop.account, chosen, Marks("r1", "shop", "main", COMMIT), shop.told.append)


def any_image(shop: Shop) -> str:  # noqa: F811
    return str(shop.images()[0]["ImageId"])


@contextmanager
def answering(statuses: list[int]) -> Iterator[str]:
    """A health URL that answers with these, one after the other, and then with the last."""

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0) if len(statuses) > 1 else statuses[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/health?of={{private_ip}}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_check_finds_the_instance_in_its_environment(shop: Shop) -> None:  # noqa: F811
    question = 'test -n "$PRIVATE_IP" && echo "$INSTANCE_ID of $IMAGE_ID"'
    trial(shop, check=["sh", "-c", question]).run(image := any_image(shop))
    (said,) = [line for line in shop.told if line.endswith(f"of {image}")]
    assert said.startswith("i-")
    Walker(shop.local).prove()


def test_a_health_url_is_asked_until_it_is_well(shop: Shop) -> None:  # noqa: F811
    with answering([503, 404, 200]) as url:
        trial(shop, health_url=url).run(any_image(shop))
    Walker(shop.local).prove()


def test_an_image_that_never_answers_fails_and_its_instance_is_gone(shop: Shop) -> None:  # noqa: F811
    with (
        answering([503]) as url,
        pytest.raises(ReleaseFailed, match="after 0.3 s its instance does not answer"),
    ):
        trial(shop, health_url=url, timeout_seconds=0.3).run(any_image(shop))
    Walker(shop.local).prove()


@pytest.mark.parametrize("check", [["false"], ["/no/such/program"], ["sleep", "9"]])
def test_a_check_that_fails_fails_the_image(shop: Shop, check: list[str]) -> None:  # noqa: F811
    with pytest.raises(ReleaseFailed, match="Nothing uses the image"):
        trial(shop, check=check, timeout_seconds=0.5).run(any_image(shop))
    Walker(shop.local).prove()


def test_an_image_that_is_none_is_told(shop: Shop) -> None:  # noqa: F811
    with pytest.raises(AccessRefused, match="Could not launch an instance of 'ami-00000000'"):
        trial(shop, check=["true"]).run("ami-00000000")


@pytest.mark.parametrize("spec", [{}, {"check": ["true"], "health_url": "http://x"}])
def test_an_image_is_asked_exactly_one_question(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected either `check`, a command, or `health_url`"):
        ImageTest.model_validate(spec)
