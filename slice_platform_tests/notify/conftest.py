"""A workspace of Slack and an outbox for it; all in earnest, but for a Slack that takes fifty messages a second."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from slice_platform.notify.jarvis import Jarvis, open_jarvis
from slice_platform.settings import Settings, load_settings
from slice_platform_tests.slack import FakeSlack, running_slack, slack_chat

PACE_SECONDS = 0.02
MakeJarvis = Callable[..., Jarvis]


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with running_slack("data", "other", "jarvis-error-notifications") as started:
        started.pace_seconds = PACE_SECONDS
        yield started


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def settings_for(home: Path, slack: FakeSlack, **more: object) -> Settings:
    known: dict[str, object] = {"home": home, "slack_token": slack.token, "slack_base_url": slack.url}
    return load_settings(**{**known, **more})


@pytest.fixture
def make_jarvis(slack: FakeSlack, home: Path) -> Iterator[MakeJarvis]:
    """Jarvis on the same outbox and workspace, each as another process would open it."""
    with ExitStack() as opened:

        def make(**settings: object) -> Jarvis:
            chat = slack_chat(slack)
            chat.seconds_between = PACE_SECONDS
            return opened.enter_context(open_jarvis(settings_for(home, slack, **settings), chat=chat))

        yield make
