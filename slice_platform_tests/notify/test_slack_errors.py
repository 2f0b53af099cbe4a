"""How each failure of Slack is told: what passes by itself, what a person has to do, and never the token."""

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from slice_platform.errors import NotificationRefused, SlackUnavailable
from slice_platform.notify.chat import File, Posted
from slice_platform.notify.slack import SlackChat, slack_client
from slice_platform_tests.slack import TOKEN, FakeSlack, running_slack, slack_chat

LOOK = "conversations.(history|replies)"
KINDS = ("rate_limited", "error", "hang", "reset", "lost_answer", "no_json")
STEPS = ("getUploadURL", "upload/v1", "completeUpload")


@pytest.fixture(scope="module")
def server() -> Iterator[FakeSlack]:
    with running_slack("ops") as started:
        yield started


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with running_slack("ops") as started:
        yield started


@pytest.fixture
def chat(slack: FakeSlack) -> SlackChat:
    return slack_chat(slack)


def just_now() -> datetime:
    return datetime.now(UTC) - timedelta(seconds=5)


# --- what Slack refuses


@pytest.mark.parametrize(
    ("code", "step", "concerns_all"),
    [
        ("not_in_channel", "/invite @jarvis in #ops", False),
        ("channel_not_found", "/invite @jarvis in #ops", False),
        ("is_archived", "Unarchive", False),
        ("restricted_action", "administrator", False),
        ("no_text", "white space", False),
        ("msg_too_long", "attachment", False),
        ("cant_update_message", "is not shown", False),
        ("thread_not_found", "deleted", False),
        ("some_new_code", "docs.slack.dev", False),
        ("invalid_auth", "SLICE_SLACK_TOKEN", True),
        ("not_authed", "SLICE_SLACK_TOKEN", True),
        ("account_inactive", "SLICE_SLACK_TOKEN", True),
        ("token_revoked", "SLICE_SLACK_TOKEN", True),
        ("token_expired", "SLICE_SLACK_TOKEN", True),
        ("missing_scope", "OAuth & Permissions", True),
        ("no_permission", "OAuth & Permissions", True),
        ("org_login_required", "administrator", True),
        ("ekm_access_denied", "administrator", True),
    ],
)
def test_a_refusal_says_what_to_do(server: FakeSlack, code: str, step: str, *, concerns_all: bool) -> None:
    with server.failing(code), pytest.raises(NotificationRefused) as refused:
        slack_chat(server).post("ops", "text", key="k1")
    said = str(refused.value)
    assert said.startswith(f"Could not post to '#ops': Slack says '{code}'. ") and step in said
    assert (refused.value.code, refused.value.concerns_all) == (code, concerns_all)


@pytest.mark.parametrize("code", ["missing_scope", "not_in_channel", "channel_not_found", "thread_not_found"])
def test_where_we_may_not_look_nothing_is_found(
    slack: FakeSlack, chat: SlackChat, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    posted = chat.post("ops", "text", key="k1")
    with slack.failing(code, LOOK), caplog.at_level(logging.WARNING, "slice_platform.notify"):
        assert chat.find("k1", channel_id=posted.channel_id, since=just_now()) is None
        assert not chat.has_file("a.csv", below=posted)
    assert caplog.text.count(f"Slack says '{code}'") == caplog.text.count("may come twice") == 2
    with slack.failing("invalid_auth", LOOK), pytest.raises(NotificationRefused):
        chat.find("k1", channel_id=posted.channel_id, since=just_now())


# --- what passes by itself


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0", 0.0), ("Fri, 31 Dec 1999 23:59:59 GMT", 1.0)])
def test_slack_says_how_long_to_wait(server: FakeSlack, header: str, seconds: float) -> None:
    server.retry_after = header
    with server.failing("rate_limited") as fault, pytest.raises(SlackUnavailable, match="asks to wait") as told:
        slack_chat(server).post("ops", "text", key="k1")
    assert told.value.retry_after_seconds == seconds
    assert fault.hit == 1  # the outbox tries again, not the client


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("error", "HTTP 500"),
        ("hang", "timed out"),
        ("reset", "reset|closed"),
        ("lost_answer", "reset|closed"),
        ("no_json", "not Slack's.*502 Bad Gateway.*SLICE_SLACK_BASE_URL"),
        ("ratelimited", "wait for 1 s"),
        ("internal_error", "internal_error"),
        ("fatal_error", "fatal_error"),
        ("service_unavailable", "service_unavailable"),
        ("request_timeout", "request_timeout"),
    ],
)
def test_what_passes_by_itself_is_called_once_and_tried_again_later(server: FakeSlack, kind: str, says: str) -> None:
    server.hold_seconds = 0.8
    with server.failing(kind) as fault, pytest.raises(SlackUnavailable, match=f"^Could not post to '#ops': .*({says})"):
        slack_chat(server).post("ops", "text", key="k1")
    assert fault.hit == 1


