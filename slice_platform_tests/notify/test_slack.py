"""Slack's own SDK against a stand-in for Slack: what comes out, and where it is found again."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from slice_platform.errors import NotificationRefused
from slice_platform.notify.chat import Chat, File, Posted
from slice_platform.notify.slack import SlackChat
from slice_platform_tests.slack import FakeSlack, running_slack, slack_chat

LOOK = "conversations.(history|replies)"


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with running_slack("ops") as started:
        yield started


@pytest.fixture
def chat(slack: FakeSlack) -> SlackChat:
    return slack_chat(slack)


def just_now() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=5)


def test_slack_is_a_chat(chat: SlackChat) -> None:
    as_chat: Chat = chat
    assert as_chat.seconds_between == 1.0


def test_the_import_waits_for_neither_slack_nor_dagster() -> None:
    code = "import sys, slice_platform.notify.slack; print({'slack_sdk', 'dagster'} & sys.modules.keys())"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "set()"


# --- what comes out


def test_a_message_carries_its_key_and_says_where_it_is(slack: FakeSlack, chat: SlackChat) -> None:
    posted = chat.post("ops", "<!channel> *failed*", key="k1")
    (message,) = slack.messages("ops")
    assert posted == Posted("C0000000001", message.ts)
    assert message.text == "<!channel> *failed*" and message.thread_ts is None
    assert message.metadata == {"event_type": "slice_notification", "event_payload": {"key": "k1"}}
    (call,) = slack.called("chat.postMessage")
    assert call.asked["channel"] == "#ops" and call.asked["unfurl_links"] is False


def test_a_reply_lies_in_its_thread(slack: FakeSlack, chat: SlackChat) -> None:
    top = chat.post("#ops", "top", key="top")
    reply = chat.post(top.channel_id, "reply", key="reply", thread=top.ts)
    assert [(one.ts, one.thread_ts) for one in slack.messages("ops")] == [(top.ts, None), (reply.ts, top.ts)]


def test_an_updated_message_has_its_new_text_and_keeps_its_key(slack: FakeSlack, chat: SlackChat) -> None:
    posted = chat.post("ops", "failed", key="k1")
    chat.update(posted, "failed x37")
    (message,) = slack.messages("ops")
    assert (message.ts, message.text, message.edits) == (posted.ts, "failed x37", 1)
    assert chat.find("k1", channel_id=posted.channel_id, since=just_now()) == posted


def test_a_message_is_found_by_its_key_on_a_later_page(slack: FakeSlack, chat: SlackChat) -> None:
    slack.workspace.page_size = 2
    posted = [chat.post("ops", f"message {number}", key=f"k{number}") for number in range(5)]
    assert chat.find("k0", channel_id=posted[0].channel_id, since=just_now()) == posted[0]
    assert len(slack.called(LOOK)) == 3
    assert chat.find("k4", channel_id=posted[0].channel_id, since=just_now()) == posted[4]
    assert len(slack.called(LOOK)) == 4  # no more pages than it takes
    assert chat.find("k5", channel_id=posted[0].channel_id, since=just_now()) is None


def test_a_reply_is_found_in_its_thread_alone(slack: FakeSlack, chat: SlackChat) -> None:
    slack.workspace.page_size = 2
    top = chat.post("ops", "top", key="top")
    replies = [chat.post("ops", "reply", key=f"k{number}", thread=top.ts) for number in range(4)]
    found = chat.find("k3", channel_id=top.channel_id, since=just_now(), thread=top.ts)
    assert found == replies[3] and len(slack.called("replies")) == 3
    assert chat.find("k3", channel_id=top.channel_id, since=just_now()) is None


def test_messages_from_before_are_not_looked_at(slack: FakeSlack, chat: SlackChat) -> None:
    """A quarter of an hour is forgiven: the clock of Slack is another one."""
    now = datetime.now(UTC)
    slack.workspace.clock = (now - timedelta(seconds=899)).timestamp
    posted = chat.post("ops", "text", key="k1")
    assert chat.find("k1", channel_id=posted.channel_id, since=now) == posted
    assert chat.find("k1", channel_id=posted.channel_id, since=now + timedelta(seconds=2)) is None


def test_the_same_key_of_another_event_is_another_message(slack: FakeSlack, chat: SlackChat) -> None:
    posted = chat.post("ops", "text", key="k1")
    slack.workspace.channels[0].messages[0].metadata = {"event_type": "deploy", "event_payload": {"key": "k1"}}
    assert chat.find("k1", channel_id=posted.channel_id, since=just_now()) is None


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", bytes(range(256)) * 4_000, b"x"], ids=["text", "binary", "short"])
def test_a_file_lies_in_the_thread_below_its_message(slack: FakeSlack, chat: SlackChat, content: bytes) -> None:
    posted = chat.post("ops", "text", key="k1")
    chat.upload(File("rows.csv", "rows.csv (#1.1)", content), below=posted)
    assert [call.method.rsplit("/", 1)[0] for call in slack.calls[1:]] == [
        "files.getUploadURLExternal", "upload/v1", "files.completeUploadExternal",
    ]  # fmt: skip
    message = slack.messages("ops")[-1]
    assert message.thread_ts == posted.ts
    assert [(one.name, one.title, one.content) for one in message.files] == [("rows.csv", "rows.csv (#1.1)", content)]


def test_an_empty_file_is_told_by_a_text_since_slack_takes_none(slack: FakeSlack, chat: SlackChat) -> None:
    posted = chat.post("ops", "text", key="k1")
    chat.upload(File("rows.csv", "rows.csv (#1.1)", b""), below=posted)
    (file,) = slack.messages("ops")[-1].files
    assert (file.name, file.title) == ("rows.csv.txt", "rows.csv (#1.1)")
    assert file.content == b"(The file is empty.)\n"
    assert chat.has_file("rows.csv (#1.1)", below=posted)


def test_a_file_is_known_by_its_title_on_any_page(slack: FakeSlack, chat: SlackChat) -> None:
    slack.workspace.page_size = 1
    first, second = (chat.post("ops", "text", key=key) for key in "ab")
    for number in range(2):
        chat.upload(File("a.csv", f"a.csv (#{number})", b"x"), below=first)
    assert chat.has_file("a.csv (#1)", below=first)
    assert not chat.has_file("a.csv (#2)", below=first)
    assert not chat.has_file("a.csv (#1)", below=second)


def test_addresses_that_need_no_proxy_are_called_without(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    slack_chat(slack).post("ops", "text", key="k1")
    assert len(slack.messages("ops")) == 1


# --- names


def test_names_are_looked_up_page_by_page_and_kept(slack: FakeSlack, chat: SlackChat) -> None:
    slack.workspace.page_size = 2
    ids = [slack.add_channel(f"c{number}") for number in range(5)]
    assert chat.channel_id("#c4") == chat.channel_id("c4") == ids[4]
    assert len(slack.called("conversations.list")) == 3
    assert chat.channel_id("c0") == ids[0] and len(slack.called("conversations.list")) == 3
    assert chat.channel_id(ids[1]) == ids[1] and chat.channel_id("D0000000009") == "D0000000009"
    assert len(slack.called("conversations.list")) == 3


def test_a_name_that_is_not_listed_is_refused(slack: FakeSlack, chat: SlackChat) -> None:
    slack.add_channel("old", archived=True)
    slack.add_channel("secret", private=True, member=False)
    slack.add_channel("ours", private=True)
    assert chat.channel_id("ours")
    for name in ("old", "secret", "nowhere"):
        with pytest.raises(NotificationRefused, match=f"'#{name}'.*/invite @jarvis in #{name}") as refused:
            chat.channel_id(name)
        assert refused.value.code == "channel_not_found" and not refused.value.concerns_all


def test_an_app_that_may_not_see_private_channels_finds_public_ones(slack: FakeSlack, chat: SlackChat) -> None:
    slack.workspace.scopes.discard("groups:read")
    assert chat.channel_id("ops") == "C0000000001"
    slack.workspace.scopes.discard("channels:read")
    with pytest.raises(NotificationRefused, match=r"needed: channels:read") as refused:
        chat.channel_id("other")
    assert refused.value.concerns_all
