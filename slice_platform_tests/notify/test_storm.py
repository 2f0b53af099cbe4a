"""Promise 9: whoever dies whenever, what was kept is there, and where Slack answered it is there once."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from slice_platform.notify.jarvis import open_jarvis
from slice_platform.settings import load_settings
from slice_platform_tests.slack import FakeSlack

KILLS = int(os.environ.get("SLICE_STORM_KILLS", "60"))


def test_what_is_told_arrives_once_whoever_is_killed(slack: FakeSlack, home: Path) -> None:
    slack.pace_seconds = 0.01
    home.mkdir()
    asked = {"home": str(home), "url": slack.url, "token": slack.token, "kills": KILLS, "seed": 5}
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.storm", json.dumps(asked)],
        capture_output=True, text=True, check=False, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["died"] >= KILLS
    messages = slack.messages("data")
    with open_jarvis(load_settings(home=home)) as jarvis:
        assert jarvis.standing().waiting == 0 and jarvis.standing().refused == 0
        kept = jarvis.outbox.keys()
    texts = Counter(message.key for message in messages if message.key)
    assert set(texts.values()) == {1}, texts.most_common(3)
    assert set(texts) == kept, "what is in the outbox is in Slack, and the other way round"
    assert {f"key-{number}" for number in range(found["told"] - 2, found["told"])} <= kept  # told by who lived
    titles = Counter(file.title for message in messages for file in message.files)
    assert set(titles.values()) == {1} and len(titles) == len([key for key in kept if int(key[4:]) % 3 == 0])
