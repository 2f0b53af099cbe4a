"""Whatever Slack does, each notification is there once, in order, no faster than Slack allows."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest

from slice_platform.notify.delivery import Delivery
from slice_platform.notify.kept import State
from slice_platform.notify.notification import Notification
from slice_platform_tests.cloud import Cloud
from slice_platform_tests.notify.conftest import MakeJarvis
from slice_platform_tests.slack import FakeSlack

ERRORS = "jarvis-error-notifications"


def texts(slack: FakeSlack, channel: str = "data") -> list[str]:
    return [message.text for message in slack.messages(channel)]


def test_messages_come_in_order_and_not_too_fast(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    for number in range(8):
        jarvis.tell(Notification("data", f"message {number}"))
    jarvis.deliver(seconds=10)
    assert texts(slack) == [f"message {number}" for number in range(8)]
    assert not slack.too_fast and jarvis.standing().waiting == 0


def test_slack_is_not_called_twice_within_a_second(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    slack.pace_seconds = 1.0
    jarvis, other = make_jarvis(), make_jarvis()
    for one in (jarvis, other):
        one.delivery._sending.chat.seconds_between = 1.0  # as Slack wants it
    for number in range(3):
        jarvis.tell(Notification("data", f"message {number}"))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda one: one.deliver(seconds=8), (jarvis, other)))
    assert len(texts(slack)) == 3 and not slack.too_fast


def test_a_message_is_escaped_and_calls_whom_it_names(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "<!channel> <@U123ABC> 1 < 2 & <script>", heading="Export"))
    jarvis.deliver(seconds=5)
    assert texts(slack) == ["*Export*\n<!channel> <@U123ABC> 1 &lt; 2 &amp; &lt;script&gt;"]


def test_repeats_become_a_count_on_the_message(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "disk full", fingerprint="disk"))
    jarvis.deliver(seconds=5)
    for _ in range(36):
        jarvis.tell(Notification("data", "disk full", fingerprint="disk"))
    jarvis.deliver(seconds=8)
    (message,) = slack.messages("data")
    assert message.text.startswith("disk full\n_x37, the last at ")


def test_a_thread_stands_below_its_first_message(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    for text in ("run failed", "step a", "step b"):
        jarvis.tell(Notification("data", text, thread="run-1"))
    jarvis.deliver(seconds=5)
    first, *replies = slack.messages("data")
    assert first.thread_ts is None and [reply.thread_ts for reply in replies] == [first.ts, first.ts]


def test_a_long_text_is_attached_in_full(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis, text = make_jarvis(), "\n".join(f"line {number}" for number in range(2_000)) + "\n<@U999AAA>"
    jarvis.tell(Notification("data", text))
    jarvis.deliver(seconds=5)
    message, file = slack.messages("data")
    assert len(message.text) < 4_000 and "is attached" in message.text and "<@U999AAA>" in message.text
    assert file.files[0].content == text.encode() and file.thread_ts == message.ts


def test_files_lie_below_the_message_and_ours_are_removed(
    slack: FakeSlack, make_jarvis: MakeJarvis, home: Path, tmp_path: Path
) -> None:
    jarvis = make_jarvis()
    for name in ("rows.csv", "chart.png"):
        (tmp_path / name).write_bytes(name.encode())
    jarvis.tell(Notification("data", "see", attachments=(str(tmp_path / "rows.csv"), str(tmp_path / "chart.png"))))
    (tmp_path / "rows.csv").unlink()  # what was told is kept
    jarvis.deliver(seconds=5)
    assert [file.content for message in slack.messages("data") for file in message.files] == [b"rows.csv", b"chart.png"]
    assert not [path for path in (home / "notify").rglob("*") if path.is_file()]


def test_a_file_that_is_missing_is_said_and_reported(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "see", attachments=("/nowhere/rows.csv",)))
    jarvis.deliver(seconds=5)
    assert "'/nowhere/rows.csv' is not there" in texts(slack)[0]
    assert "A notification could not be sent" in texts(slack, ERRORS)[0]


@pytest.mark.parametrize("address", ["s3://", "s3://No_Bucket/a.csv", "s3://bucket", "s3://bucket/"])
def test_an_address_that_is_none_is_said(slack: FakeSlack, make_jarvis: MakeJarvis, address: str) -> None:
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "see", attachments=(address,)))
    jarvis.deliver(seconds=5)
    assert "is no s3://bucket/key" in texts(slack)[0]


def test_a_file_that_is_too_large_stays_where_it_is(slack: FakeSlack, make_jarvis: MakeJarvis, tmp_path: Path) -> None:
    jarvis = make_jarvis(notify_most_attachment_bytes=10)
    (tmp_path / "rows.csv").write_bytes(b"x" * 11)
    jarvis.tell(Notification("data", "see", attachments=(str(tmp_path / "rows.csv"),)))
    jarvis.deliver(seconds=5)
    assert "has 11 bytes; 10 are the most that is sent" in texts(slack)[0] and len(texts(slack)) == 1


@pytest.mark.parametrize("kind", ["rate_limited", "error", "hang", "reset", "lost_answer", "no_json", "invalid_auth"])
def test_nothing_is_lost_or_doubled_when_slack_fails(slack: FakeSlack, make_jarvis: MakeJarvis, kind: str) -> None:
    jarvis = make_jarvis()
    for number in range(3):
        jarvis.tell(Notification("data", f"message {number}"))
    with slack.failing(kind, "chat.postMessage", times=2, skip=1):
        jarvis.delivery._pause = lambda _seconds: _let_time_pass(jarvis)
        jarvis.deliver(seconds=30)
    assert texts(slack) == ["message 0", "message 1", "message 2"]


def _let_time_pass(jarvis: object) -> None:
    """As if the pause was over: nobody waits minutes for a test."""
    for line in jarvis.outbox.lines():  # type: ignore[attr-defined]  # of Jarvis
        jarvis.outbox.mark_line(type(line)(line.channel, 0.0, line.failures, line.error, line.channel_id))  # type: ignore[attr-defined]
    time.sleep(0.03)


def test_retry_after_is_honoured(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    slack.retry_after = "2"
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "hello"))
    with slack.failing("rate_limited", "chat.postMessage", times=1):
        jarvis.deliver(seconds=8)
    first, second = slack.called("chat.postMessage")
    assert second.at - first.at >= 2.0 and texts(slack) == ["hello"]


def test_another_channel_does_not_wait_for_one_that_is_blocked(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    slack.retry_after = "30"
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "hello"))
    with slack.failing("rate_limited", "chat.postMessage", times=1):
        jarvis.deliver(seconds=1)
    jarvis.tell(Notification("other", "hello"))
    jarvis.deliver(seconds=1)
    assert texts(slack, "other") == ["hello"] and texts(slack) == []
    assert "wait" in (jarvis.standing().error or "")


@pytest.mark.parametrize(
    ("channel", "says"),
    [("closed", "/invite @jarvis"), ("nowhere", "channel_not_found"), ("old", "is_archived")],
)
def test_what_slack_refuses_is_reported_with_what_to_do(
    slack: FakeSlack, make_jarvis: MakeJarvis, channel: str, says: str
) -> None:
    slack.add_channel("closed", member=False)
    slack.add_channel("old", archived=True)
    jarvis = make_jarvis()
    receipt = jarvis.tell(Notification(channel, "token=abc123 is wrong"))
    jarvis.tell(Notification("data", "the others go on"))
    jarvis.deliver(seconds=5)
    assert jarvis.kept(receipt).state is State.REFUSED and texts(slack) == ["the others go on"]
    (report,) = texts(slack, ERRORS)
    assert says in report and "abc123" not in report


def test_what_was_refused_is_sent_once_the_app_was_invited(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    slack.add_channel("closed", member=False)
    jarvis = make_jarvis()
    jarvis.tell(Notification("closed", "hello"))
    jarvis.deliver(seconds=5)
    slack.invite("closed")
    assert jarvis.outbox.try_refused_again() == 1
    jarvis.deliver(seconds=5)
    assert texts(slack, "closed") == ["hello"]


def test_an_error_channel_that_fails_is_told_once_and_no_more(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis(notify_error_channel="nowhere")
    jarvis.tell(Notification("nowhere-too", "hello"))
    jarvis.deliver(seconds=5)
    assert len(slack.called("chat.postMessage")) == 2 and jarvis.standing().refused == 2


def test_a_thousand_failures_are_a_few_messages_that_name_all(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    for number in range(1_000):
        jarvis.tell(Notification("data", f"failure of kind {number % 100}.", fingerprint=f"kind {number % 100}"))
    jarvis.deliver(seconds=20)
    messages = slack.messages("data")
    assert len(messages) <= 12
    said = "\n".join([m.text for m in messages] + [(f.content or b"").decode() for m in messages for f in m.files])
    assert all(f"failure of kind {kind}. (x10)" in said for kind in range(100))


def test_who_waits_too_long_is_seen(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis(notify_stuck_seconds=0.1)
    jarvis.tell(Notification("data", "hello"))
    with slack.failing("invalid_auth"):
        jarvis.deliver(seconds=1)
        time.sleep(0.1)
        assert "invalid_auth" in (jarvis.stuck() or "")


def test_delivery_ends_when_its_time_is_up(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    for number in range(9):
        jarvis.tell(Notification("data", f"message {number}"))
    assert isinstance(jarvis.delivery, Delivery)
    with slack.failing("error"):
        assert jarvis.deliver(seconds=0.5) == 1
    assert jarvis.standing().waiting == 9


def test_a_digest_has_the_files_of_what_it_tells(slack: FakeSlack, make_jarvis: MakeJarvis, tmp_path: Path) -> None:
    jarvis = make_jarvis(notify_burst=2)
    receipts = []
    for number in range(4):
        (tmp_path / f"{number}.csv").write_text(f"n\n{number}\n")
        one = Notification("data", f"message {number}.", attachments=(str(tmp_path / f"{number}.csv"),))
        receipts.append(jarvis.tell(one))
    jarvis.deliver(seconds=8)
    files = [file.name for message in slack.messages("data") for file in message.files]
    assert files == ["0.csv", "1.csv", "2.csv", "3.csv"] and len(slack.messages("data")) == 5
    assert {jarvis.kept(receipt).state for receipt in receipts} == {State.SENT}


def test_what_waits_in_a_digest_waits_since_it_was_told(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis(notify_burst=1)
    told = [jarvis.kept(jarvis.tell(Notification("data", f"message {number}."))) for number in range(3)]
    with slack.failing("invalid_auth"):
        jarvis.deliver(seconds=0.5)
    assert jarvis.standing().oldest_at == told[0].created_at


def test_the_text_does_not_wait_for_a_file(make_jarvis: MakeJarvis, slack: FakeSlack, cloud: Cloud) -> None:
    bucket = cloud.fresh_bucket()
    boto3.client("s3", endpoint_url=cloud.url).put_object(Bucket=bucket, Key="rows.csv", Body=b"n")
    jarvis = make_jarvis(aws_endpoint_url=cloud.url, aws_attempts=1)
    jarvis.tell(Notification("data", "see", attachments=(f"s3://{bucket}/rows.csv",)))
    jarvis.tell(Notification("data", "the next one"))
    with cloud.failing("error", f"/{bucket}/rows.csv"):
        jarvis.delivery._pause = lambda _seconds: _let_time_pass(jarvis)
        jarvis.deliver(seconds=1_000)  # of which none is waited for
    assert texts(slack) == ["see", "the next one"] and "could not be sent" in texts(slack, ERRORS)[0]


def test_a_key_of_any_kind_is_read_from_s3(make_jarvis: MakeJarvis, slack: FakeSlack, cloud: Cloud) -> None:
    bucket, key = cloud.fresh_bucket(), "a#b/100%? of +it/rows.csv"
    boto3.client("s3", endpoint_url=cloud.url).put_object(Bucket=bucket, Key=key, Body=b"n")
    jarvis = make_jarvis(aws_endpoint_url=cloud.url)
    jarvis.tell(Notification("data", "see", attachments=(f"s3://{bucket}/{key}",)))
    jarvis.deliver(seconds=8)
    assert [file.content for message in slack.messages("data") for file in message.files] == [b"n"]


def test_a_message_that_slack_limits_is_not_looked_for(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    jarvis.tell(Notification("data", "hello"))
    with slack.failing("rate_limited", "chat.postMessage", times=1):
        jarvis.deliver(seconds=6)
    assert texts(slack) == ["hello"] and not slack.called("conversations.history")


def test_the_time_is_kept_when_many_channels_are_slow(slack: FakeSlack, make_jarvis: MakeJarvis) -> None:
    jarvis = make_jarvis()
    for number in range(10):
        slack.add_channel(f"channel-{number}")
        jarvis.tell(Notification(f"channel-{number}", "hello"))
    with slack.failing("hang"):
        jarvis.deliver(seconds=0.6, first="channel-7")
    assert len(slack.calls) <= 3 and jarvis.outbox.line("channel-7").failures == 1


def test_copies_of_files_of_repeats_are_not_left(make_jarvis: MakeJarvis, home: Path, tmp_path: Path) -> None:
    jarvis = make_jarvis()
    (tmp_path / "rows.csv").write_text("n\n")
    for _ in range(3):
        jarvis.tell(Notification("data", "again", attachments=(str(tmp_path / "rows.csv"),), fingerprint="f"))
    assert len(list((home / "notify").rglob("*.csv"))) == 1


def test_keys_of_any_kind_keep_their_files(make_jarvis: MakeJarvis, home: Path, tmp_path: Path) -> None:
    jarvis = make_jarvis()
    (tmp_path / "rows.csv").write_text("n\n")
    for key in ("..", "a b", "a_b", "k" * 5_000):
        jarvis.tell(Notification("data", "see", attachments=(str(tmp_path / "rows.csv"),), key=key))
    assert len(list((home / "notify" / "attachments" / "data").rglob("*.csv"))) == 4
