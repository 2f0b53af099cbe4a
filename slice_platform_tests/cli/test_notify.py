"""`slice notify` as a cron calls it: what it prints, what people see, and the exit code."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slice_platform.cli.main import PERMANENT, TRANSIENT
from slice_platform_tests.cli.conftest import Slice
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


def test_the_command_line_is_what_a_shell_makes_of_it(slack: FakeSlack) -> None:
    program = str(Path(sys.executable).with_name("slice"))
    done = subprocess.run(
        [program, "notify", "--channel", "data", "--message", "-"], input="from a pipe\n", text=True, check=False
    )
    assert done.returncode == 0 and [one.text for one in slack.messages("data")] == ["from a pipe"]
