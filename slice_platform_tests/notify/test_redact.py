"""What looks like a secret is hidden, what does not is left."""

import json
import time

import pytest

from slice_platform.notify.redact import HIDDEN, redact, redacted

SAID_IN_JSON = json.dumps({"message": json.dumps({"password": 'hunter2 "x" hunter2'})})


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
        "mysql -h db -phunter2 shop", "Command '['mysqldump', '-u', 'me', '-phunter2']' failed",
        "sshpass -p hunter2 ssh",
        "curl -sS -u me:hunter2 https://x", "curl --user 'me:hunter2'", "['curl', '-u', 'me:hunter2']",
        "CREATE USER a IDENTIFIED BY 'hunter2'", "IDENTIFIED WITH mysql_native_password BY hunter2",
        "ALTER USER a WITH PASSWORD 'hunter2'", "SET PASSWORD = PASSWORD('hunter2')",
        "accessToken: hunter2", "AWSSecretKey=hunter2", "encryption_key=hunter2", "spring.datasource.password=hunter2",
        "apikey=hunter2", "{'password': b'hunter2'}", "os.environ['DB_PASSWORD'] = 'hunter2'",
        "--password\nhunter2", "--token \\\n  hunter2", "['psql', '--password', 'hunter2']", "- --password\n- hunter2",
        "password: correct horse hunter2", "db_password = correct, horse hunter2", "-Dkey.password=hunter2",
        "db:\n  password: |\n    first\n\n    hunter2\n  user: bob", 'token="a\\"hunter2"', "password=a\\hunter2",
        SAID_IN_JSON, json.dumps(SAID_IN_JSON), json.dumps("password: correct horse hunter2"),
    ],
)  # fmt: skip
def test_the_value_of_a_secret_is_hidden(text: str) -> None:
    assert "hunter2" not in redact(text) and HIDDEN in redact(text)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "secret",
    [
        "xoxb-123456789012-abcdef", "AKIAIOSFODNN7EXAMPLE", "ghp_" + "a" * 36, "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "sk-proj-4fGhT7uWqLmN0pRsTuVw", "sk-ant-api03-4fGhT7uWqLmN0pRs",
    ],
)  # fmt: skip
def test_a_secret_that_is_known_by_its_look_is_hidden(secret: str) -> None:
    assert redact(f"got {secret}, and more") == f"got {HIDDEN}, and more"


@pytest.mark.parametrize(
    "text",
    [
        "primary_key=id", "sort_key: seen_at", "partition_key = day", "idempotency_key: 7", "the token was refused",
        "http://127.0.0.1:3000/runs/1", "passed: 3", "a@b.c", "max_tokens: 512", "token_count=3, tokens: 9",
        "secretary: Ann", "the password is wrong", "docker run -p 80:80 -u 1000:1000", "psql -p 5432 -U me",
        "keyboard: us", "sk-learn-is-a-library-of-python", "no token:", "sessions: 5",
    ],
)  # fmt: skip
def test_other_text_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_stands_around_a_secret_is_left() -> None:
    assert redact("host=db password=hunter2 user=bob") == f"host=db password={HIDDEN} user=bob"
    assert redact("db:\n  password: |\n    hunter2\n  user: bob") == f"db:\n  password: {HIDDEN}\n  user: bob"
    assert redact("password: hunter2 x\nuser: bob") == f"password: {HIDDEN}\nuser: bob"


def test_a_document_keeps_its_shape_without_its_secrets() -> None:
    document = {"message": '{"password": "hunter2"}', "password": 7, "more": [{"apiKey": "x", "key": "a/b"}, None]}
    hidden = {
        "message": f'{{"password": {HIDDEN}}}',
        "password": HIDDEN,
        "more": [{"apiKey": HIDDEN, "key": "a/b"}, None],
    }
    assert redacted(document) == hidden


HOSTILE = [
    "x", "-", "a:", "a://b:", "token=", 'token="', 'token=\\"', "token: \\", "password: ", "password: |\n ", "x-",
    "--a-", "sk-",
    "mysql ", "mysql -", "curl -u ", "curl -u a", "identified with ", "password (", "a\n", "a=\n", "--token\n",
    "a" * 99 + " ",
    "aA", "'", "\\", "password:\n", " ", "token ", "token\\", "-----BEGIN PRIVATE KEY-----", "eyJaaaaaaaa.", "https://",
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_text_takes_long(piece: str) -> None:
    began = time.monotonic()
    assert redact(piece * (300_000 // len(piece)))
    assert redact("token" + piece * (300_000 // len(piece)))
    assert time.monotonic() - began < 5
