"""An echo request goes by the kernel, or by `ping`, or it is told that this machine may send none."""

import socket
from pathlib import Path

import pytest

from slice_platform.ops.pulse.monitor_file import read_monitors
from slice_platform.ops.pulse.probe import checks_of, probe
from slice_platform.ops.pulse.probe_icmp import checksum, echo_request, is_reply

LOOPBACK = "- {type: icmp, id: gate, hosts: [127.0.0.1], schedule: '@every 30s', timeout: 2s}"


def said() -> str:
    (result,) = probe(checks_of(read_monitors("gate.yml", LOOPBACK.encode()).monitors), threads=1)
    return f"{result.status}: {result.error}" if result.error else result.status.value


def with_ping(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """No socket for echo requests, and this program as `ping`."""
    ping = folder / "ping"
    ping.write_text(f"#!/bin/sh\n{body}\n")
    ping.chmod(0o755)
    _without_socket(monkeypatch)
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")


def _without_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(socket.socket):
        def __init__(self, family: int = -1, kind: int = -1, proto: int = -1, fileno: int | None = None) -> None:
            if kind == socket.SOCK_DGRAM and proto == socket.IPPROTO_ICMP:
                raise PermissionError(13, "Permission denied")
            super().__init__(family, kind, proto, fileno)

    monkeypatch.setattr(socket, "socket", Refusing)


def test_the_loopback_answers_or_it_is_told_why_nobody_can_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert said() == "up" or said().startswith("unknown: this machine may send no echo request")


def test_without_socket_and_program_the_answer_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_socket(monkeypatch)
    monkeypatch.setenv("PATH", "")
    assert "net.ipv4.ping_group_range" in said() and "install iputils-ping" in said()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('test "$6" = 127.0.0.1', "up"),
        ("exit 1", "down: no answer to an echo request"),
        ("echo no such option >&2; exit 2", "unknown: ping failed: no such option"),
    ],
)
def test_the_program_is_asked_where_the_kernel_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, expected: str
) -> None:
    with_ping(tmp_path, monkeypatch, body)
    assert said() == expected


def test_a_request_has_a_checksum_that_adds_up_and_only_its_own_reply_counts() -> None:
    packet = echo_request(socket.AF_INET, 7, b"odd")
    assert checksum(packet) == 0 and packet[0] == 8 and packet[6:8] == b"\x00\x07"
    reply = b"\x00" + packet[1:]
    assert is_reply(socket.AF_INET, reply, b"odd")
    assert not is_reply(socket.AF_INET, packet, b"odd") and not is_reply(socket.AF_INET, reply, b"other")
