"""The function slice-slack-notifier as `make lambda` packs it, invoked as every service does."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from slice_platform_tests.cloud import Cloud
from slice_platform_tests.slack import FakeSlack, running_slack

ROOT = Path(__file__).parents[2]
MOST_BYTES = 20_000_000  # AWS takes 50 MB at once
Invoke = Callable[[object], tuple[Any, bool]]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("lambda") / "slice-slack-notifier.zip"
    subprocess.run([sys.executable, str(ROOT / "deploy" / "lambda_zip.py"), "--output", str(output)], check=True)
    return output


@pytest.fixture(scope="module")
def slack() -> Iterator[FakeSlack]:
    with running_slack("data", "jarvis-error-notifications") as started:
        yield started


@pytest.fixture
def invoke(packed: Path, slack: FakeSlack, cloud: Cloud, tmp_path: Path) -> Invoke:
    """Invoke the function; its answer, and whether it failed."""
    role = boto3.client("iam", endpoint_url=cloud.url).create_role(RoleName="notifier", AssumeRolePolicyDocument="{}")
    client = boto3.client("lambda", endpoint_url=cloud.url)
    variables = {
        "SLICE_HOME": str(tmp_path / "home"), "SLICE_SLACK_TOKEN": slack.token, "SLICE_SLACK_BASE_URL": slack.url,
        "SLICE_AWS_ENDPOINT_URL": cloud.url,
    }  # fmt: skip
    client.create_function(
        FunctionName="slice-slack-notifier", Runtime="python3.11", Role=role["Role"]["Arn"],
        Handler="slice_platform.notify.lambda_handler.handler", Code={"ZipFile": packed.read_bytes()},
        Environment={"Variables": variables},
    )  # fmt: skip

    def call(payload: object) -> tuple[Any, bool]:
        answer = client.invoke(FunctionName="slice-slack-notifier", Payload=json.dumps(payload).encode())
        return json.loads(answer["Payload"].read()), "FunctionError" in answer

    return call


def test_the_zip_is_small_and_has_no_engine_in_it(packed: Path) -> None:
    names = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", str(packed)], capture_output=True, text=True, check=True
    )
    assert packed.stat().st_size < MOST_BYTES
    assert not [name for name in ("duckdb/", "pyarrow/", "dagster/", "boto3/") if f"\n{name}" in names.stdout]


def test_a_payload_with_an_attachment_is_in_slack(invoke: Invoke, slack: FakeSlack, cloud: Cloud) -> None:
    bucket = cloud.fresh_bucket()
    boto3.client("s3", endpoint_url=cloud.url).put_object(Bucket=bucket, Key="testing/test_file.csv", Body=b"n\n1\n")
    answer, failed = invoke(
        {
            "heading": "Heading", "message": "<!channel> Message", "slack_channel": "data",
            "attachment": {"bucket": bucket, "key": "testing/test_file.csv"},
        }
    )  # fmt: skip
    message, file = slack.messages("data")[-2:]
    assert not failed and answer["statusCode"] == 200 and message.text == "*Heading*\n<!channel> Message"
    assert file.files[0].content == b"n\n1\n" and file.thread_ts == message.ts


def test_a_payload_that_is_none_is_refused_and_reported(invoke: Invoke, slack: FakeSlack) -> None:
    answer, failed = invoke({"mesage": "token=abc12345", "slack_channel": "data"})
    report = slack.messages("jarvis-error-notifications")[-1].text
    assert not failed and answer["statusCode"] == 400 and "message: Field required" in answer["message"]
    assert "message: Field required" in report and "abc12345" not in report


def test_slack_that_is_away_fails_the_invocation_so_that_aws_tries_again(invoke: Invoke, slack: FakeSlack) -> None:
    before = len(slack.messages("data"))
    with slack.failing("error", times=1_000):
        answer, failed = invoke({"message": "hello", "slack_channel": "data", "idempotency_key": "k1"})
    assert failed and answer["errorType"] == "SlackUnavailable"
    again, failed = invoke({"message": "hello", "slack_channel": "data", "idempotency_key": "k1"})
    assert not failed and again["statusCode"] == 200 and len(slack.messages("data")) == before + 1
