"""Processes that tell and send are killed, at every step between two calls: `python -m ...notify.storm JSON`.

It imports all it needs once and forks for each attempt. It prints how many died.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from slice_platform.notify.chat import Chat
from slice_platform.notify.delivery import Delivery, Rules
from slice_platform.notify.jarvis import open_jarvis
from slice_platform.notify.notification import Notification
from slice_platform.notify.outbox import Outbox
from slice_platform.notify.slack import SlackChat, slack_client
from slice_platform.settings import load_settings

STEPS = 24  # calls of the outbox and of Slack in one attempt, about
LONGEST_SECONDS = 0.15


class Mortal:
    """Stands before an outbox or a chat. The process is killed before or after the n-th call."""

    def __init__(self, inner: object, countdown: Callable[[], None]) -> None:
        self._inner, self._countdown = inner, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name == "hold":
            return found

        def counted(*args: Any, **options: Any) -> Any:
            self._countdown()
            result = found(*args, **options)
            self._countdown()
            return result

        return counted


def main() -> None:
    asked = json.loads(sys.argv[1])
    chance, died, told = random.Random(asked["seed"]), 0, 0
    while died < asked["kills"]:
        # Half of them die between two calls, the others at any moment.
        step = chance.randrange(2 * STEPS) if died % 2 else 0
        died += _attempt(asked, told, step, None if died % 2 else chance.uniform(0.0, LONGEST_SECONDS))
        told += 1
    _work(asked, told, 0)  # nobody kills this one
    sys.stdout.write(json.dumps({"died": died, "told": told + 1}))


def _attempt(asked: dict[str, Any], number: int, step: int, seconds: float | None) -> int:
    child = os.fork()
    if child == 0:
        try:
            _work(asked, number, step)
        finally:
            os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return int(os.WIFSIGNALED(status))


def _work(asked: dict[str, Any], number: int, step: int) -> None:
    """Tell one more, tell the one before it again, and send whatever waits."""
    settings = load_settings(home=asked["home"], metadata_url=asked["metadata_url"])
    left = [step]

    def countdown() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    rules = Rules(asked["burst"], "jarvis-error-notifications")
    chat = SlackChat(slack_client(asked["token"], asked["url"], 5.0))
    chat.seconds_between = 0.01
    with open_jarvis(settings, chat=chat) as jarvis:
        outbox = cast(Outbox, Mortal(jarvis.outbox, countdown))
        delivery = Delivery(outbox, cast(Chat, Mortal(chat, countdown)), jarvis.attachments, rules)
        for one in range(max(number - 1, 0), number + 1):
            path = Path(asked["home"]) / f"{one}.csv"
            path.write_text(f"id\n{one}\n", encoding="utf-8")
            kept, notes = jarvis.attachments.keep(
                Notification(
                    "data", f"message {one}.", key=f"key-{one}", attachments=(str(path),) if one % 3 == 0 else ()
                )
            )
            outbox.store(kept, notes=notes)
        delivery.run(seconds=20)


if __name__ == "__main__":
    main()
