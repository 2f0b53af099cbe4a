"""The local AWS from the outside: as `slice aws`, and beside another process."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import pytest

import slice_platform
from slice_platform.local.aws import environment_at, listening_on

ROOT = Path(slice_platform.__file__).parents[1]
# As `slice dev` does: start it, then become another program.
BECOMES_ANOTHER = """
import os, sys
from slice_platform.local.aws_process import start_beside
print(start_beside()["AWS_ENDPOINT_URL"], flush=True)
os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)"])
"""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "AWS_PROFILE": "of-no-account"}
    with subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def said_until(started: subprocess.Popen[str], last: str) -> str:
    assert started.stdout is not None
    said = ""
    while last not in said:
        line = started.stdout.readline()
        assert line, f"it ended before it said {last!r}: {said}"
        said += line
    return said


def answers(url: str) -> bool:
    try:
        urlopen(f"{url}/moto-api/data.json", timeout=30).close()  # noqa: S310 -- our own http
    except (URLError, ConnectionError, TimeoutError):
        return False
    return True


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLICE_HOME", str(tmp_path / "home"))


def test_what_slice_aws_prints_leads_boto3_to_its_account(home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with process("-m", "slice_platform.cli.main", "aws", "--port", "0") as started:
        said = said_until(started, "Ctrl-C ends it.")
        for name, value in re.findall(r"^export (\w+)=(\S+)$", said, re.MULTILINE):
            monkeypatch.setenv(name, value)
        assert "slice-pulse" in {one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"]}
        assert "images 11" in said and "Account 222222222222" in said
        started.send_signal(signal.SIGINT)
        assert started.wait(20) == 0


def test_slice_aws_tells_of_a_port_that_is_taken(home: None) -> None:
    with listening_on(0) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "slice_platform.cli.main", "aws", "--port", port],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1 and f"on port {port} of 127.0.0.1" in done.stderr


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_local_aws_ends_with_what_its_starter_became(end: signal.Signals) -> None:
    with process("-c", BECOMES_ANOTHER) as started:
        url = said_until(started, "\n").strip()
        assert answers(url)
        started.send_signal(end)
        started.wait(20)
        deadline = time.monotonic() + 20
        while answers(url):
            assert time.monotonic() < deadline, "it outlives its starter"
            time.sleep(0.1)


def test_the_first_request_waits_until_the_account_is_filled() -> None:
    with process("-c", BECOMES_ANOTHER) as started:
        port = int(said_until(started, "\n").strip().rpartition(":")[2])
        found = environment_at(port)
        s3 = boto3.client(
            "s3",
            endpoint_url=found["AWS_ENDPOINT_URL"],
            region_name=found["AWS_REGION"],
            aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        )
        assert len(s3.list_buckets()["Buckets"]) == 6


def test_ctrl_c_leaves_the_end_to_the_starter() -> None:
    """Its last requests are answered: a terminal sends the signal to all processes at once."""
    with process("-c", BECOMES_ANOTHER) as started:
        url = said_until(started, "\n").strip()
        assert answers(url)
        children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGINT)
        assert answers(url)
