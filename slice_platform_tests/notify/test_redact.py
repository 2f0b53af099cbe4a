"""What looks like a secret is hidden, what does not is left."""

import pytest

from slice_platform.notify.redact import HIDDEN, redact


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:hunter2@host/db", "postgresql://user:p@ss/hunter2@host/db", "password=hunter2",
        "PGPASSWORD='hunter2 x'", '{"api_key": "hunter2"}', "AWS_SECRET_ACCESS_KEY=hunter2/+x",
        "Authorization: Bearer hunter2hunter2", "curl -H 'Authorization: Basic hunter2=='", "--password hunter2",
        "--db-password=hunter2", "SLICE_SLACK_TOKEN: hunter2", "client_secret => hunter2",
        "https://bucket/x?X-Amz-Signature=hunter2&y=1", "https://hooks.slack.com/services/T0/B0/hunter2",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\nhunter2",
    ],
)  # fmt: skip
def test_the_value_of_a_secret_is_hidden(text: str) -> None:
    assert "hunter2" not in redact(text) and HIDDEN in redact(text)


@pytest.mark.parametrize(
    "secret",
    ["xoxb-123456789012-abcdef", "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36, "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl"],
)
def test_a_secret_that_is_known_by_its_look_is_hidden(secret: str) -> None:
    assert redact(f"got {secret}, and more") == f"got {HIDDEN}, and more"


@pytest.mark.parametrize(
    "text",
    [
        "primary_key=id",
        "sort_key: seen_at",
        "the token was refused",
        "http://127.0.0.1:3000/runs/1",
        "passed: 3",
        "a@b.c",
    ],
)
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("text", ["x" * 300_000, "-" * 300_000, "a:" * 100_000, "a://b:" * 50_000, "token=" * 50_000])
def test_no_text_takes_long(text: str) -> None:
    assert redact(text)
