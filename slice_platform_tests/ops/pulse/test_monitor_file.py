"""What Heartbeat would refuse, or stop silently, is refused before with file, line and field."""

import pytest

from slice_platform.ops.pulse.monitor import HttpMonitor, TcpMonitor
from slice_platform.ops.pulse.monitor_file import MonitorFile, read_monitors
from slice_platform_tests.ops.pulse.monitors import BROKEN, http


def read(text: str) -> MonitorFile:
    return read_monitors("shop.yml", text.encode())


def told(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def test_the_sample_of_the_blog_is_refused_with_its_line() -> None:
    (problem,) = told(BROKEN)
    assert problem.startswith("shop.yml:2: the file: not valid YAML") and "'- type: http', with a space" in problem


def test_a_schedule_without_quotes_is_told_how_to_write_it() -> None:
    (problem,) = told("- type: http\n  schedule: @every 30s\n")
    assert problem.startswith("shop.yml:2: ") and problem.endswith("Quote it: '@every 30s'")


def test_a_monitor_that_knocks_nowhere_is_refused_with_its_line() -> None:
    text = BROKEN.replace("-type", "- type").replace("\n ", "\n  ")
    assert told(text) == [
        "shop.yml:5: urls: there is none: expected at least one, such as [https://example.com/health]"
    ]


def test_keys_with_dots_are_nested_keys_and_both_may_stand_side_by_side() -> None:
    mixed = http(
        "shop", "http://a/b", "check.response.status: 200", "check: {response: {body: ok}, request.method: get}"
    )
    (monitor,) = read(mixed).monitors
    assert isinstance(monitor, HttpMonitor)
    assert monitor.check.response.status == (200,) and monitor.check.response.body.positive == ("ok",)
    assert monitor.check.request.method == "GET" and monitor.endpoints == ("http://a/b",)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chek.response.status: 200", "chek.response.status: Heartbeat knows no such field of a monitor of this type"),
        ("check: {response: {statos: 200}}", "check.response.statos: Heartbeat knows no such field of a monitor in"),
        ("check.response.status: ok", "check.response.status.0: 'ok': input should be a valid integer"),
        ("check.response.body: '('", "check.response.body.positive.0: '(' is no regular expression"),
        ("timeout: 5 seconds", "timeout: '5 seconds' is no duration: expected one such as 30s"),
        ("timeout: 0s", "timeout: '0s' is not between nothing and a year"),
        ("mode: each", "mode: 'each': input should be 'any' or 'all'"),
        ("max_redirects: -1", "max_redirects: -1: input should be greater than or equal to 0"),
        ("hosts: ['http://us:secret@bad host/']", "hosts: 'http://bad host/' has a space"),
        ("hosts: ['ftp://a/']", "hosts: 'ftp://a/' begins with ftp: expected http or https"),
        ("hosts: ['http://a:99999/']", "hosts: 'http://a:99999/' is no address: Port out of range"),
        ("id: other", "the file: not valid YAML: the key 'id' appears twice"),
        ("check.request.method: GET\n  check: {request: {method: PUT}}", "check: 'method' is given twice"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_field(line: str, expected: str) -> None:
    text = http("shop", "http://a/", line)
    (problem,) = told(text)
    at = 6 if "\n" in line else 5
    assert problem.startswith(f"shop.yml:{at}: {expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- {type: http, urls: [a], schedule: '@every 1s'}", "id: it is missing: give it one that stays"),
        ("- {type: http, id: a, urls: [a]}", "schedule: it is missing: expected one such as '@every 30s'"),
        ("- {type: browser, id: a}", "type: 'browser' is none: expected one of http, tcp, icmp"),
        ("- {type: tcp, id: a, hosts: [db], schedule: '@every 1s'}", "hosts: 'db' names no port"),
        ("- {type: icmp, id: a, hosts: ['db:1'], schedule: '@every 1s'}", "hosts: 'db:1' is no host"),
        ("- {type: tcp, id: a, hosts: [], schedule: '@every 1s'}", "hosts: the list is empty: expected at least one"),
        ("type: http", "the file: expected a list of monitors: begin with '- type: http'"),
        ("# nothing yet", "the file: expected a list of monitors"),
        ("- just text", "the monitor: expected a list of monitors"),
    ],
)
def test_what_is_missing_is_named(text: str, expected: str) -> None:
    (problem,) = told(text)
    assert problem.startswith(f"shop.yml:1: {expected}")


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = http("a", "ftp://a/", "nonsense: 1") + http("a", "http://b/")
    assert [one.split(": ")[1] for one in told(text)] == ["urls", "nonsense"]
    assert [one.split(": ")[0] for one in told(http("a") + http("a"))] == ["shop.yml:6"]


def test_each_host_and_port_is_an_endpoint_of_its_own() -> None:
    (monitor,) = read("- {type: tcp, id: a, hosts: [x, 'tls://y:9', '::1'], ports: [1, 2], schedule: 5}".replace(
        "schedule: 5", "schedule: '@every 5s'")).monitors  # fmt: skip
    assert isinstance(monitor, TcpMonitor)
    assert monitor.endpoints == ("tcp://x:1", "tcp://x:2", "tls://y:9", "tcp://[::1]:1", "tcp://[::1]:2")


def test_what_only_heartbeats_host_knows_is_taken_as_it_is() -> None:
    (monitor,) = read(http("a", "${SHOP_URL}/health")).monitors
    assert monitor.beyond_the_probe == "a variable ${...} that only Heartbeat's host knows"


def test_bytes_that_are_no_text_and_aliases_without_end_are_refused() -> None:
    assert str(read_monitors("a.yml", b"- type: http\n  id: \xff\n").problems[0]).startswith(
        "a.yml:2: the file: not UTF"
    )
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert "perhaps by aliases" in told(bomb)[0]
