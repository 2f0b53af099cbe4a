"""Promise 9: whoever dies whenever, what was kept is there, and where Slack answered it is there once."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.outbox_tables import notifications
from slice_platform.settings import load_settings
from slice_platform_tests.slack import FakeSlack

KILLS = int(os.environ.get("SLICE_STORM_KILLS", "60"))


@dataclass(frozen=True)
class Sky:
    """Where the outbox is, and how many may wait before a digest tells them."""

    metadata_url: str | None
    burst: int


def storm(slack: FakeSlack, home: Path, sky: Sky) -> tuple[int, set[str]]:
    """Kill processes until it is enough: how many notifications were told, and the keys that are kept."""
    slack.pace_seconds = 0.01
    home.mkdir()
    asked = {"home": str(home), "url": slack.url, "token": slack.token, "kills": KILLS, "seed": 5, **asdict(sky)}
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.storm", json.dumps(asked)],
        capture_output=True, text=True, check=False, timeout=300, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["died"] >= KILLS
    with open_jarvis(load_settings(home=home, metadata_url=sky.metadata_url)) as jarvis:
        assert jarvis.standing().waiting == 0 and jarvis.standing().refused == 0
        with jarvis.outbox._db.engine.connect() as connection:
            return found["told"], set(connection.scalars(sa.select(notifications.c.key)))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_is_told_arrives_once_whoever_is_killed(
    slack: FakeSlack, home: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = None if database == "sqlite" else request.getfixturevalue("postgres").fresh_url()
    told, kept = storm(slack, home, Sky(url, burst=1_000_000))
    messages = slack.messages("data")
    texts = Counter(message.key for message in messages if message.key)
    assert set(texts.values()) == {1}, texts.most_common(3)
    assert set(texts) == kept, "what is in the outbox is in Slack, and the other way round"
    assert {f"key-{number}" for number in range(told - 2, told)} <= kept  # told by who lived
    titles = Counter(file.title for message in messages for file in message.files)
    assert set(titles.values()) == {1} and len(titles) == len([key for key in kept if int(key[4:]) % 3 == 0])


def test_what_a_digest_tells_is_told_once_whoever_is_killed(slack: FakeSlack, home: Path) -> None:
    _, kept = storm(slack, home, Sky(None, burst=2))
    said = Counter[str]()
    for message in slack.messages("data"):
        if message.key:
            below = [file for one in slack.messages("data") if one.thread_ts == message.ts for file in one.files]
            whole = "".join([message.text, *((file.content or b"").decode() for file in below)])
            said.update(set(re.findall(r"message (\d+)\.", whole)))
    assert any(key.startswith("digest-") for key in kept)
    assert said == Counter(key[4:] for key in kept if key.startswith("key-"))