@pytest.mark.parametrize(
    ("kind", "step"),
    # What answers the bytes of a file is no JSON anyway.
    [(kind, step) for kind in KINDS for step in STEPS if (kind, step) != ("no_json", "upload/v1")],
)
def test_each_step_of_an_upload_may_fail(slack: FakeSlack, chat: SlackChat, kind: str, step: str) -> None:
    slack.hold_seconds = 0.8
    posted, file = chat.post("ops", "text", key="k1"), File("a.csv", "a.csv (#1)", b"x")
    with slack.failing(kind, step), pytest.raises(SlackUnavailable, match="Could not upload 'a.csv' to"):
        chat.upload(file, below=posted)
    assert chat.has_file(file.title, below=posted) == ((kind, step) == ("lost_answer", "completeUpload"))


def test_a_message_whose_answer_was_lost_is_there_and_is_found(slack: FakeSlack, chat: SlackChat) -> None:
    with slack.failing("lost_answer", times=1), pytest.raises(SlackUnavailable):
        chat.post("ops", "text", key="k1")
    (message,) = slack.messages("ops")
    assert chat.find("k1", channel_id=chat.channel_id("ops"), since=just_now()) == Posted("C0000000001", message.ts)


@pytest.mark.parametrize(
    ("address", "says"), [("http://127.0.0.1:9/api", "refused"), ("ftp://127.0.0.1/", "Invalid URL detected")]
)
def test_nobody_at_the_other_end_may_pass(address: str, says: str) -> None:
    chat = SlackChat(slack_client(TOKEN, address, timeout_seconds=0.5))
    with pytest.raises(SlackUnavailable, match=f"Could not look up '#ops': .*{says}"):
        chat.channel_id("ops")


@pytest.mark.parametrize("answer", ["[]", "null", '"ok"', "{}", '{"ok": true}', '{"ok": true, "channel": 7}'])
def test_json_that_is_not_slacks_may_pass(
    slack: FakeSlack, chat: SlackChat, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    made = {"status": 200, "headers": {}, "body": answer}
    monkeypatch.setattr(chat._client, "_perform_urllib_http_request", lambda **_: made)
    posted = Posted("C0000000001", "1.000001")
    for call in (
        lambda: chat.post("ops", "text", key="k1"),
        lambda: chat.channel_id("ops"),
        lambda: chat.find("k1", channel_id="C0000000001", since=just_now()),
        lambda: chat.upload(File("a.csv", "a.csv", b"x"), below=posted),
    ):
        with pytest.raises(SlackUnavailable, match="is not Slack's"):
            call()


# --- the token


@pytest.mark.parametrize("kind", ["rate_limited", "error", "reset", "no_json", "invalid_auth", "not_in_channel"])
def test_no_message_has_the_token(server: FakeSlack, caplog: pytest.LogCaptureFixture, kind: str) -> None:
    with server.failing(kind), pytest.raises((NotificationRefused, SlackUnavailable)) as failed:
        slack_chat(server).post("ops", "text", key="k1")
    said = "".join(traceback.format_exception(failed.value))
    assert TOKEN not in said and TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["xoxb-12345678\nxoxb-87654321", "xoxb-1234 5678", "xoxb-12345678…", " ", ""])
def test_what_can_be_no_token_is_quoted_nowhere(
    server: FakeSlack, caplog: pytest.LogCaptureFixture, token: str
) -> None:
    with pytest.raises(NotificationRefused, match="signs that no token has") as refused:
        slack_chat(server, token=token).post("ops", "text", key="k1")
    assert refused.value.code == "not_authed" and refused.value.concerns_all
    assert "xoxb-1" not in str(refused.value) + caplog.text


def test_a_wrong_token_is_refused_and_space_around_the_right_one_does_no_harm(slack: FakeSlack) -> None:
    with pytest.raises(NotificationRefused, match="invalid_auth"):
        slack_chat(slack, token="xoxb-of-another-app").post("ops", "text", key="k1")  # noqa: S106 -- of no app
    slack_chat(slack, token=f"{TOKEN}\n").post("ops", "text", key="k1")
    assert len(slack.messages("ops")) == 1
