"""The stand-in for Slack is as strict as Slack, and outlives its clients."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from slice_platform.errors import NotificationRefused
from slice_platform.notify.chat import File, Posted
from slice_platform.notify.slack import SlackChat
from slice_platform_tests.slack import TOKEN, FakeSlack, running_slack, slack_chat

POST_FOR_EVER = """
import sys
from slice_platform.notify.slack import SlackChat, slack_client
chat = SlackChat(slack_client(sys.argv[1], sys.argv[2]))
while True:
    print(chat.post("ops", "text", key="k").ts, flush=True)
"""


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with running_slack("ops") as started:
        yield started


@pytest.fixture
def chat(slack: FakeSlack) -> SlackChat:
    return slack_chat(slack)


def test_the_stand_in_refuses_as_slack_does(slack: FakeSlack, chat: SlackChat) -> None:
    slack.add_channel("foreign", member=False)
    slack.add_channel("old", archived=True)
    posted = chat.post("ops", "text", key="k1")
    for code, channel, text, thread in (
        ("channel_not_found", "nowhere", "text", None),
        ("not_in_channel", "foreign", "text", None),
        ("is_archived", "old", "text", None),
        ("thread_not_found", "ops", "text", "1.000001"),
        ("msg_too_long", "ops", "x" * 40_001, None),
    ):
        with pytest.raises(NotificationRefused, match=code):
            chat.post(channel, text, key="k2", thread=thread)
    with pytest.raises(NotificationRefused, match="message_not_found"):
        chat.update(Posted(posted.channel_id, "1.000001"), "text")
    with pytest.raises(NotificationRefused, match=r"Could not upload 'a.csv' to 'ops'.*channel_not_found"):
        chat.upload(File("a.csv", "a", b"x"), below=Posted("ops", posted.ts))
    assert len(slack.messages("ops")) == 1


def test_the_stand_in_tells_who_was_too_fast(slack: FakeSlack, chat: SlackChat) -> None:
    slack.pace_seconds = 0.2
    slack.add_channel("other")
    for channel in ("ops", "other", "ops"):
        chat.post(channel, "text", key=channel)
    assert len(slack.too_fast) == 1 and slack.too_fast[0].startswith("chat.postMessage to #ops after 0.")
    assert len(slack.messages("ops")) == 2


def test_times_are_unique_and_rise_also_when_the_clock_stands_still(slack: FakeSlack, chat: SlackChat) -> None:
    slack.workspace.clock = lambda: 1764085500.0001
    for _ in range(3):
        chat.post("ops", "text", key="k")
    assert [one.ts for one in slack.messages("ops")] == [
        "1764085500.000100", "1764085500.000101", "1764085500.000102",
    ]  # fmt: skip


def test_clients_that_are_killed_do_it_no_harm(slack: FakeSlack, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", POST_FOR_EVER, TOKEN, slack.url], stdout=subprocess.PIPE, text=True
        ) as client:
            assert client.stdout is not None
            last = client.stdout.readline().strip()
            client.kill()
        assert last in {one.ts for one in slack.messages("ops")}
    slack_chat(slack).post("ops", "still there", key="k")
    assert slack.messages("ops")[-1].text == "still there"
    assert capfd.readouterr().err == ""


def test_half_a_call_is_none(slack: FakeSlack, capfd: pytest.CaptureFixture[str]) -> None:
    address = urlsplit(slack.url)
    with socket.create_connection((address.hostname, address.port)) as half:
        half.sendall(b"POST /api/chat.postMessage HTTP/1.1\r\nContent-Length: 99\r\n\r\n{")
        half.shutdown(socket.SHUT_WR)
        assert half.recv(1) == b""
    assert slack.calls == [] and capfd.readouterr().err == ""
