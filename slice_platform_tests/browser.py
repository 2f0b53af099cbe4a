"""A real browser that shows a page of the UI, and is asked what it shows."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO, Any

from slice_platform_tests.tools import require_tool

_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1500,2600 --remote-debugging-pipe"
)
_READ, _WRITE = 3, 4  # where Chromium reads what it is asked, and writes answers


@dataclass(frozen=True)
class Page:
    """A tab of the browser."""

    to: IO[bytes]
    answers: IO[bytes]
    session: str | None = None
    numbers: Iterator[int] = field(default_factory=count)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self.numbers)
        asked: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if self.session:
            asked["sessionId"] = self.session
        self.to.write(json.dumps(asked).encode() + b"\0")
        self.to.flush()
        while True:
            answer = json.loads(_until_null(self.answers))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                found: dict[str, Any] = answer["result"]
                return found

    def value(self, script: str) -> Any:
        """What an expression of JavaScript gives on the page."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def show(self, url: str, has: str, seconds: float = 60) -> str:
        """The text of the page, once an expression of JavaScript is true on it."""
        self.call("Page.navigate", url=url)
        self.until(has, seconds)
        return str(self.value("document.body.innerText"))

    def until(self, has: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.value(has):
            text = str(self.value("document.body?.innerText"))
            assert time.monotonic() < deadline, f"the page does not show {has}:\n{text[-3000:]}"
            time.sleep(0.5)

    def picture(self, path: Path) -> None:
        """The page as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def running_browser(folder: Path) -> Iterator[Page]:
    """A browser with a profile of its own, for the length of the block."""
    chromium = require_tool("chromium")
    there, back = os.pipe(), os.pipe()

    def place_pipes() -> None:
        ask, answer = os.dup(there[0]), os.dup(back[1])  # one of them may be 3 or 4 itself
        os.dup2(ask, _READ)
        os.dup2(answer, _WRITE)

    process = subprocess.Popen(
        [chromium, *_FLAGS.split(), f"--user-data-dir={folder / 'profile'}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=place_pipes,  # noqa: PLW1509 -- no threads here
    )  # fmt: skip
    os.close(there[0])
    os.close(back[1])
    try:
        with os.fdopen(there[1], "wb") as to, os.fdopen(back[0], "rb") as answers:
            browser = Page(to, answers)
            target = browser.call("Target.createTarget", url="about:blank")["targetId"]
            session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield Page(to, answers, session, browser.numbers)
    finally:
        process.terminate()
        process.wait(30)


def _until_null(answers: IO[bytes]) -> bytes:
    found = bytearray()
    while (one := answers.read(1)) != b"\0":
        assert one, "the browser is gone"
        found += one
    return bytes(found)
