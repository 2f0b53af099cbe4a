"""An image proves itself on one instance, which is gone afterwards whatever happens."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pydantic import ValidationError

from slice_platform.errors import AccessRefused, AwsUnavailable, ReleaseFailed
from slice_platform.ops.ami.account import ROLE_TAG
from slice_platform.ops.ami.image_test import TESTED, ImageTrial
from slice_platform.ops.ami.packer_template import Marks
from slice_platform.ops.ami.spec import ImageTest
from slice_platform_tests.ops.ami.aws_hooks import changed, refused
from slice_platform_tests.ops.ami.planted import COMMIT, OTHER_COMMIT, Shop
from slice_platform_tests.ops.ami.walker import Walker


def trial(shop: Shop, **spec: Any) -> ImageTrial:
    chosen = ImageTest.model_validate({"poll_seconds": 0.01, "timeout_seconds": 5, **spec})
    return ImageTrial(shop.account, chosen, Marks("r1", "shop", "main", COMMIT), shop.told.append)


def any_image(shop: Shop) -> str:
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


def test_the_check_finds_the_instance_in_its_environment(shop: Shop) -> None:
    question = 'test -n "$PRIVATE_IP" && echo "$INSTANCE_ID of $IMAGE_ID"'
    trial(shop, check=["sh", "-c", question]).run(image := any_image(shop))
    (said,) = [line for line in shop.told if line.endswith(f"of {image}")]
    assert said.startswith("i-")
    Walker(shop.local).prove()


def test_a_health_url_is_asked_until_it_is_well(shop: Shop) -> None:
    with answering([503, 404, 200]) as url:
        trial(shop, health_url=url).run(any_image(shop))
    Walker(shop.local).prove()


def test_an_image_that_never_answers_fails_and_its_instance_is_gone(shop: Shop) -> None:
    with (
        answering([503]) as url,
        pytest.raises(ReleaseFailed, match="after 0.3 s its instance does not answer"),
    ):
        trial(shop, health_url=url, timeout_seconds=0.3).run(any_image(shop))
    Walker(shop.local).prove()


@pytest.mark.parametrize("check", [["false"], ["/no/such/program"], ["sleep", "9"]])
def test_a_check_that_fails_fails_the_image(shop: Shop, check: list[str]) -> None:
    with pytest.raises(ReleaseFailed, match="Nothing uses the image"):
        trial(shop, check=check, timeout_seconds=0.5).run(any_image(shop))
    Walker(shop.local).prove()


def test_an_image_that_is_none_is_told(shop: Shop) -> None:
    with pytest.raises(AccessRefused, match="Could not launch an instance of 'ami-00000000'"):
        trial(shop, check=["true"]).run("ami-00000000")


def test_a_check_that_is_late_is_killed_with_all_that_it_started(shop: Shop) -> None:
    began = time.monotonic()
    with pytest.raises(ReleaseFailed, match="timed out after 0.5 seconds"):
        trial(shop, check=["sh", "-c", "sleep 30; true"], timeout_seconds=0.5).run(any_image(shop))
    assert time.monotonic() - began < 20
    Walker(shop.local).prove()


def test_an_answer_that_is_no_http_is_one_that_is_not_well_yet(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        talk = threading.Thread(
            target=_answer_each, args=(server, [b"220 booting\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
        )
        talk.start()
        trial(shop, health_url=f"http://127.0.0.1:{server.getsockname()[1]}/").run(any_image(shop))
        talk.join()
    Walker(shop.local).prove()


def _answer_each(server: socket.socket, answers: list[bytes]) -> None:
    for answer in answers:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)


def test_an_instance_that_a_killed_run_of_another_commit_left_is_terminated(shop: Shop) -> None:
    tags = Marks("r0", "shop", "main", OTHER_COMMIT).of_instance(TESTED)
    wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
    specified = [{"ResourceType": "instance", "Tags": wanted}]
    shop.ec2.run_instances(ImageId=any_image(shop), MinCount=1, MaxCount=1, TagSpecifications=specified)
    trial(shop, check=["true"]).run(any_image(shop))
    Walker(shop.local).prove()


def test_an_instance_that_ec2_does_not_show_yet_is_terminated_all_the_same(shop: Shop) -> None:
    def hide(told: dict[str, Any]) -> None:
        for held in told["Reservations"]:
            held["Instances"] = [one for one in held["Instances"] if _role(one) != TESTED or _is_over(one)]

    with (
        changed(shop.account.access, "ec2", "DescribeInstances", hide),
        pytest.raises(ReleaseFailed, match="its instance does not run"),
    ):
        trial(shop, check=["true"], timeout_seconds=0.2).run(any_image(shop))
    Walker(shop.local).prove()


def _role(instance: dict[str, Any]) -> str | None:
    return next((tag["Value"] for tag in instance.get("Tags", []) if tag["Key"] == ROLE_TAG), None)


def _is_over(instance: dict[str, Any]) -> bool:
    return bool(instance["State"]["Name"] == "terminated")


def test_a_health_url_with_other_braces_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected no other braces than {private_ip} and {public_ip}: 'ip'"):
        ImageTest.model_validate({"health_url": "http://{ip}/health"})


def test_no_capacity_for_the_instance_is_a_matter_of_time(shop: Shop) -> None:
    with (
        refused(shop.account.access, "ec2", "RunInstances", "InsufficientInstanceCapacity", status=500),
        pytest.raises(AwsUnavailable, match="InsufficientInstanceCapacity.*can be repeated"),
    ):
        trial(shop, check=["true"]).run(any_image(shop))
    Walker(shop.local).prove()


@pytest.mark.parametrize("spec", [{}, {"check": ["true"], "health_url": "http://x"}])
def test_an_image_is_asked_exactly_one_question(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected either `check`, a command, or `health_url`"):
        ImageTest.model_validate(spec)
