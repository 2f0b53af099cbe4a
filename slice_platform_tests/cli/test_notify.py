"""`slice notify` as a cron calls it: what it prints, what people see, and the exit code."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from slice_platform.cli.main import PERMANENT, TRANSIENT
from slice_platform.notify.jarvis import notify
from slice_platform_tests.cli.conftest import PLANES, Slice
from slice_platform_tests.slack import FakeSlack, running_slack


@pytest.fixture
def slack(slice_: Slice, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlack]:
    with running_slack("data", "jarvis-error-notifications") as started:
        monkeypatch.setenv("SLICE_SLACK_TOKEN", started.token)
        monkeypatch.setenv("SLICE_SLACK_BASE_URL", started.url)
        yield started


def test_a_message_with_a_file_is_in_slack(slice_: Slice, slack: FakeSlack, tmp_path: Path) -> None:
    (tmp_path / "stats.csv").write_text("n\n1\n")
    done = slice_(
        "notify", "--channel", "#data", "--heading", "Export", "--message", "<!channel> done",
        "--attach", str(tmp_path / "stats.csv"),
    )  # fmt: skip
    message, file = slack.messages("data")
    assert done.exit_code == 0 and message.text == "*Export*\n<!channel> done"
    assert file.files[0].name == "stats.csv" and file.files[0].content == b"n\n1\n"


def test_without_a_token_the_message_is_a_page(slice_: Slice, tmp_path: Path) -> None:
    assert slice_("notify", "--channel", "data", "--message", "hello there").exit_code == 0
    assert "hello there" in (tmp_path / "home" / "slack" / "data" / "index.html").read_text()


def test_slack_that_is_away_keeps_the_message_and_says_so(slice_: Slice, slack: FakeSlack) -> None:
    with slack.failing("error"):
        done = slice_("notify", "--channel", "data", "--message", "hello", "--wait", "0.5")
    assert done.exit_code == TRANSIENT and "is kept as #1, and not sent yet" in done.stderr
    assert "Notifications: 1 wait" in slice_("status").output
    assert slice_("notify", "--channel", "data", "--message", "again", "--wait", "9").exit_code == 0
    assert [one.text for one in slack.messages("data")] == ["hello", "again"]


@pytest.mark.parametrize(
    ("channel", "says"), [("nowhere", "channel_not_found"), ("No Channel!", "no name of a channel")]
)
def test_a_channel_that_is_none_is_an_error(slice_: Slice, slack: FakeSlack, channel: str, says: str) -> None:
    done = slice_("notify", "--channel", channel, "--message", "hello")
    assert done.exit_code == PERMANENT and says in done.stderr and slack.token not in done.output


def test_the_same_key_is_sent_once(slice_: Slice, slack: FakeSlack) -> None:
    for _ in range(2):
        assert slice_("notify", "--channel", "data", "--message", "hello", "--key", "nightly-7").exit_code == 0
    assert len(slack.messages("data")) == 1


@pytest.mark.parametrize("arguments", [[], ["--channel", "data"], ["--on-exit"], ["--channel", "data", "echo", "hi"]])
def test_what_is_missing_is_said(slice_: Slice, arguments: list[str]) -> None:
    done = slice_("notify", *arguments)
    assert done.exit_code == 2 and ("Say " in done.output or "--on-exit" in done.output)


def test_a_command_that_fails_is_told_with_the_end_of_its_log(slice_: Slice, slack: FakeSlack) -> None:
    script = "print('step 1'); print('password=hunter2'); raise SystemExit(3)"
    done = slice_("notify", "--channel", "data", "--on-exit", "--", sys.executable, "-c", script)
    message, log = slack.messages("data")
    assert done.exit_code == 3 and "failed with exit code 3 after" in message.text
    assert log.files[0].content == b"step 1\npassword=[hidden]\n"


def test_a_command_that_is_not_there_ends_as_in_a_shell(slice_: Slice, slack: FakeSlack) -> None:
    done = slice_("notify", "--channel", "data", "--on-exit", "--", "/nowhere/backup.sh")
    assert done.exit_code == 127 and "backup.sh failed" in slack.messages("data")[0].text


def test_a_command_keeps_its_exit_code_when_nobody_can_be_told(slice_: Slice, slack: FakeSlack) -> None:
    with slack.failing("invalid_auth"):
        done = slice_("notify", "--channel", "data", "--wait", "0.5", "--on-exit", "--", "true")
    assert done.exit_code == 0 and "is kept" in done.stderr


def test_a_command_keeps_its_exit_code_when_the_database_is_down(
    slice_: Slice, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLICE_METADATA_URL", "postgresql+psycopg://reader@127.0.0.1:1/ledger")
    done = slice_("notify", "--channel", "data", "--on-exit", "--", "sh", "-c", "exit 3")
    assert done.exit_code == 3 and "slice: " in done.stderr


def test_a_command_keeps_its_exit_code_when_the_disk_is_full(
    slice_: Slice, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    done = slice_("notify", "--channel", "data", "--on-exit", "--", "sh", "-c", "exit 3")
    assert done.exit_code == 3 and "/nowhere" in done.stderr


def test_a_channel_that_is_none_is_seen_before_the_command_is_run(slice_: Slice, tmp_path: Path) -> None:
    done = slice_("notify", "--channel", "No Channel!", "--on-exit", "--", "touch", str(tmp_path / "ran"))
    assert done.exit_code == 2 and "no name of a channel" in done.stderr and not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 7), (signal.SIGINT, 8)])
def test_a_signal_goes_to_the_command_and_its_end_is_told(
    slice_: Slice, slack: FakeSlack, tmp_path: Path, number: int, code: int
) -> None:
    script = f"trap 'exit 7' TERM; trap 'exit 8' INT; touch {tmp_path}/up; while true; do sleep 0.1; done"
    program = str(Path(sys.executable).with_name("slice"))
    process = subprocess.Popen([program, "notify", "--channel", "data", "--on-exit", "--", "bash", "-c", script])
    while not (tmp_path / "up").exists():
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(20) == code and f"failed with exit code {code}" in slack.messages("data")[0].text


def test_what_a_command_leaves_in_the_background_is_not_waited_for(slice_: Slice, slack: FakeSlack) -> None:
    began = time.monotonic()
    done = slice_("notify", "--channel", "data", "--on-exit", "--", "sh", "-c", "sleep 30 & echo started")
    assert done.exit_code == 0 and time.monotonic() - began < 15
    assert slack.messages("data")[1].files[0].content == b"started\n"


def test_a_stuck_outbox_is_told_on_stderr_and_by_the_exit_code(
    slice_: Slice, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slack.failing("error"):
        slice_("notify", "--channel", "data", "--message", "hello", "--wait", "0.1")
    monkeypatch.setenv("SLICE_NOTIFY_STUCK_SECONDS", "0.001")
    done = slice_("status")
    assert done.exit_code == TRANSIENT and "1 notifications wait" in done.stderr and "internal_error" in done.stdout


def test_an_ingest_sends_what_was_kept(slice_: Slice, slack: FakeSlack, tmp_path: Path) -> None:
    assert notify("data", "hello")
    (tmp_path / "planes.csv").write_text(PLANES)
    assert slice_("drop", "planes", str(tmp_path / "planes.csv")).exit_code == 0
    with slack.failing("error"):  # Slack's troubles are none of the ingest's
        assert slice_("ingest", "planes").exit_code == 0
    assert slack.called("chat.postMessage") and slack.messages("data") == []


def test_the_command_line_is_what_a_shell_makes_of_it(slack: FakeSlack) -> None:
    program = str(Path(sys.executable).with_name("slice"))
    done = subprocess.run(
        [program, "notify", "--channel", "data", "--message", "-"], input="from a pipe\n", text=True, check=False
    )
    assert done.returncode == 0 and [one.text for one in slack.messages("data")] == ["from a pipe"]
